"""Where service levels stand, read from the figures of their days: a few rows a level, however much happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.db.models import QuerySet

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure, Window, fresh_parts
from governance.service_levels.queries import said_of
from governance.service_levels.tally import Tally
from governance.service_levels.windows import Period, period_at, periods_between
from governance.service_levels.words import details, sentence
from hub.common.db import plain_cursor
from hub.common.times import business_now
from monitoring.models import ServiceLevelDay
from monitoring.service_levels.rollups import readings

# Under so many events a percentage says little: counts are shown instead.
FEW = 50
MONTHS = 12
# How fast the error budget is used up: 1 uses all of it in exactly one window.
SPANS = {"5 m": timedelta(minutes=5), "1 h": timedelta(hours=1), "6 h": timedelta(hours=6), "3 d": timedelta(days=3)}
PAGE_BURN = Decimal("14.4")


@dataclass(slots=True)
class Standing:
    """A service level in its running window, from the figures of its days; `excluded` does not count."""

    level: ServiceLevel
    period: Period
    tally: Tally = field(default_factory=Tally)
    excluded: float = 0
    counted_since: date | None = None

    @property
    def sentence(self) -> str:
        return sentence(said_of(self.level))

    @property
    def details(self) -> list[str]:
        return details(said_of(self.level))

    @property
    def unit(self) -> str:
        return unit_of(self.level)

    @property
    def is_few(self) -> bool:
        """Too few events for a percentage; a share of the time is none of events."""
        return self.unit == "records" and 0 < self.tally.total < FEW

    @property
    def attained(self) -> Decimal | None:
        return self.tally.attained

    @property
    def budget_left(self) -> Decimal | None:
        return self.tally.budget_left(self.level.objective_percent)

    @property
    def state(self) -> str:
        return self.tally.state(self.level.objective_percent)

    @property
    def counted(self) -> str:
        """ "148 of 150 in time"; hours for freshness."""
        return counted(self.tally, self.unit)


def unit_of(level: ServiceLevel) -> str:
    """What is counted."""
    return {Measure.FRESHNESS: "seconds", Measure.AVAILABILITY: "days"}.get(Measure(level.measure), "records")


def counted(tally: Tally, unit: str) -> str:
    if not tally.total:
        return "nothing decided yet"
    kept, total = tally.met + tally.warned, tally.total
    if unit == "seconds":
        return f"{kept / 3600:,.1f} of {total / 3600:,.1f} hours fresh"
    return f"{kept:,.0f} of {total:,.0f} {unit} in time"


def standing(levels: Iterable[ServiceLevel]) -> list[Standing]:
    """Every level in its running window; one query for all of them."""
    found = {level.pk: Standing(level, _running(level)) for level in levels}
    if not found:
        return []
    earliest = min(each.period.first for each in found.values())
    for day in ServiceLevelDay.objects.filter(service_level__in=list(found), day__gte=earliest):
        each = found[day.service_level_id]
        if day.day >= each.period.first:
            each.tally += tally_of(day)
            each.excluded += day.excluded
    return list(found.values())


def _running(level: ServiceLevel) -> Period:
    promise = level.promise
    return period_at(promise.window, business_now(), promise.hours.zone)


def tally_of(day: ServiceLevelDay) -> Tally:
    return Tally(day.met, day.warned, day.breached, day.running)


@dataclass(slots=True)
class Month:
    """The figures of one month of a level."""

    level: ServiceLevel
    period: Period
    tally: Tally = field(default_factory=Tally)

    @property
    def attained(self) -> Decimal | None:
        return self.tally.attained

    @property
    def is_few(self) -> bool:
        return unit_of(self.level) == "records" and 0 < self.tally.total < FEW

    @property
    def kept(self) -> int:
        return round(self.tally.met + self.tally.warned)

    @property
    def breached(self) -> int:
        return round(self.tally.breached)

    @property
    def total(self) -> int:
        return round(self.tally.total)

    @property
    def percent(self) -> str:
        return f"{self.attained} %"

    @property
    def state(self) -> str:
        return self.tally.state(self.level.objective_percent)


def months_of(level: ServiceLevel, *, months: int = MONTHS) -> list[Month]:
    """Attainment by month, oldest first; months before the first figure are left out."""
    zone, now = level.promise.hours.zone, business_now()
    rows = days_of(level, (now - timedelta(days=31 * months)).astimezone(zone).date().replace(day=1))
    if not rows:
        return []
    start = datetime.combine(rows[0].day, datetime.min.time(), UTC)
    found = [Month(level, period) for period in periods_between(Window.MONTH, start, now, zone)]
    for month in found:
        parts = (tally_of(row) for row in rows if month.period.first <= row.day <= month.period.last)
        month.tally = sum(parts, Tally())
    return found


def days_of(level: ServiceLevel, since: date) -> list[ServiceLevelDay]:
    rows: QuerySet[ServiceLevelDay] = level.days.filter(day__gte=since)
    return list(rows.order_by("day"))


# Burn --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Burn:
    """What was decided in the last `label`: how many times faster than allowed the budget is used. None: nothing decided."""

    label: str
    decided: int
    breached: int
    rate: Decimal | None

    @property
    def state(self) -> str:
        if self.rate is None:
            return "no_data"
        return "breached" if self.rate >= PAGE_BURN else "at_risk" if self.rate > 1 else "met"

    @property
    def words(self) -> str:
        return f"{self.rate} ×"


def burns(level: ServiceLevel) -> list[Burn]:
    """By when it was decided, for records and days; freshness burns by the clock, in seconds."""
    now = business_now()
    if level.measure == Measure.FRESHNESS:
        return [_burn_of_time(level, label, now - span, now) for label, span in SPANS.items()]
    columns = ", ".join(
        f"count(*) filter (where decided_at >= %(s{n})s),"
        f" count(*) filter (where decided_at >= %(s{n})s and breached_at is not null)"
        for n in range(len(SPANS))
    )
    asked: dict[str, Any] = {f"s{n}": now - span for n, span in enumerate(SPANS.values())}
    with plain_cursor() as cursor:
        row: Sequence[int] = (
            cursor.execute(
                f"select {columns} from monitoring_expectation where service_level_id = %(level)s"
                " and decided_at >= %(first)s and decided_at <= %(now)s",
                {**asked, "level": level.pk, "first": now - max(SPANS.values()), "now": now},
            ).fetchone()
            or ()
        )
    pairs = zip(row[::2], row[1::2], strict=True)
    return [_burn(level, label, *pair) for label, pair in zip(SPANS, pairs, strict=True)]


def _burn_of_time(level: ServiceLevel, label: str, since: datetime, now: datetime) -> Burn:
    total = old = 0.0
    for read_at, low, high in readings(level, since, now):
        start, end = max(low, since), min(high, now)
        if start < end:
            parts = fresh_parts(level.promise, read_at, start, end)
            total, old = total + sum(parts), old + parts[2]
    return _burn(level, label, round(total), round(old))


def _burn(level: ServiceLevel, label: str, decided: int, breached: int) -> Burn:
    allowed = (100 - Decimal(level.objective_percent)) / 100
    if not decided:
        return Burn(label, 0, 0, None)
    share = Decimal(breached) / decided
    rate = share / allowed if allowed else Decimal(999 if breached else 0)
    return Burn(label, decided, breached, rate.quantize(Decimal("0.1"), ROUND_DOWN))


def burn_down(level: ServiceLevel, period: Period) -> list[tuple[date, Decimal]]:
    """(day, percent of the window's error budget left), held against all that was decided in the window so far."""
    by_day: dict[date, Tally] = defaultdict(Tally)
    for row in days_of(level, period.first):
        by_day[row.day] += tally_of(row)
    total = sum(tally.total for tally in by_day.values())
    allowed = Decimal(str(total)) * (100 - Decimal(level.objective_percent)) / 100
    spent, points = Decimal(0), []
    for day in sorted(by_day):
        spent += Decimal(str(by_day[day].breached))
        left = 100 * (1 - spent / allowed) if allowed else Decimal(0 if spent else 100)
        points.append((day, left.quantize(Decimal("0.1"), ROUND_DOWN)))
    return points
