"""How values look on a page: instants, dates, durations, money, masked records. Pure functions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from hub.common.money import CURRENCY_DIGITS

MASK = "•••••"
NOTHING = "\N{EN DASH}"
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def as_instant(value: Any) -> datetime | None:
    """An aware datetime from one, or from its ISO text; None for nothing."""
    moment = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    return moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)


def as_date(value: Any) -> date | None:
    """A date from one, or from YYYY-MM-DD; None for anything else."""
    return parse_date(value[:10]) if isinstance(value, str) else value if isinstance(value, date) else None


def machine_time(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_time(moment: datetime) -> str:
    """The tooltip: the full instant in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def time_in(moment: datetime, style: str, now: datetime | None = None) -> str:
    """An instant as words: `local` in the active zone, `utc`, or `relative` to now."""
    now = now or timezone.now()
    if style == "relative":
        return ago(moment, now)
    if style == "utc":
        return f"{_clock(moment.astimezone(UTC), now.astimezone(UTC))} UTC"
    return _clock(timezone.localtime(moment), timezone.localtime(now))


def _clock(moment: datetime, now: datetime) -> str:
    """Only as much date as is needed: today 10:22, 3 Nov 10:22, 3 Nov 2025 10:22."""
    clock = moment.strftime("%H:%M")
    if moment.date() == now.date():
        return f"today {clock}"
    return f"{_day(moment, with_year=moment.year != now.year)} {clock}"


def date_text(value: date) -> str:
    """`27 Nov 2026`."""
    return _day(value, with_year=True)


def _day(value: date, *, with_year: bool) -> str:
    return f"{value.day} {value:%b}{f' {value.year}' if with_year else ''}"


def ago(moment: datetime, now: datetime) -> str:
    """`3 m ago`, `in 2 h`, in the largest whole unit."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    unit, size = next((unit, size) for unit, size in _UNITS if abs(seconds) >= size)
    amount = f"{int(abs(seconds) // size)} {unit}"
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def duration(seconds: float | timedelta | None) -> str:
    """The two largest units: `4 m 01 s`, `2 h 50 m`, `3 d 04 h`; below ten seconds one decimal, `1.4 s`."""
    if seconds is None:
        return NOTHING
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if total < 10:
        return f"{total:.1f} s"
    rest = round(total)
    position = next(index for index, (_, size) in enumerate(_UNITS) if rest >= size)
    unit, size = _UNITS[position]
    if unit == "s":
        return f"{rest} s"
    lower, lower_size = _UNITS[position + 1]
    return f"{rest // size} {unit} {rest % size // lower_size:02d} {lower}"


def money(value: Decimal | str | float | None, currency: str = "") -> str:
    """Digits in groups of three, with at least the currency's own decimals and never fewer than the value has."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return str(value)
    return f"{number:,.{max(CURRENCY_DIGITS.get(currency, 0), -exponent, 0)}f}"


def share(done: int, total: int) -> float:
    """Percent of a bar, 0 to 100; a bar with something done is never empty, one with something left never full."""
    if total <= 0 or done <= 0:
        return 0
    return 100 if done >= total else min(max(round(100 * done / total, 1), 1), 99)


def mask(value: Any, paths: frozenset[str], at: str = "") -> Any:
    """A copy in which the values at these dotted paths are replaced; list items share their list's path."""
    if at in paths and value is not None:
        return MASK
    if isinstance(value, dict):
        return {key: mask(item, paths, f"{at}.{key}" if at else str(key)) for key, item in value.items()}
    return [mask(item, paths, at) for item in value] if isinstance(value, list) else value
