"""Whether a legal entity may go one step further. What is missing is said in a sentence; nobody can override it.

A day counts when something was compared on it and no difference is left unexplained. Saturdays and Sundays on which nothing was
compared are passed over; any other day without a comparison, or with an unexplained difference, begins the count anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from governance.models import Firm
from hub.common.db import plain_cursor
from hub.common.times import business_today
from hub.cutover import moving
from hub.cutover.models import CutoverRoute, ShadowDay, State

SATURDAY = 5
LOOK_BACK_DAYS = 200


def today() -> date:
    """The firm's day."""
    firm = Firm.objects.first()
    return business_today(firm.time_zone if firm else "UTC")


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the strip. `state` is a word of hub.common.states."""

    day: date
    compared: int = 0
    different: int = 0
    unexplained: int = 0

    @property
    def counts(self) -> bool:
        return self.compared > 0 and self.unexplained == 0

    @property
    def is_passed_over(self) -> bool:
        return self.compared == 0 and self.unexplained == 0 and self.day.weekday() >= SATURDAY

    @property
    def state(self) -> str:
        if self.unexplained:
            return "fail"
        return "muted" if not self.compared else "explained" if self.different else "equal"

    @property
    def words(self) -> str:
        if not self.compared and not self.unexplained:
            return "nothing compared"
        return f"{self.compared:,} compared, {self.different:,} different, {self.unexplained:,} unexplained"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the gate is open; `clean` of `needed` days in a row, `reasons` in sentences."""

    is_open: bool
    clean: int
    needed: int
    reasons: tuple[str, ...] = ()


def days_of(route: CutoverRoute, number: int) -> list[Day]:
    """The last days, the oldest first, today last; days without a row are empty ones."""
    last = today()
    first = last - timedelta(days=number - 1)
    rows = ShadowDay.objects.filter(cutover=route.cutover, legal_entity=route.legal_entity, day__range=(first, last))
    known = {row.day: Day(row.day, row.compared, row.different, row.unexplained) for row in rows}
    return [known.get(day) or Day(day) for day in (first + timedelta(days=n) for n in range(number))]


def judge(route: CutoverRoute) -> Verdict:
    """For the next step of the route."""
    after = route.next
    if after is None:
        return Verdict(False, 0, 0, ("It is retired: there is no further step.",))
    if after == State.RETIRED:
        return _judge_retiring(route)
    return _judge_days(route) if after in (State.DUAL, State.NEW) else Verdict(True, 0, 0)


def _judge_retiring(route: CutoverRoute) -> Verdict:
    with plain_cursor() as cursor:
        left = moving.unfinished(cursor, route, route.cutover.legacy)
    said = f"{left:,} deliveries to the legacy side are not finished: settle or discard them at its sync."
    return Verdict(not left, 0, 0, (said,) if left else ())


def _judge_days(route: CutoverRoute) -> Verdict:
    needed = route.cutover.days_needed
    days = days_of(route, LOOK_BACK_DAYS)
    if not days[-1].compared and not days[-1].unexplained:
        days.pop()  # today is not over
    clean, broken = _clean(days)
    if clean >= needed:
        return Verdict(True, clean, needed)
    return Verdict(False, clean, needed, (_said(clean, needed), *_why(broken)))


def _clean(days: list[Day]) -> tuple[int, Day | None]:
    """Days that count in a row, the newest first, and the day before them that does not."""
    clean = 0
    for day in reversed(days):
        if day.is_passed_over:
            continue
        if not day.counts:
            return clean, day
        clean += 1
    return clean, None


def _said(clean: int, needed: int) -> str:
    more = needed - clean
    return f"{clean} of {needed} days in a row are clean; {more} more {'is' if more == 1 else 'are'} needed."


def _why(broken: Day | None) -> tuple[str, ...]:
    if broken is None:
        return ()
    if broken.unexplained:
        records = "1 record has" if broken.unexplained == 1 else f"{broken.unexplained:,} records have"
        return (f"On {broken.day.isoformat()} {records} unexplained differences.",)
    return (f"On {broken.day.isoformat()} nothing was compared.",)
