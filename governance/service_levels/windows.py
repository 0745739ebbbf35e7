"""Weeks, months and quarters as people of the calendar's time zone see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from governance.calendars.opening import wall
from governance.service_levels.promise import Window


@dataclass(frozen=True, slots=True)
class Period:
    """One window: first and last day, and the instants between which it lies (end exclusive)."""

    label: str
    first: date
    last: date
    starts_at: datetime
    ends_at: datetime


def period_at(window: Window, at: datetime, zone: tzinfo) -> Period:
    """The window in which an instant lies."""
    return _period(window, _first(window, at.astimezone(zone).date()), zone)


def periods_between(window: Window, start: datetime, end: datetime, zone: tzinfo) -> Iterator[Period]:
    """Every window that has a part of the time from `start` to `end`, oldest first."""
    period = period_at(window, start, zone)
    while period.starts_at < end:
        yield period
        period = _period(window, _next(window, period.first), zone)


def _first(window: Window, day: date) -> date:
    if window == Window.WEEK:
        return day - timedelta(days=day.weekday())
    return date(day.year, day.month if window == Window.MONTH else 3 * ((day.month - 1) // 3) + 1, 1)


def _next(window: Window, first: date) -> date:
    if window == Window.WEEK:
        return first + timedelta(days=7)
    month = first.month + (1 if window == Window.MONTH else 3)
    return date(first.year + (month > 12), (month - 1) % 12 + 1, 1)


def _period(window: Window, first: date, zone: tzinfo) -> Period:
    after = _next(window, first)
    return Period(_label(window, first), first, after - timedelta(days=1), wall(first, 0, zone), wall(after, 0, zone))


def _label(window: Window, first: date) -> str:
    if window == Window.WEEK:
        year, week, _ = first.isocalendar()
        return f"{year}-W{week:02d}"
    return f"{first:%Y-%m}" if window == Window.MONTH else f"{first.year}-Q{(first.month + 2) // 3}"
