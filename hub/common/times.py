"""Instants, business dates, periods and the business clock.

An instant is an aware datetime in UTC, printed as ISO 8601 with `Z`. A business date is a date and never shifts.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from hub.common.errors import ConfigError, RecordError
from hub.common.money import shown

Fold = Literal["first", "second", "fail"]
Gap = Literal["forward", "fail"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)
_PERIOD = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


# --- the business clock ---------------------------------------------------------------------------------------------

_clock: Callable[[], datetime] | None = None


def business_now() -> datetime:
    """The business's now, an aware UTC datetime. A demo or a test may move it.

    Use it for due dates, periods, close and "today". What orders or expires work (leases, cursors, ledger times) asks
    the database's clock instead, which nobody moves.
    """
    return datetime.now(UTC) if _clock is None else _clock().astimezone(UTC)


def business_today(zone: str = "UTC") -> date:
    """The business date on the wall calendar of a time zone."""
    return business_now().astimezone(time_zone(zone)).date()


def set_business_clock(clock: datetime | Callable[[], datetime] | None) -> None:
    """Stop the business clock at an instant, drive it by a function, or give it back (None). Per process."""
    global _clock
    if isinstance(clock, datetime):
        if clock.tzinfo is None:
            raise ConfigError(
                "The business clock needs an instant with a time zone.", fix="Use datetime(…, tzinfo=UTC)."
            )
        instant = clock
        _clock = lambda: instant  # noqa: E731
    else:
        _clock = clock


# --- parse and print ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def time_zone(name: str) -> tzinfo:
    """The zone of an IANA name such as Europe/Berlin; ConfigError when there is none."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"There is no time zone {shown(name)}.", code="TIME_ZONE", fix="Use a name such as Europe/Berlin or UTC."
        ) from None


def parse_date(text: str) -> date:
    """`2026-03-31` and nothing else; RecordError otherwise."""
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise RecordError(f"{shown(text)} is not a date.", code="DATE", fix="Send YYYY-MM-DD.")


def parse_datetime(text: str) -> datetime:
    """An ISO 8601 date and time; aware when the text has an offset, naive when it has none.

    Digits below a microsecond are cut: no system orders its changes by them. RecordError when it is no such text.
    """
    if _INSTANT.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise RecordError(f"{shown(text)} is not a date and time.", code="DATETIME", fix="Send ISO 8601 with an offset.")


def format_instant(instant: datetime) -> str:
    """`2026-03-31T09:30:00Z`; a fraction is printed only when there is one, without trailing zeros."""
    utc = instant.astimezone(UTC)
    text = (
        utc.strftime("%Y-%m-%dT%H:%M:%S") if utc.year >= 1000 else utc.replace(tzinfo=None, microsecond=0).isoformat()
    )
    return f"{text}.{utc.microsecond:06d}".rstrip("0") + "Z" if utc.microsecond else f"{text}Z"


# --- wall clock and UTC ---------------------------------------------------------------------------------------------


def local_to_utc(local: datetime, zone: tzinfo, *, gap: Gap = "forward", fold: Fold = "first") -> datetime:
    """The instant at which the wall clock of `zone` shows `local` (naive).

    A time that the spring change skips moves forward by the length of the gap; of a time that the autumn change shows
    twice it is the first. `fail` raises RecordError in either case instead.
    """
    early, late = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    before, after = _offset(early), _offset(late)
    if before < after and gap == "fail":
        raise RecordError(f"{local.isoformat()} does not exist in {zone}: clocks skip it.", code="DST_GAP")
    if before > after and fold == "fail":
        raise RecordError(f"{local.isoformat()} exists twice in {zone}: clocks repeat it.", code="DST_FOLD")
    try:
        return (late if before > after and fold == "second" else early).astimezone(UTC)
    except OverflowError:
        raise RecordError(f"{local.isoformat()} is outside the calendar in UTC.", code="DATETIME") from None


def _offset(instant: datetime) -> timedelta:
    offset = instant.utcoffset()
    assert offset is not None
    return offset


def utc_to_local(instant: datetime, zone: tzinfo) -> datetime:
    """The wall clock of `zone` at an aware instant; RecordError at the very ends of the calendar."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        raise RecordError(f"{instant.isoformat()} is outside the calendar there.", code="DATETIME") from None


# --- periods --------------------------------------------------------------------------------------------------------


def period_of(day: date) -> str:
    """The accounting period `YYYY-MM` of a business date."""
    return f"{day.year:04d}-{day.month:02d}"


def period_bounds(period: str) -> tuple[date, date]:
    """First and last day of a period; RecordError when it is not YYYY-MM."""
    match = _PERIOD.fullmatch(period)
    if match is None or match[1] == "0000":
        raise RecordError(f"{shown(period)} is not a period.", code="PERIOD", fix="Send YYYY-MM.")
    year, month = int(match[1]), int(match[2])
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def shift_period(period: str, months: int) -> str:
    """The period `months` later (earlier when negative)."""
    first, _ = period_bounds(period)
    at = first.year * 12 + first.month - 1 + months
    return f"{at // 12:04d}-{at % 12 + 1:02d}"
