"""Executing a run: claim it, work a slice, then finish it, hand it on, or leave it to the next slice."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Protocol

from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from hub.common.errors import HubError
from hub.sync import bell, consumers, gate, pulse, resting, runs, setbacks
from hub.sync.backfilling import BackfillRun
from hub.sync.inbound import InboundRun
from hub.sync.models import Delivery, Run, Sync, SyncState
from hub.sync.outbound import OutboundRun
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.removals import removal
from hub.sync.states import ACTIVE, WENT_THROUGH, DeliveryState

# A worker gives other runs a turn after this long; the run goes on from its last page.
SLICE_SECONDS = 60
BACKFILL_SLICE_SECONDS = 15


class Worker(Protocol):
    timings: dict[str, float]
    releasing: set[int]
    doubt: HubError | None  # why a run that went through is suspect

    def work(self, *, deadline: float) -> bool: ...


def execute(run_id: int, *, slice_seconds: float = SLICE_SECONDS) -> Run | None:
    """Claim a run and work on it; None when there is nothing to claim. Every branch ends in a stored state."""
    run = None
    try:
        run = runs.claim(run_id)
        return _execute(run, slice_seconds) if run else None
    except setbacks.FAILED as error:
        if not setbacks.passes(error):
            raise
        setbacks.put_back(run_id, run)
        return run


def _execute(run: Run, slice_seconds: float) -> Run:
    worker: Worker | None = None
    try:
        worker = _worker(run)
        with pulse.kept(run):
            complete = worker.work(deadline=time.monotonic() + slice_seconds)
    except runs.LostLease:
        return run
    except (SoftTimeLimitExceeded, MemoryError):
        runs.fall(run)
        return run
    except Exception as error:
        if setbacks.passes(error):
            raise
        _give_up(run, runs.as_hub_error(error), worker)
        return run
    if not complete:
        runs.release(run, timings=worker.timings)
        bell.ring(run, direction=run.sync.direction)
        return run
    gate.passed(run)
    runs.finish(run, timings=worker.timings, doubt=worker.doubt)
    _hand_on(run, worker)
    return run


def _worker(run: Run) -> Worker:
    started = time.perf_counter()
    plan = load_plan(run.sync, run=run)
    _pin(run, plan)
    if plan.is_inbound:
        kind = BackfillRun if run.trigger == Run.Trigger.BACKFILL else InboundRun
        worker: Worker = kind(run, plan, after_page=ring_deliveries)
    else:
        worker = OutboundRun(run, plan)
    worker.timings["plan"] += time.perf_counter() - started
    return worker


def _pin(run: Run, plan: SyncPlan) -> None:
    if run.mapping_version_id is not None:
        return
    state = SyncState.objects.filter(sync=run.sync).first()
    runs.pin(
        run,
        mapping_version_id=plan.mapping_version.pk,
        contract_version_id=plan.contract_version.pk,
        cursor_from=state.cursor if state else None,
    )
    consumers.note(run)


def _give_up(run: Run, error: HubError, worker: Worker | None) -> None:
    """What was stored stays; the next run goes on from the cursor that was kept, or this one when the gate opens."""
    if not gate.put_back(run, error, timings=worker.timings if worker else {}):
        runs.finish(run, error=error, timings=worker.timings if worker else None)


def ring_deliveries(inbound: InboundRun) -> None:
    """Outbound syncs that got work start at once, while the inbound run goes on reading."""
    if inbound.delivering:
        start_all(inbound.delivering, trigger=Run.Trigger.CHANGE)
    inbound.delivering = set()


def start_all(sync_ids: Iterable[int], *, trigger: str) -> list[Run]:
    """Start a run for each of these syncs that is not paused and has none."""
    syncs = Sync.objects.filter(pk__in=set(sync_ids), is_paused=False)
    if trigger == Run.Trigger.CHANGE:  # an active run looks for more before it ends
        syncs = syncs.exclude(Exists(Run.objects.filter(sync=OuterRef("pk"), status__in=ACTIVE)))
        syncs = syncs.exclude(pk__in=resting.of(set(sync_ids)))
    found = [start(sync, trigger=trigger) for sync in syncs.select_related("mapping").order_by("pk")]
    return [run for run, made in found if made]


def start(sync: Sync, *, trigger: str, by: Any = None) -> tuple[Run, bool]:
    """The sync's active run, made and rung for when there is none; (run, made)."""
    run, made = runs.create(sync=sync, trigger=trigger, by=by)
    if made:
        bell.ring(run, direction=sync.direction)
    return run, made


def _hand_on(run: Run, worker: Worker) -> None:
    """After a run: release who waited, and look again for work that came while it ended. The tick would do the same."""
    if worker.releasing:
        by_direction = dict(Sync.objects.filter(pk__in=worker.releasing).values_list("pk", "mapping__direction"))
        start_all([pk for pk, way in by_direction.items() if way == "in"], trigger=Run.Trigger.RELEASE)
        start_all([pk for pk, way in by_direction.items() if way == "out"], trigger=Run.Trigger.CHANGE)
    if run.sync.direction == "in" and removal.has_confirmed(run.sync_id):
        start(run.sync, trigger=Run.Trigger.REMOVAL)
    if run.sync.direction == "out" and has_due(run.sync_id):
        start_all([run.sync_id], trigger=Run.Trigger.CHANGE)


def start_followers(run: Run) -> None:
    """Part of the transaction that ends a run: nobody else would ever start who follows it."""
    if run.status in WENT_THROUGH and run.trigger != Run.Trigger.BACKFILL:
        start_all(run.sync.followers.values_list("pk", flat=True), trigger=Run.Trigger.AFTER)


def has_due(sync_id: int) -> bool:
    return Delivery.objects.filter(sync_id=sync_id, state=DeliveryState.PENDING, next_at__lte=Now()).exists()
