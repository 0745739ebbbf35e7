"""Carrying out a replay: claimed under a lease, a chunk a transaction, watched until everything that was put has ended.

A worker that is killed leaves whole chunks; the tick rings again, and the next one goes on with what is still planned.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from hub.common import facts
from hub.common.db import plain_cursor
from hub.sync import bell
from hub.sync.models import Replay, ReplayItem
from hub.sync.replays import outcomes, puts, safety
from hub.sync.runs import LostLease

LEASE_SECONDS = 60
SLICE_SECONDS = 30
CHUNK = 500
Status = ReplayItem.Status


def execute(replay_id: int, *, slice_seconds: float = SLICE_SECONDS) -> Replay | None:
    """Put what is planned, look at what was put, finish when nothing is on its way; None when there is nothing to claim."""
    replay = _claim(replay_id)
    if replay is None:
        return None
    deadline = time.monotonic() + slice_seconds
    try:
        while put_chunk(replay) and time.monotonic() < deadline:
            pass
        _look(replay)
    except LostLease:
        return replay
    _release(replay)
    replay.refresh_from_db()
    return replay


def _claim(replay_id: int) -> Replay | None:
    with plain_cursor() as cursor:
        row = cursor.execute(
            "update sync_replay set epoch = epoch + 1, lease_until = now() + make_interval(secs => %s) where id = %s"
            " and state in ('running', 'cancelled') and (lease_until is null or lease_until < now()) returning id",
            [LEASE_SECONDS, replay_id],
        ).fetchone()
    return Replay.objects.select_related("requested_by").get(pk=replay_id) if row else None


def _fence(cursor: Any, replay: Replay) -> None:
    """First statement of every chunk: lock the job, extend the lease; raises LostLease when it is not ours any more."""
    row = cursor.execute(
        "update sync_replay set lease_until = now() + make_interval(secs => %s)"
        " where id = %s and epoch = %s and state in ('running', 'cancelled') returning id",
        [LEASE_SECONDS, replay.pk, replay.epoch],
    ).fetchone()
    if row is None:
        raise LostLease("The replay was cancelled or taken over by another worker.", where=str(replay))


def put_chunk(replay: Replay) -> bool:
    """Put the next planned items; False when none was left."""
    with transaction.atomic(), plain_cursor() as cursor:
        _fence(cursor, replay)
        items = cursor.execute(
            "select id, leg, act, sync_id from sync_replayitem where replay_id = %s and status = %s order by id limit %s",
            [replay.pk, int(Status.PLANNED), CHUNK],
        ).fetchall()
        asked = {sync_id for _, _, act, sync_id in items if act == ReplayItem.Act.ASK}
        if items:
            puts.put(cursor, replay, [(n, leg, act) for n, leg, act, _ in items], safety.by_sync(asked))
    return bool(items)


def _look(replay: Replay) -> None:
    with transaction.atomic(), plain_cursor() as cursor:
        _fence(cursor, replay)
        behind = outcomes.look(cursor, replay)
        Replay.objects.filter(pk=replay.pk).update(looked_at=behind)


def _release(replay: Replay) -> None:
    """Give the lease back; the last item that ends also ends the job."""
    mine = Replay.objects.filter(pk=replay.pk, epoch=replay.epoch)
    mine.update(lease_until=None)
    if replay.items.filter(status__in=ReplayItem.UNDER_WAY).exists():
        return
    if mine.filter(state=Replay.State.RUNNING).update(state=Replay.State.DONE, finished_at=Now()):
        facts.publish("replay_finished", replay=replay)


def ring_open() -> int:
    """Wake a worker for each job that is under way and that nobody works on; returns how many.

    Also for what a cancelled job had put, until that has ended: its versions are pinned as long.
    """
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    put = ReplayItem.objects.filter(replay=OuterRef("pk"), status__in=ReplayItem.UNDER_WAY)
    open_ones = Q(state=Replay.State.RUNNING) | Q(Exists(put), state=Replay.State.CANCELLED)
    ids = list(Replay.objects.filter(free & open_ones).order_by("pk").values_list("pk", flat=True))
    for replay_id in ids:
        bell.ring_replay(replay_id)
    return len(ids)
