"""Starting the runs that work on messages: when one arrives, when a run ends, and by the tick when a ring was lost."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hub.sync import bell, runs
from hub.sync.models import Run, Sync
from hub.sync.states import ACTIVE, RunStatus
from hub.webhooks.models import Endpoint, Message

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5, 600
# Messages are kept this long, so that a late repetition is known: senders give up after some days.
KEPT_DAYS = 35
FORGOTTEN_AT_ONCE = 5_000

log = logging.getLogger(__name__)


def wake(endpoint: Endpoint) -> Run | None:
    """Start what the newest message asks for; a run that is at work looks again before it ends, or the next one does."""
    # A run that waits for its worker answers a record as it is; a hint has to be bound to it.
    busy = (RunStatus.RUNNING,) if endpoint.event_mode == Endpoint.Mode.HINT else ACTIVE
    if Run.objects.filter(sync_id=endpoint.sync_id, status__in=busy).exists():
        return None
    return next(iter(start([endpoint.sync_id])), None)


def start(sync_ids: Iterable[int] | None = None) -> list[Run]:
    """Start a run of every sync (of these) that has messages, is not paused, and is not waiting after a failure."""
    waiting = Message.objects.filter(state=Message.State.NEW, run_id__isnull=True)
    ready = waiting.filter(Q(endpoint__retry_at__isnull=True) | Q(endpoint__retry_at__lte=Now()))
    if sync_ids is not None:
        ready = ready.filter(endpoint__sync_id__in=list(sync_ids))
    modes = set(ready.order_by().values_list("endpoint__sync_id", "endpoint__event_mode").distinct())
    hinted = {sync_id for sync_id, mode in modes if mode == Endpoint.Mode.HINT}
    syncs = Sync.objects.filter(
        pk__in={sync_id for sync_id, _ in modes}, is_paused=False, mapping__stream__connection__is_paused=False
    ).select_related("mapping")
    return [run for sync in syncs.order_by("pk") if (run := _start(sync, is_hint=sync.pk in hinted)) is not None]


def _start(sync: Sync, *, is_hint: bool) -> Run | None:
    """One run for the sync; a hint is bound to it only while it has not begun to read."""
    with transaction.atomic():
        run, made = runs.create(sync=sync, trigger=Run.Trigger.HINT if is_hint else Run.Trigger.EVENT)
        if made:
            bell.ring(run, direction=sync.direction)
        if is_hint and Run.objects.select_for_update().filter(pk=run.pk, status=RunStatus.QUEUED).exists():
            _hints(sync.pk).filter(run_id__isnull=True).update(run_id=run.pk)
    return run if made else None


def _hints(sync_id: int) -> QuerySet[Message]:
    return Message.objects.filter(
        endpoint__sync_id=sync_id, endpoint__event_mode=Endpoint.Mode.HINT, state=Message.State.NEW
    )


# When a run has ended --------------------------------------------------------------------------------------
def after_run(*, run: Run) -> None:
    """Settle the hints that a run answered, and start the next one. Never raises: the run has ended in any case."""
    try:
        if Endpoint.objects.filter(sync_id=run.sync_id).exists():
            _settle(run)
            start([run.sync_id])
    except Exception:
        log.exception("What run %s answered is settled by the next tick.", run.pk)


def _settle(run: Run) -> None:
    endpoints = Endpoint.objects.filter(sync_id=run.sync_id)
    bound = Message.objects.filter(endpoint__in=endpoints, state=Message.State.NEW, run_id=run.pk)
    if run.status in (RunStatus.SUCCEEDED, RunStatus.COMPLETED_WITH_ERRORS):
        bound.update(state=Message.State.DONE, outcome=Message.Outcome.READ, done_at=Now())
        endpoints.exclude(failures=0).update(failures=0, retry_at=None)
        return
    bound.update(run_id=None)
    if run.status == RunStatus.FAILED and run.trigger in (Run.Trigger.EVENT, Run.Trigger.HINT):
        for endpoint in endpoints:
            endpoints.filter(pk=endpoint.pk).update(failures=endpoint.failures + 1, retry_at=_later(endpoint.failures))


def _later(failures: int) -> Any:
    wait = min(FIRST_WAIT_SECONDS * 2 ** min(failures, 10), LONGEST_WAIT_SECONDS)
    return Now() + timedelta(seconds=wait)


# The tick --------------------------------------------------------------------------------------------------
def tick() -> list[Run]:
    """Whatever a lost ring, a crash between two steps or a run by another hand left behind."""
    bound = Message.objects.filter(state=Message.State.NEW, run_id__isnull=False)
    for run in Run.objects.filter(pk__in=bound.values("run_id")).exclude(status__in=ACTIVE):
        _settle(run)
    gone = bound.exclude(run_id__in=Run.objects.values("pk"))
    gone.update(run_id=None)
    return start()


def forget_old() -> int:
    """Messages that were worked on and are older than any sender repeats; returns how many went."""
    before = timezone.now() - timedelta(days=KEPT_DAYS)
    old = Message.objects.filter(received_at__lt=before).exclude(state=Message.State.NEW)
    return Message.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])).delete()[0]
