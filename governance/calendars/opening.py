"""Business time: how much of it lies between two instants, and where so much of it ends.

An opening is a stretch of real time: a span of the wall clock across a spring change is an hour shorter, across an autumn
change an hour longer. A time that the clock shows twice is the first, one that it skips is the moment of the change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from governance.calendars.holidays import Holidays
from governance.calendars.hours import ALWAYS, Week
from hub.common.errors import ConfigError

# A calendar that does not open for this long is written wrong, and is not walked for ever.
MOST_CLOSED_DAYS = 1_500
NOTHING = timedelta(0)

Opening = tuple[datetime, datetime]


@dataclass(frozen=True)
class OpeningHours:
    """A calendar as the functions below ask it: a zone, a week, and the days on which nobody works."""

    zone: tzinfo = UTC
    week: Week = ALWAYS
    holidays: Holidays = field(default_factory=Holidays)
    _days: dict[date, tuple[Opening, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_always(self) -> bool:
        return self.week == ALWAYS and self.holidays == Holidays()

    def openings(self, day: date) -> tuple[Opening, ...]:
        """When the firm works on a local day, in UTC and in order; empty openings are left out."""
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._openings(day)
        return found

    def _openings(self, day: date) -> tuple[Opening, ...]:
        if day in self.holidays:
            return ()
        spans = [(wall(day, start, self.zone), wall(day, end, self.zone)) for start, end in self.week[day.weekday()]]
        return tuple((start, end) for start, end in spans if start < end)


ROUND_THE_CLOCK = OpeningHours()


def wall(day: date, minute: int, zone: tzinfo) -> datetime:
    """The instant at which the wall clock of a zone reaches so many minutes after midnight. Never runs backwards."""
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # A skipped time: with the clock of before it lies after the change, with the clock of after it before it.
    return first if first <= second else _change(second, first, zone)


def _change(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The moment between two instants at which the zone's clock changes, to the second."""
    after = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle in (low, high):
            break
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def add_business_time(hours: OpeningHours, start: datetime, wanted: timedelta) -> datetime:
    """The first instant by which so much business time has passed since `start`; `start` itself for none.

    ConfigError when the calendar stays closed for years.
    """
    if wanted <= NOTHING:
        return start
    day, closed = _day(hours, start), 0
    while closed < MOST_CLOSED_DAYS:
        before = wanted
        for opens, closes in hours.openings(day):
            here = closes - max(opens, start)
            if here >= wanted:
                return max(opens, start) + wanted
            wanted -= max(here, NOTHING)
        closed = 0 if wanted < before else closed + 1
        day += timedelta(days=1)
    raise _never_opens()


def business_time(hours: OpeningHours, start: datetime, end: datetime) -> timedelta:
    """The business time between two instants; none when the end is not after the start."""
    if end <= start:
        return NOTHING
    if hours.is_always:
        return end - start
    day, last, total = _day(hours, start), _day(hours, end), NOTHING
    while day <= last:
        for opens, closes in hours.openings(day):
            total += max(min(closes, end) - max(opens, start), NOTHING)
        day += timedelta(days=1)
    return total


def business_seconds(hours: OpeningHours, start: datetime, end: datetime) -> float:
    return business_time(hours, start, end).total_seconds()


def is_open(hours: OpeningHours, at: datetime) -> bool:
    return any(opens <= at < closes for opens, closes in hours.openings(_day(hours, at)))


def next_open(hours: OpeningHours, at: datetime) -> datetime:
    """The first instant from `at` on at which the firm works; `at` itself when it does then. ConfigError as above."""
    day = _day(hours, at)
    for _ in range(MOST_CLOSED_DAYS):
        for opens, closes in hours.openings(day):
            if at < closes:
                return max(opens, at)
        day += timedelta(days=1)
    raise _never_opens()


def is_business_day(hours: OpeningHours, day: date) -> bool:
    return bool(hours.openings(day))


def _day(hours: OpeningHours, at: datetime) -> date:
    return at.astimezone(hours.zone).date()


def _never_opens() -> ConfigError:
    return ConfigError(
        f"The business calendar does not open on any of {MOST_CLOSED_DAYS} days.",
        fix="Give it hours on at least one day of the week, and look at its holidays.",
        code="NEVER_OPEN",
    )
