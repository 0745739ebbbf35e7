"""The days that a term is taken over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from governance.models import Term
from hub.common.times import business_today, period_bounds, period_of, shift_period

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day, both included."""

    start: date
    end: date

    def __str__(self) -> str:
        return f"{self.start.isoformat()} to {self.end.isoformat()}"


def span_of(period: str, today: date | None = None) -> Span | None:
    """The days of `month`, `last_month`, …; None for all time. Weeks begin on Monday."""
    today = today or business_today()
    if period == Term.Period.ALL:
        return None
    name, back = period.removeprefix("last_"), int(period.startswith("last_"))
    if name == "week":
        monday = today - timedelta(days=today.weekday() + 7 * back)
        return Span(monday, monday + timedelta(days=6))
    return _months(today, _MONTHS[name], back)


def _months(today: date, months: int, back: int) -> Span:
    first = today.replace(month=(today.month - 1) // months * months + 1, day=1)
    begin = shift_period(period_of(first), -months * back)
    return Span(period_bounds(begin)[0], period_bounds(shift_period(begin, months - 1))[1])
