"""When something that began is late, and when it is nearly so: one computation for all that began at the same instant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from governance.calendars.opening import add_business_time, wall
from governance.models import ServiceLevel
from governance.service_levels.promise import Measure, Promise, due_at

# Of the time that a promise gives, where the service level names no warning of its own.
WARN_SHARE = 0.8


class Deadline(NamedTuple):
    warn_at: datetime
    due_at: datetime


@dataclass(slots=True)
class Terms:
    """The deadlines of one service level. `digest` changes with everything that they depend on."""

    promise: Promise
    zone: str
    digest: str
    _known: dict[datetime, Deadline] = field(default_factory=dict)

    def deadline(self, start: datetime) -> Deadline:
        """Of what began at an instant; rows of one page share theirs, so it is computed once for all of them."""
        found = self._known.get(start)
        if found is None:
            found = self._known[start] = Deadline(self._warns_at(start), due_at(self.promise, start))
        return found

    def deadlines(self, starts: Iterable[datetime]) -> list[tuple[datetime, datetime, datetime]]:
        return [(start, *self.deadline(start)) for start in starts]

    def of_day(self, day: date) -> Deadline:
        """Of a day by which data has to be there (time of availability)."""
        due = wall(day, self.promise.due_minute, self.promise.hours.zone)
        midnight = wall(day, 0, self.promise.hours.zone)
        ahead = timedelta(seconds=self.promise.warn_seconds) or (due - midnight) * (1 - WARN_SHARE)
        return Deadline(max(midnight, due - ahead), due)

    def _warns_at(self, start: datetime) -> datetime:
        seconds = self.promise.warn_seconds or round(self.promise.breach_seconds * WARN_SHARE)
        return add_business_time(self.promise.hours, start, timedelta(seconds=seconds))


def terms_of(level: ServiceLevel) -> Terms:
    """Raises ConfigError later, in `deadline`, where the calendar never opens."""
    zone = level.calendar.time_zone if level.calendar else "UTC"
    return Terms(level.promise, zone, _digest(level, zone))


def _digest(level: ServiceLevel, zone: str) -> str:
    hours = level.promise.hours
    said = [level.measure, level.warn_seconds, level.breach_seconds, level.due_time, zone, repr(hours.week)]
    holidays = [[each.week, each.holidays] for each in level.calendar.line] if level.calendar else []
    text = json.dumps([*said, holidays], default=str, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def is_of_records(level: ServiceLevel) -> bool:
    """Whether records are expected, and not runs of syncs."""
    return level.measure in (Measure.LATENCY, Measure.COMPLETENESS, Measure.DURATION)
