"""Conversions of dates, instants and periods. Business dates never shift unless a rule names the zone to shift by."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from hub.common.errors import RecordError
from hub.common.money import EXACT, shown
from hub.common.times import Fold, Gap, parse_datetime, period_bounds
from hub.common.times import local_to_utc as instant_of
from hub.common.times import parse_date as parse_iso_date
from hub.common.times import period_of as period_of_date
from hub.common.times import utc_to_local as wall_clock
from mappings.convert import is_blank, to_text
from mappings.functions.pictures import print_picture, read_picture
from mappings.functions.registry import Arg, function

_PICTURE = Arg("picture", "picture", "YYYY YY MMM MM M DD D HH H hh h mm ss A; other characters stand for themselves.")
_ZONE = Arg("zone", "time_zone", "Time zone; empty = the connection's.", "")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ODATA = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)


# --- dates ----------------------------------------------------------------------------------------------------------


@function(
    "dates",
    "Reads 20260331, as number or text; 0 and blanks are null.",
    takes="any",
    gives="date",
    inverse="date_to_yyyymmdd",
)
def yyyymmdd_to_date(value: Any) -> date | None:
    text = (to_text(value) or "").strip()
    if not text.strip("0"):
        return None
    return parse_iso_date(f"{text[:4]}-{text[4:6]}-{text[6:]}")


@function("dates", "Writes 20260331; the type integer makes it a number.", takes="date", inverse="yyyymmdd_to_date")
def date_to_yyyymmdd(value: date) -> str:
    return value.isoformat().replace("-", "")


@function(
    "dates",
    "Reads a date in a declared notation, such as DD.MM.YYYY.",
    gives="date",
    args=(_PICTURE,),
    inverse="format_date",
)
def parse_date(value: str, *, picture: str) -> date | None:
    return read_picture(value, picture).date() if value.strip() else None


@function(
    "dates",
    "Writes a date in a declared notation, such as DD.MM.YYYY.",
    takes="date",
    args=(_PICTURE,),
    inverse="parse_date",
)
def format_date(value: date, *, picture: str) -> str:
    return print_picture(datetime(value.year, value.month, value.day), picture)


@function("dates", "Takes the date as it is written and drops the time: nothing shifts.", takes="any", gives="date")
def date_part(value: Any) -> date | None:
    if is_blank(value):
        return None
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else parse_iso_date((to_text(value) or "").strip()[:10])


@function(
    "dates",
    "Adds days; a negative number goes back.",
    takes="date",
    gives="date",
    args=(Arg("days", "number", "How many days."),),
)
def add_days(value: date, *, days: Decimal) -> date:
    try:
        return value + timedelta(days=int(days))
    except OverflowError:
        raise RecordError(f"{value} plus {days} days is outside the calendar.", code="DATE") from None


@function("dates", "The period YYYY-MM of a date.", takes="date")
def period_of(value: date) -> str:
    return period_of_date(value)


@function("dates", "The first day of a period YYYY-MM.", gives="date")
def period_start(value: str) -> date:
    return period_bounds(value.strip())[0]


@function("dates", "The last day of a period YYYY-MM.", gives="date")
def period_end(value: str) -> date:
    return period_bounds(value.strip())[1]


# --- instants -------------------------------------------------------------------------------------------------------


@function(
    "instants",
    "Wall-clock time to UTC. A time with an offset keeps it.",
    takes="any",
    gives="instant",
    args=(
        _ZONE,
        Arg("gap", "choice", "A time that the spring change skips.", "forward", ("forward", "fail")),
        Arg("fold", "choice", "A time that the autumn change repeats.", "first", ("first", "second", "fail")),
    ),
    inverse="utc_to_local",
)
def local_to_utc(value: Any, *, zone: tzinfo, gap: Gap, fold: Fold) -> datetime | None:
    if is_blank(value):
        return None
    local = parse_datetime(value.strip()) if isinstance(value, str) else value
    if not isinstance(local, datetime):
        raise RecordError(f"{shown(value)} is not a date and time.", code="DATETIME")
    return local.astimezone(UTC) if local.tzinfo else instant_of(local, zone, gap=gap, fold=fold)


@function(
    "instants",
    "UTC to wall-clock time without an offset, such as 2026-03-31T09:30:00; use it with the type string.",
    takes="instant",
    args=(_ZONE,),
    inverse="local_to_utc",
)
def utc_to_local(value: datetime, *, zone: tzinfo) -> str:
    return wall_clock(value, zone).replace(tzinfo=None).isoformat()


@function("instants", "The calendar date at an instant, in a time zone.", takes="instant", gives="date", args=(_ZONE,))
def utc_to_local_date(value: datetime, *, zone: tzinfo) -> date:
    return wall_clock(value, zone).date()


@function(
    "instants",
    "Reads date and time in a declared notation, as wall-clock time.",
    gives="instant",
    args=(_PICTURE, _ZONE),
    inverse="format_datetime",
)
def parse_datetime_(value: str, *, picture: str, zone: tzinfo) -> datetime | None:
    return instant_of(read_picture(value, picture), zone) if value.strip() else None


@function(
    "instants",
    "Writes an instant as wall-clock time in a declared notation.",
    takes="instant",
    args=(_PICTURE, _ZONE),
    inverse="parse_datetime",
)
def format_datetime(value: datetime, *, picture: str, zone: tzinfo) -> str:
    return print_picture(wall_clock(value, zone), picture)


@function(
    "instants",
    "Seconds since 1970 to an instant; fractions count.",
    takes="number",
    gives="instant",
    inverse="utc_to_epoch_seconds",
)
def epoch_seconds_to_utc(value: Decimal) -> datetime:
    return _since_epoch(EXACT.scaleb(value, Decimal(6)), value)


@function(
    "instants", "An instant to seconds since 1970.", takes="instant", gives="number", inverse="epoch_seconds_to_utc"
)
def utc_to_epoch_seconds(value: datetime) -> Decimal:
    return _trimmed(_microseconds(value).scaleb(-6))


@function(
    "instants", "Milliseconds since 1970 to an instant.", takes="number", gives="instant", inverse="utc_to_epoch_ms"
)
def epoch_ms_to_utc(value: Decimal) -> datetime:
    return _since_epoch(EXACT.scaleb(value, Decimal(3)), value)


@function(
    "instants", "An instant to milliseconds since 1970.", takes="instant", gives="number", inverse="epoch_ms_to_utc"
)
def utc_to_epoch_ms(value: datetime) -> Decimal:
    return _trimmed(_microseconds(value).scaleb(-3))


@function(
    "instants",
    "Reads /Date(1774949400000)/, as older OData services send instants.",
    gives="instant",
    inverse="utc_to_odata",
)
def odata_to_utc(value: str) -> datetime | None:
    if not (text := value.strip()):
        return None
    if not (match := _ODATA.fullmatch(text)):
        raise RecordError(f"{shown(value)} is not a time such as /Date(1774949400000)/.", code="DATETIME")
    return epoch_ms_to_utc(Decimal(match[1]))


@function(
    "instants",
    "Writes /Date(1774949400000)/; digits below a millisecond are cut.",
    takes="instant",
    inverse="odata_to_utc",
)
def utc_to_odata(value: datetime) -> str:
    return f"/Date({(value - _EPOCH) // timedelta(milliseconds=1)})/"


def _since_epoch(microseconds: Decimal, value: Decimal) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise RecordError(f"{shown(str(value))} is outside the calendar.", code="DATETIME") from None


def _microseconds(instant: datetime) -> Decimal:
    return Decimal((instant - _EPOCH) // timedelta(microseconds=1))


def _trimmed(number: Decimal) -> Decimal:
    """Without a fraction of zeros: whole seconds print as whole numbers."""
    whole = number.to_integral_value()
    return whole if whole == number else number.normalize()
