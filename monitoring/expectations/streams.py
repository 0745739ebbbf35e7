"""Expectations of runs: data is read again before it is too old (freshness), or is there by a time of day (availability)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from governance.calendars.opening import is_business_day, wall
from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from hub.sync.models import Run, Sync
from hub.sync.states import RunStatus
from monitoring.expectations.telling import Changed
from monitoring.expectations.terms import Deadline, Terms
from monitoring.models import Expectation, ExpectationPosition
from monitoring.service_levels.scope import Scope

State = Expectation.State


@dataclass(frozen=True, slots=True)
class Follower:
    """What one advance of a service level over runs works with."""

    level: ServiceLevel
    terms: Terms
    position: ExpectationPosition
    now: datetime

    def rows_of(self, sync: Sync) -> QuerySet[Expectation]:
        return Expectation.objects.filter(service_level=self.level, subject_id=sync.pk)

    def row(self, sync: Sync, cause_id: int, opened_at: datetime, deadline: Deadline) -> Expectation:
        return Expectation(
            service_level=self.level,
            domain_id=self.level.domain_id,
            entity_id=sync.mapping.entity_id,
            system_id=sync.stream.connection.system_id,
            sync_id=sync.pk,
            subject_id=sync.pk,
            cause_id=cause_id,
            key=sync.slug,
            opened_at=opened_at,
            warn_at=deadline.warn_at,
            due_at=deadline.due_at,
        )


def follow(
    level: ServiceLevel, scope: Scope, terms: Terms, position: ExpectationPosition, now: datetime
) -> tuple[int, Changed]:
    """Open and close what runs have begun and fulfilled; (how many are new, what changed)."""
    follower = Follower(level, terms, position, now)
    is_fresh = level.measure == Measure.FRESHNESS
    ids = scope.ins if is_fresh or scope.has_source else scope.outs
    syncs = Sync.objects.filter(pk__in=ids).select_related("mapping__stream__connection")
    opened, changed = 0, _give_up(level, ids)
    for sync in syncs:
        made, closed = (_readings if is_fresh else _days)(follower, sync)
        Expectation.objects.bulk_create(made, batch_size=500, ignore_conflicts=True)
        _save(closed)
        opened += len(made)
        zone = level.promise.hours.zone
        done = [row for row in (*made, *closed) if row.arrived_at]
        changed += Changed(
            [row.pk for row in done if row.pk], {row.opened_at.astimezone(zone).date() for row in (*made, *closed)}
        )
    return opened, changed


def _give_up(level: ServiceLevel, sync_ids: list[int]) -> Changed:
    """Nothing is expected of a sync that is gone, or that the level is not about any more."""
    rows = Expectation.objects.filter(service_level=level, state__in=Expectation.UNFINISHED)
    gone = dict(rows.exclude(subject_id__in=sync_ids).values_list("pk", "opened_at"))
    Expectation.objects.filter(pk__in=list(gone)).update(state=State.CANCELLED, note=Expectation.Note.UNASKED)
    zone = level.promise.hours.zone
    return Changed(days={opened_at.astimezone(zone).date() for opened_at in gone.values()})


def clean_runs(sync: Sync) -> QuerySet[Run]:
    """Runs that asked the other side and went through cleanly; a run with errors does not make data fresh."""
    went = Run.objects.filter(
        sync=sync, status=RunStatus.SUCCEEDED, started_at__isnull=False, finished_at__isnull=False
    )
    return went.exclude(trigger__in=[*Run.NARROW, Run.Trigger.BACKFILL]).order_by("finished_at", "pk")


def arrive(row: Expectation, at: datetime) -> None:
    """Close a row in memory."""
    row.arrived_at, row.decided_at = at, min(at, row.due_at)
    row.state = State.MET if at <= row.due_at else State.MET_LATE
    row.breached_at = None if at <= row.due_at else row.breached_at or at


def _save(rows: Iterable[Expectation]) -> None:
    Expectation.objects.bulk_update(rows, ["state", "arrived_at", "decided_at", "breached_at"], batch_size=500)


# Freshness ---------------------------------------------------------------------------------------------------
def _readings(follower: Follower, sync: Sync) -> tuple[list[Expectation], list[Expectation]]:
    """One row for each reading, that the next one comes in time: its clock runs from when the data was read."""
    current = follower.rows_of(sync).filter(state__in=Expectation.UNFINISHED).order_by("-opened_at", "-pk").first()
    made: list[Expectation] = []
    closed: list[Expectation] = []
    if current is None:
        made.append(_first_reading(follower, sync))
    last = current or made[0]
    for run in clean_runs(sync).filter(finished_at__gt=last.opened_at).exclude(pk=last.cause_id):
        assert run.started_at is not None
        assert run.finished_at is not None
        arrive(last, run.finished_at)
        if last.pk:
            closed.append(last)
        last = follower.row(sync, run.pk, run.started_at, follower.terms.deadline(run.started_at))
        made.append(last)
    return made, closed


def _first_reading(follower: Follower, sync: Sync) -> Expectation:
    """Of the last reading before the level began to count; a sync that was never read is expected from now on."""
    begun = follower.position.begun_at
    run = clean_runs(sync).filter(finished_at__lt=begun).last() or clean_runs(sync).first()
    if run is None or run.started_at is None:
        start = follower.position.watched_from
        return follower.row(sync, 0, start, follower.terms.deadline(start))
    return follower.row(sync, run.pk, run.started_at, follower.terms.deadline(run.started_at))


# Time of availability ----------------------------------------------------------------------------------------
def _days(follower: Follower, sync: Sync) -> tuple[list[Expectation], list[Expectation]]:
    """One row for each business day, that a reading comes between midnight and its time of day."""
    last = follower.rows_of(sync).order_by("-cause_id").values_list("cause_id", flat=True).first()
    known = list(follower.rows_of(sync).filter(state__in=Expectation.UNFINISHED).order_by("opened_at"))
    made = [
        follower.row(sync, _number(day), midnight, follower.terms.of_day(day))
        for day, midnight in _business_days(follower, _first_day(follower, sync, last))
    ]
    waiting = [*known, *made]
    if not waiting:
        return [], []
    ran: list[tuple[Any, Any]] = list(
        clean_runs(sync).filter(finished_at__gte=waiting[0].opened_at).values_list("started_at", "finished_at")
    )
    for row in waiting:
        at = next((finished for started, finished in ran if started >= row.opened_at), None)
        if at is not None:
            arrive(row, at)
    return made, [row for row in known if row.arrived_at]


def _first_day(follower: Follower, sync: Sync, last: int | None) -> date:
    """The day after the last one that is known; else the first that has history."""
    if last is not None:
        return date(last // 10_000, last // 100 % 100, last % 100) + timedelta(days=1)
    first = clean_runs(sync).values_list("finished_at", flat=True).first()
    start = max(first, follower.position.begun_at) if first else follower.position.watched_from
    return start.astimezone(follower.terms.promise.hours.zone).date()


def _business_days(follower: Follower, first: date) -> Iterator[tuple[date, datetime]]:
    hours = follower.terms.promise.hours
    day = first
    while (midnight := wall(day, 0, hours.zone)) <= follower.now:
        if is_business_day(hours, day):
            yield day, midnight
        day += timedelta(days=1)


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
