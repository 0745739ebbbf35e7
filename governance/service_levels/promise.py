"""What a service level promises, and what one observation makes of it. Pure; used by measuring, back-tests and deadlines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from governance.calendars.hours import parse_span
from governance.calendars.opening import ROUND_THE_CLOCK, OpeningHours, add_business_time, business_time, wall


class Measure(StrEnum):
    LATENCY = "latency"
    FRESHNESS = "freshness"
    COMPLETENESS = "completeness"
    DURATION = "duration"
    AVAILABILITY = "availability"


class Window(StrEnum):
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class Verdict(StrEnum):
    """What one observation is. A warning still keeps the promise; RUNNING is not decided and not counted."""

    MET = "met"
    WARNED = "warned"
    BREACHED = "breached"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Promise:
    """Thresholds in seconds of business time; `due_minute` after midnight for availability; `objective` in percent."""

    measure: Measure
    warn_seconds: int = 0
    breach_seconds: int = 0
    due_minute: int = 0
    objective: Decimal = Decimal(99)
    window: Window = Window.MONTH
    hours: OpeningHours = ROUND_THE_CLOCK

    @property
    def warn(self) -> timedelta:
        return timedelta(seconds=self.warn_seconds or self.breach_seconds)

    @property
    def breach(self) -> timedelta:
        return timedelta(seconds=self.breach_seconds)


def minutes_of(text: str) -> int | None:
    """`07:30` as minutes after midnight; None when it is no time of day."""
    span = parse_span(f"{text}-24:00")
    return span[0] if span else None


def warns_at(promise: Promise, start: datetime) -> datetime:
    """When something that began at `start` and is not done becomes a warning."""
    return add_business_time(promise.hours, start, promise.warn)


def due_at(promise: Promise, start: datetime) -> datetime:
    """The last instant at which something that began at `start` is in time."""
    return add_business_time(promise.hours, start, promise.breach)


def judge(promise: Promise, start: datetime, end: datetime | None, now: datetime) -> tuple[Verdict, timedelta]:
    """The verdict on what ran from `start` to `end` (None: it still runs), and the business time that it took so far.

    What still runs is decided only by being too late.
    """
    taken = business_time(promise.hours, start, end or now)
    if taken > promise.breach:
        return Verdict.BREACHED, taken
    if end is None:
        return Verdict.RUNNING, taken
    return (Verdict.WARNED if taken > promise.warn else Verdict.MET), taken


def judge_day(promise: Promise, day: date, arrived: datetime | None, now: datetime) -> tuple[Verdict, timedelta]:
    """The verdict on one business day of an availability promise, and how late it was (negative: how early)."""
    due = wall(day, promise.due_minute, promise.hours.zone)
    late = (arrived or now) - due
    if arrived is None:
        return (Verdict.BREACHED if now > due else Verdict.RUNNING), late
    if arrived > due:
        return Verdict.BREACHED, late
    return (Verdict.WARNED if -late < timedelta(seconds=promise.warn_seconds) else Verdict.MET), late


def fresh_parts(promise: Promise, read_at: datetime, since: datetime, until: datetime) -> tuple[float, float, float]:
    """Of the business seconds from `since` to `until`, during which the newest data was that of `read_at`: how many the
    data was fresh, ageing, and too old."""
    warned = min(max(warns_at(promise, read_at), since), until)
    breached = min(max(due_at(promise, read_at), since), until)
    spans = ((since, warned), (warned, breached), (breached, until))
    fresh, ageing, old = (business_time(promise.hours, start, end).total_seconds() for start, end in spans)
    return fresh, ageing, old
