"""Carrying out a job: claimed under a lease, a chunk a transaction; a worker that is killed leaves whole chunks.

An act of the hub's own is done here. What has to be sent again, or dropped, is put by one replay, whose items are followed:
the same keys, the same care about doubt, the same pace.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from hub.common import facts
from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.sync.runs import LostLease
from monitoring.exceptions import acts, jobs, notes, results, sending, undoing
from monitoring.models import ExceptionJob, ExceptionJobItem

log = logging.getLogger(__name__)
LEASE_SECONDS = 60
SLICE_SECONDS = 30
CHUNK = 1_000
MAX_SETBACKS = 5
Action, State, Status = ExceptionJob.Action, ExceptionJob.State, ExceptionJobItem.Status


def execute(job_id: int, *, slice_seconds: float = SLICE_SECONDS) -> ExceptionJob | None:
    """Go on with a job for a slice of time; None when there is nothing to claim. Its own failures stand in it."""
    job = _claim(job_id)
    if job is None:
        return None
    try:
        _work(job, time.monotonic() + slice_seconds)
    except LostLease:
        return job
    except (HubError, DatabaseError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        _set_back(job, error)
    else:
        _release(job)
    job.refresh_from_db()
    return job


def _claim(job_id: int) -> ExceptionJob | None:
    with plain_cursor() as cursor:
        row = cursor.execute(
            "update monitoring_exceptionjob set epoch = epoch + 1, lease_until = now() + make_interval(secs => %s)"
            " where id = %s and state = 'running' and (lease_until is null or lease_until < now()) returning id",
            [LEASE_SECONDS, job_id],
        ).fetchone()
    return ExceptionJob.objects.select_related("requested_by", "write_off").get(pk=job_id) if row else None


def fence(job: ExceptionJob) -> None:
    """First statement of every chunk: lock the job, extend the lease; raises LostLease when it is not ours any more."""
    with plain_cursor() as cursor:
        row = cursor.execute(
            "update monitoring_exceptionjob set lease_until = now() + make_interval(secs => %s)"
            " where id = %s and epoch = %s and state = 'running' returning id",
            [LEASE_SECONDS, job.pk, job.epoch],
        ).fetchone()
    if row is None:
        raise LostLease("The job was cancelled or taken over by another worker.", where=str(job))


def _work(job: ExceptionJob, deadline: float) -> None:
    while _do_chunk(job) and time.monotonic() < deadline:
        pass
    if job.action in ExceptionJob.SENDING and not job.items.filter(status=Status.PLANNED).exists():
        with transaction.atomic():
            fence(job)
            sending.put(job)
        sending.follow(job, fence)


def _do_chunk(job: ExceptionJob) -> bool:
    """Do the next planned items; False when none was left."""
    with transaction.atomic():
        fence(job)
        rows = list(job.items.filter(status=Status.PLANNED).order_by("pk")[:CHUNK])
        if not rows:
            return False
        carry_out = _way(job)
        try:
            with transaction.atomic():
                carry_out(job, rows)
        except DatabaseError as error:
            log.warning("A chunk of %s failed and is done one by one: %s", job, error)
            _one_by_one(job, rows, carry_out)
    return True


Way = Callable[[ExceptionJob, Sequence[ExceptionJobItem]], None]


def _way(job: ExceptionJob) -> Way:
    if job.action in ExceptionJob.SENDING:
        return sending.prepare
    return undoing.put_back if job.action == Action.UNDO else _act


def _one_by_one(job: ExceptionJob, rows: Sequence[ExceptionJobItem], carry_out: Way) -> None:
    """One item that cannot be changed must not keep the others from it."""
    for row in rows:
        try:
            with transaction.atomic():
                carry_out(job, [row])
        except DatabaseError as error:
            row.status, row.note = Status.FAILED, f"The hub could not do it: {str(error).splitlines()[0][:200]}"
            row.save(update_fields=["status", "note"])


def _act(job: ExceptionJob, rows: Sequence[ExceptionJobItem]) -> None:
    """An act of the hub's own, done at once."""
    ids = [row.item_id for row in rows]
    changed = {one.item_id: one for one in acts.carry_out(job.action, ids, job.arguments, by=job.requested_by)}
    for row in rows:
        if found := changed.get(row.item_id):
            row.status, row.before, row.version = Status.DONE, found.before, found.version
        else:
            row.status, row.note = Status.SKIPPED, "It was so already, or it was settled meanwhile."
    results.write(rows)


# The end of a slice ------------------------------------------------------------------------------------------
def _set_back(job: ExceptionJob, error: Exception) -> None:
    """Tried again by the tick; after some times it ends as failed, and says why."""
    log.exception("%s failed.", job)
    mine = ExceptionJob.objects.filter(pk=job.pk, epoch=job.epoch, state=State.RUNNING)
    is_over = job.setbacks + 1 >= MAX_SETBACKS
    said = str(error).splitlines()[0][:500] if str(error) else type(error).__name__
    state: dict[str, Any] = {"state": State.FAILED, "finished_at": Now()} if is_over else {}
    with transaction.atomic():
        if mine.update(error=said, setbacks=job.setbacks + 1, lease_until=None, **state) and is_over:
            open_items = job.items.filter(status__in=ExceptionJobItem.OPEN)
            sending.open_again(job)
            open_items.update(status=Status.SKIPPED, note="The job failed before this one.")


def _release(job: ExceptionJob) -> None:
    """Give the lease back; the last item that ends also ends the job."""
    mine = ExceptionJob.objects.filter(pk=job.pk, epoch=job.epoch)
    mine.update(lease_until=None, error="", setbacks=0)
    if job.items.filter(status__in=ExceptionJobItem.OPEN).exists():
        return
    with transaction.atomic():
        if mine.filter(state=State.RUNNING).update(state=State.DONE, finished_at=Now()):
            groups = job.items.order_by().values_list("item__group", flat=True).distinct()
            notes.refresh_groups(set(groups))
            facts.publish("exception_job_finished", job=job)


def ring_open() -> int:
    """Wake a worker for each job that is open and that nobody works on; returns how many."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    ids = list(ExceptionJob.objects.filter(free, state=State.RUNNING).order_by("pk").values_list("pk", flat=True)[:200])
    for job_id in ids:
        jobs.ring(job_id)
    return len(ids)
