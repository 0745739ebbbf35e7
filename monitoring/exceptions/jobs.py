"""The life of a job over many exceptions: made once with its items fixed, cancelled, taken back; told to the audit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.sync import bell
from hub.sync.models import Replay
from hub.sync.replays import jobs as replays
from monitoring.exceptions import doing
from monitoring.exceptions.choosing import Choice
from monitoring.models import ExceptionItem, ExceptionJob, ExceptionJobItem

Action, State, Status = ExceptionJob.Action, ExceptionJob.State, ExceptionJobItem.Status
TASK = "monitoring.tasks.exception_job"
UNDO = timedelta(minutes=5)


def start(
    choice: Choice,
    action: str,
    given: Mapping[str, Any] | None = None,
    *,
    by: Any,
    reason: str = "",
    token: str = "",
    expect: int | None = None,
    plan: Mapping[str, Any] | None = None,
    write_off: Any = None,
    scoped: bool = True,
) -> tuple[ExceptionJob | None, bool]:
    """Make the job and wake a worker; (job, made).

    An open job of the same act on the same choice, or one of the same token, is answered instead of made again; (None, False)
    when nothing matches. `scoped` is False for what was decided about in its own right already. `expect` is the number that
    the person has seen: ConfigError CHANGED_MEANWHILE when it is another.
    """
    arguments = doing.checked(action, given or {})
    mark = _fingerprint(action, choice, arguments, by)
    if (known := _known(mark, token)) is not None:
        return known, False
    if action == Action.SETTLE:
        reason = needed(reason, "Say how these were settled.", where="reason")
    fields = {"action": action, "selection": dict(choice.asked), "arguments": arguments, "plan": dict(plan or {})}
    try:
        with transaction.atomic():
            job = ExceptionJob.objects.create(
                **fields,
                fingerprint=mark,
                token=token or None,
                reason=tidy(reason),
                requested_by=by,
                write_off=write_off,
            )
            made = _fix_items(job, choice.rows(by if scoped else None), expect)
            if not made:
                transaction.set_rollback(True)
    except IntegrityError:  # somebody else was a moment faster
        return _known(mark, token), False
    return (job, True) if made else (None, False)


def _fingerprint(action: str, choice: Choice, arguments: Mapping[str, Any], by: Any) -> str:
    words = orjson.dumps(
        [action, dict(choice.asked), dict(arguments), getattr(by, "pk", None)], option=orjson.OPT_SORT_KEYS
    )
    return hashlib.blake2b(words, digest_size=16).hexdigest()


def _known(mark: str, token: str) -> ExceptionJob | None:
    if token and (same := ExceptionJob.objects.filter(token=token).first()):
        return same
    return ExceptionJob.objects.filter(fingerprint=mark, state=State.RUNNING).first()


_ITEMS = """
insert into monitoring_exceptionjobitem (job_id, item_id, status, note, letter_id)
select %s, i.id, %s, '', case
    when i.origin = 'held' and i.sync_id is not null and i.external_id is not null
      then 'in-' || i.sync_id || '-' || i.external_id
    when i.origin = 'delivery' and i.sync_id is not null and i.record_id is not null
      then 'out-' || i.sync_id || '-' || i.record_id end
from monitoring_exceptionitem i where i.id in ({rows}) order by i.rank desc, i.id
"""


def _fix_items(job: ExceptionJob, rows: QuerySet[ExceptionItem], expect: int | None) -> bool:
    """Every exception that is meant as it stands now, the dearest first; False when there is none."""
    sql, params = rows.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS.format(rows=sql), [job.pk, int(Status.PLANNED), *params])
        job.planned = cursor.rowcount
    if expect is not None and expect != job.planned:
        raise ConfigError(
            f"There are {job.planned:,} now, not {expect:,}.", fix="Look at the list again.", code="CHANGED_MEANWHILE"
        )
    if not job.planned:
        return False
    domains = ExceptionItem.objects.filter(job_items__job=job).order_by().values_list("domain", flat=True).distinct()
    job.domain_ids = sorted(domains, key=lambda pk: (pk is None, pk))
    job.save(update_fields=["planned", "domain_ids"])
    _begun(job)
    return True


def _begun(job: ExceptionJob) -> None:
    _tell(job, "started", job.requested_by, number=job.planned)
    ring(job.pk)


def _tell(job: ExceptionJob, verb: str, by: Any, **details: Any) -> None:
    told = {"action": job.action, "chosen": dict(job.selection), **details}
    tell(Act(f"exception_job.{verb}", "ExceptionJob", str(job.pk), by=by, reason=job.reason, details=told))


def ring(job_id: int) -> None:
    """Wake a worker once the current transaction has committed."""
    transaction.on_commit(lambda: bell.send(TASK, job_id))


# The end ----------------------------------------------------------------------------------------------------
@transaction.atomic
def cancel(*, job: ExceptionJob, by: Any) -> bool:
    """Do nothing more; what was sent already goes its way. False when the job had ended."""
    rows = ExceptionJob.objects.filter(pk=job.pk, state=State.RUNNING)
    if job.action == Action.WRITE_OFF or not rows.update(
        state=State.CANCELLED, finished_at=Now(), lease_until=None, epoch=job.epoch + 1
    ):
        return False
    if replay := Replay.objects.filter(pk=job.replay_id or 0, state__in=Replay.OPEN).first():
        replays.cancel(replay=replay, by=by)
    open_items = job.items.filter(status__in=ExceptionJobItem.OPEN)
    _open_again(open_items)
    open_items.update(status=Status.SKIPPED, note="The job was cancelled.")
    job.refresh_from_db()
    _tell(job, "cancelled", by)
    return True


def _open_again(items: QuerySet[ExceptionJobItem]) -> None:
    """What was about to be retried is open, whatever comes of what is on its way already."""
    rows = ExceptionItem.objects.filter(pk__in=items.order_by().values("item"), state=ExceptionItem.State.RETRYING)
    rows.update(state=ExceptionItem.State.OPEN)


def may_undo(job: ExceptionJob) -> bool:
    """Whether it can still be taken back."""
    recent = timezone.now() - job.created_at < UNDO
    return (
        job.is_reversible
        and recent
        and job.state != State.RUNNING
        and not ExceptionJob.objects.filter(undoes=job).exists()
    )


@transaction.atomic
def undo(*, job: ExceptionJob, by: Any) -> ExceptionJob:
    """Take a job back, as far as nobody has changed its items since. The same again answers the same job.

    Raises ConfigError after five minutes, and for what cannot be taken back.
    """
    job = ExceptionJob.objects.select_for_update().get(pk=job.pk)
    if known := ExceptionJob.objects.filter(undoes=job).first():
        return known
    if not may_undo(job):
        why = "can be taken back for five minutes" if job.is_reversible else "cannot be taken back"
        raise ConfigError(f"{job.get_action_display()} {why}.", fix="Do the opposite instead.", code="TOO_LATE")
    made = ExceptionJob.objects.create(
        action=Action.UNDO,
        selection=job.selection,
        arguments={"undoes": job.pk},
        fingerprint=f"undo-{job.pk}",
        requested_by=by,
        undoes=job,
        domain_ids=job.domain_ids,
    )
    done = job.items.filter(status=Status.DONE)
    made.planned = len(
        ExceptionJobItem.objects.bulk_create(
            [ExceptionJobItem(job=made, item_id=pk, before=before, version=version)
             for pk, before, version in done.order_by("pk").values_list("item", "before", "version")],
            batch_size=5_000,
        )
    )  # fmt: skip
    made.save(update_fields=["planned"])
    _begun(made)
    return made


def retry_failed(*, job: ExceptionJob, by: Any) -> tuple[ExceptionJob | None, bool]:
    """A new job of those that have failed again and are still open."""
    if job.action != Action.RETRY:
        raise ConfigError("Only a retry is repeated.", code="NOT_A_RETRY")
    failed = ExceptionJobItem.objects.filter(job=job, status=Status.FAILED)
    choice = Choice({"failed_in": str(job.pk)}, Q(pk__in=failed.values("item")))
    return start(choice, Action.RETRY, by=by, reason=job.reason)


# Reads -------------------------------------------------------------------------------------------------------
def jobs_for(user: User, permission: str) -> QuerySet[ExceptionJob]:
    """Jobs that concern only domains in which the person holds the permission."""
    rows = ExceptionJob.objects.select_related("requested_by", "undoes")
    ids = user.domain_ids_for(permission)
    return rows if ids is None else rows.filter(domain_ids__contained_by=sorted(ids))


def numbers(job: ExceptionJob) -> dict[str, int]:
    """Every status by its name, also those that no item has."""
    found = dict(job.items.order_by().values_list("status").annotate(Count("id")))
    return {status.name.lower(): found.get(status.value, 0) for status in Status}


def as_data(job: ExceptionJob) -> dict[str, Any]:
    counts = numbers(job)
    return {
        "job": job.pk,
        "action": job.action,
        "state": job.state,
        "planned": job.planned,
        "counts": counts,
        "reason": job.reason,
        "error": job.error,
        "replay": job.replay_id,
        "requested_by": str(job.requested_by) if job.requested_by else None,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }
