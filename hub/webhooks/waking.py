"""Starting the runs that work on messages: when one arrives, when a run ends, and by the tick when a ring was lost."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hub.sync import engine
from hub.sync.models import Run, Sync
from hub.sync.states import WENT_THROUGH, RunStatus
from hub.webhooks.models import Endpoint, Message

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5, 600
# Messages are kept this long, so that a late repetition is known: senders give up after some days.
KEPT_DAYS = 35
FORGOTTEN_AT_ONCE = 5_000

log = logging.getLogger(__name__)

# Whether a message that is stored now needs no run of its own: one waits for its worker, or one is at work and
# `after_run` looks again. A hint is not answered by a queued run that asks the source nothing.
IS_BUSY = (
    "exists (select from sync_run where sync_id = %s and trigger <> 'backfill'"
    " and (status = 'queued' and (%s or trigger <> all(%s)) or status = 'running'))"
)


def busy_parameters(endpoint: Endpoint) -> tuple[Any, ...]:
    return endpoint.sync_id, endpoint.event_mode == Endpoint.Mode.RECORD, [str(name) for name in Run.NARROW]


def wake(endpoint: Endpoint) -> Run | None:
    """Start what the newest message asks for; what comes while a run is at work gets the next one, when that has ended."""
    return next(iter(start([endpoint.sync_id])), None)


def start(sync_ids: Iterable[int] | None = None) -> list[Run]:
    """Start a run of every sync (of these) that has messages, is not paused, and is not waiting after a failure."""
    waiting = Message.objects.filter(state=Message.State.NEW)
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
    """A run for the sync, unless it has one; a queued one that would not read is widened to read for a hint."""
    run, made = engine.start(sync, trigger=Run.Trigger.HINT if is_hint else Run.Trigger.EVENT)
    return run if made else None


# When a run has ended --------------------------------------------------------------------------------------
def after_run(*, run: Run) -> None:
    """Settle the hints that a run answered, and start the next one. Never raises: the run has ended in any case."""
    try:
        if run.trigger != Run.Trigger.BACKFILL and Endpoint.objects.filter(sync_id=run.sync_id).exists():
            _settle(run)
            start([run.sync_id])
    except Exception:
        log.exception("What run %s answered is settled by the next one.", run.pk)


def _settle(run: Run) -> None:
    endpoints = Endpoint.objects.filter(sync_id=run.sync_id)
    if run.status in WENT_THROUGH:
        if run.trigger not in Run.NARROW:
            _answered(run).update(state=Message.State.DONE, outcome=Message.Outcome.READ, run_id=run.pk, done_at=Now())
        endpoints.exclude(failures=0).update(failures=0, retry_at=None)
    elif run.status == RunStatus.FAILED and run.trigger in (Run.Trigger.EVENT, Run.Trigger.HINT):
        for endpoint in endpoints:
            endpoints.filter(pk=endpoint.pk).update(failures=endpoint.failures + 1, retry_at=_later(endpoint.failures))


def _answered(run: Run) -> QuerySet[Message]:
    """Hints that came before the run began to read: what they spoke of had happened at the source by then."""
    return Message.objects.filter(
        endpoint__in=Endpoint.objects.filter(sync_id=run.sync_id, event_mode=Endpoint.Mode.HINT),
        state=Message.State.NEW,
        received_at__lt=run.started_at,
    )


def _later(failures: int) -> Any:
    wait = min(FIRST_WAIT_SECONDS * 2 ** min(failures, 10), LONGEST_WAIT_SECONDS)
    return Now() + timedelta(seconds=wait)


# The tick --------------------------------------------------------------------------------------------------
def tick() -> list[Run]:
    """Whatever a lost ring, a crash between two steps, a pause or a failed run left in the inbox."""
    return start()


def forget_old() -> int:
    """Messages that were worked on and are older than any sender repeats; returns how many went."""
    before = timezone.now() - timedelta(days=KEPT_DAYS)
    old = Message.objects.filter(received_at__lt=before).exclude(state=Message.State.NEW)
    return Message.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])).delete()[0]
