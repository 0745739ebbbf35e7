"""What was attained of a promise between two instants: by period, with the worst, and with what is not known."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from governance.calendars.opening import is_business_day, wall
from governance.models import ServiceLevel
from governance.service_levels.promise import Measure, Promise, Verdict, Window, fresh_parts, judge, judge_day
from governance.service_levels.tally import Tally
from governance.service_levels.windows import Period, period_at, periods_between
from hub.common.times import business_now
from hub.sync.models import Run, Sync
from hub.sync.states import RunStatus
from monitoring.service_levels import observing
from monitoring.service_levels.observing import Judged, Sample
from monitoring.service_levels.scope import Scope, scope_of

WORST = 10
_OBSERVERS = {
    Measure.LATENCY: observing.latency,
    Measure.COMPLETENESS: observing.completeness,
    Measure.DURATION: observing.durations,
}


@dataclass(slots=True)
class Measurement:
    """The tally of all, of each period, and the worst observations, slowest first.

    `step`: one record of so many was looked at. `began_at`: the first run of a sync that this is about; None without one.
    """

    level: ServiceLevel
    since: datetime
    until: datetime
    tally: Tally = field(default_factory=Tally)
    periods: list[tuple[Period, Tally]] = field(default_factory=list)
    worst: list[Judged] = field(default_factory=list)
    step: int = 1
    began_at: datetime | None = None

    @property
    def has_history(self) -> bool:
        return bool(self.tally.total or self.tally.running)

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
    def unit(self) -> str:
        """What is counted."""
        return {Measure.FRESHNESS: "seconds", Measure.AVAILABILITY: "days"}.get(Measure(self.level.measure), "records")


def measure_now(level: ServiceLevel) -> tuple[Period, Measurement]:
    """The running window, and what was attained in it so far."""
    promise, now = level.promise, business_now()
    period = period_at(promise.window, now, promise.hours.zone)
    return period, measure(level, since=period.starts_at, until=now, by=promise.window)


def measure(level: ServiceLevel, *, since: datetime, until: datetime, by: Window = Window.MONTH) -> Measurement:
    """Hold what began between two instants against the promise. Works on a level that is not saved as well.

    Raises ConfigError when there is more history than can be read in a bounded time.
    """
    promise, scope = level.promise, scope_of(level)
    found = Measurement(level, since, until, began_at=scope.began_at)
    found.periods = [(period, Tally()) for period in periods_between(by, since, until, promise.hours.zone)]
    match promise.measure:
        case Measure.FRESHNESS:
            _freshness(found, promise, scope)
        case Measure.AVAILABILITY:
            _judge_all(found, _days(promise, scope, since, until))
        case kind:
            sample = _OBSERVERS[kind](scope, level.condition, since, until)
            found.step = sample.step
            _judge_all(found, _records(promise, sample, until))
    found.tally = sum((tally for _, tally in found.periods), Tally())
    return found


def _judge_all(found: Measurement, judged: Iterable[Judged]) -> None:
    decided = []
    for one in judged:
        _tally_at(found, one.start).add(one.verdict)
        if one.verdict != Verdict.RUNNING:
            decided.append(one)
    found.worst = heapq.nlargest(WORST, decided, key=lambda one: (one.verdict == Verdict.BREACHED, one.taken))


def _tally_at(found: Measurement, at: datetime) -> Tally:
    return next((tally for period, tally in found.periods if period.starts_at <= at < period.ends_at), Tally())


def _records(promise: Promise, sample: Sample, now: datetime) -> Iterable[Judged]:
    for span in sample.spans:
        verdict, taken = judge(promise, span.start, span.end, now)
        yield Judged(span.start, span.end, verdict, taken, span.key, span.record_id, span.cause_id)


# By runs -----------------------------------------------------------------------------------------------------
def _runs(sync_id: int, until: datetime, since: datetime) -> list[tuple[datetime, datetime]]:
    """(started, finished) of the runs that asked the other side and went through cleanly, the last one before `since`
    first."""
    went = Run.objects.filter(sync=sync_id, status=RunStatus.SUCCEEDED, finished_at__lt=until, started_at__isnull=False)
    went = went.exclude(trigger__in=[*Run.NARROW, Run.Trigger.BACKFILL])
    before = went.filter(finished_at__lt=since).order_by("-finished_at").values_list("started_at", "finished_at")[:1]
    later = went.filter(finished_at__gte=since).order_by("finished_at").values_list("started_at", "finished_at")
    return [(start, end) for start, end in (*before, *later) if start and end]


def _freshness(found: Measurement, promise: Promise, scope: Scope) -> None:
    """The time between two runs belongs to the data of the first: fresh, then ageing, then too old."""
    gaps: list[Judged] = []
    for sync_id, name in Sync.objects.filter(pk__in=scope.ins).values_list("pk", "name"):
        runs = _runs(sync_id, found.until, found.since)
        ends = [finished for _, finished in runs[1:]] + [found.until]
        for (read_at, finished), end in zip(runs, ends, strict=True):
            _share_out(found, promise, read_at, max(finished, found.since), end)
            verdict, age = judge(promise, read_at, end, end)
            gaps.append(Judged(read_at, end, verdict, age, name))
    found.worst = heapq.nlargest(WORST, gaps, key=lambda one: one.taken)


def _share_out(found: Measurement, promise: Promise, read_at: datetime, start: datetime, end: datetime) -> None:
    for period, tally in found.periods:
        since, until = max(start, period.starts_at), min(end, period.ends_at)
        if since < until:
            fresh, ageing, old = fresh_parts(promise, read_at, since, until)
            tally.met, tally.warned, tally.breached = tally.met + fresh, tally.warned + ageing, tally.breached + old


def _days(promise: Promise, scope: Scope, since: datetime, until: datetime) -> Iterable[Judged]:
    """Each business day: the first clean run since midnight of every sync that this is about, all of them."""
    syncs = scope.ins if scope.has_source else scope.outs
    zone, hours = promise.hours.zone, promise.hours
    runs = {sync_id: _runs(sync_id, until, since) for sync_id in syncs}
    first = min((finished for each in runs.values() for _, finished in each), default=None)
    if first is None:
        return
    day = max(first, since).astimezone(zone).date()
    while (midnight := wall(day, 0, zone)) < until:
        if midnight >= since and is_business_day(hours, day):
            next_midnight = wall(day + timedelta(days=1), 0, zone)
            arrived = [_first_between(each, midnight, next_midnight) for each in runs.values()]
            done = [at for at in arrived if at is not None]
            at = max(done) if len(done) == len(arrived) else None
            verdict, late = judge_day(promise, day, at, min(until, next_midnight))
            yield Judged(midnight, at, verdict, late, day.isoformat())
        day += timedelta(days=1)


def _first_between(runs: Iterable[tuple[datetime, datetime]], start: datetime, end: datetime) -> datetime | None:
    return next((finished for began, finished in runs if start <= began and finished < end), None)
