"""The life of a comparison: made once, claimed under a lease, fenced by its epoch, ended with a sentence.

A comparison keeps nothing on the way: a worker that falls leaves the gaps of before, and the next claim begins again.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from hub.common import facts
from hub.common.errors import HubError
from hub.sync import bell
from monitoring.models import Reconciliation, ReconciliationRun

LEASE_SECONDS = 120
# The join is one statement without a page in it.
COMPARING_SECONDS = 1_800
MAX_CLAIMS = 3
TASK = "monitoring.tasks.reconcile"
Status = ReconciliationRun.Status


class LostLease(HubError):
    """Another worker has taken the comparison over, or a person has ended it; what this one was about to write is dropped."""

    code = "LOST_LEASE"


def start(
    reconciliation: Reconciliation, *, trigger: str, by: Any = None, is_small_accepted: bool = False
) -> tuple[ReconciliationRun, bool]:
    """The active comparison, made when there is none; (run, made)."""
    try:
        with transaction.atomic():
            run = ReconciliationRun.objects.create(
                reconciliation=reconciliation, trigger=trigger, requested_by=by, is_small_accepted=is_small_accepted
            )
            return run, True
    except IntegrityError:
        active = reconciliation.runs.filter(status__in=ReconciliationRun.ACTIVE).first()
        if active is None:  # it ended between the two statements
            return start(reconciliation, trigger=trigger, by=by, is_small_accepted=is_small_accepted)
        return active, False


def ring(run: ReconciliationRun) -> None:
    """Wake a worker once the current transaction has committed."""
    transaction.on_commit(lambda: bell.send(TASK, run.pk))


def claim(run_id: int) -> ReconciliationRun | None:
    """Take a comparison that nobody works on; None when there is nothing to take. One that fells each worker is given up."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update monitoring_reconciliationrun set epoch = epoch + 1, claims = claims + 1, status = 'running',"
            ' started_at = now(), lease_until = now() + make_interval(secs => %s), "left" = 0, "right" = 0,'
            " stage = 'reading' where id = %s and status in ('queued', 'running')"
            " and (lease_until is null or lease_until < now()) returning id",
            [LEASE_SECONDS, run_id],
        )
        if cursor.fetchone() is None:
            return None
    run = ReconciliationRun.objects.select_related("reconciliation__entity", "reconciliation__domain").get(pk=run_id)
    if run.claims > MAX_CLAIMS:
        end(
            run,
            Status.FAILED,
            reason=f"The worker fell {MAX_CLAIMS} times. Look at the memory of the machine, then run again.",
        )
        return None
    return run


def fence(run: ReconciliationRun, *, seconds: int = LEASE_SECONDS, **values: Any) -> None:
    """Set columns and extend the lease while it is ours; raises LostLease when it is not."""
    with connection.cursor() as cursor:
        sets = "".join(f', "{name}" = %({name})s' for name in values)
        cursor.execute(
            f"update monitoring_reconciliationrun set lease_until = now() + make_interval(secs => %(seconds)s){sets}"
            " where id = %(id)s and epoch = %(epoch)s and status = 'running' returning id",
            {**values, "seconds": seconds, "id": run.pk, "epoch": run.epoch},
        )
        if cursor.fetchone() is None:
            raise LostLease("The comparison was cancelled or taken over by another worker.", where=str(run))
    for name, value in values.items():
        setattr(run, name, value)


@transaction.atomic
def end(run: ReconciliationRun, status: str, *, reason: str = "", **values: Any) -> bool:
    """End it with its figures; False when it is not ours any more."""
    rows = ReconciliationRun.objects.filter(pk=run.pk, epoch=run.epoch, status__in=ReconciliationRun.ACTIVE)
    done = rows.update(status=status, reason=reason, stage="", lease_until=None, finished_at=Now(), claims=0, **values)
    if done:
        run.refresh_from_db()
        facts.publish("reconciliation_ended", run=run)
    return bool(done)


def cancel(run: ReconciliationRun) -> bool:
    """Its worker notices at the next page; the gaps of before stay as they are."""
    rows = ReconciliationRun.objects.filter(pk=run.pk, status__in=ReconciliationRun.ACTIVE)
    return bool(
        rows.update(status=Status.CANCELLED, epoch=F("epoch") + 1, stage="", lease_until=None, finished_at=Now())
    )


def stranded() -> list[int]:
    """Comparisons whose ring was lost, or whose worker is gone."""
    waiting = ReconciliationRun.objects.filter(status__in=ReconciliationRun.ACTIVE)
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    return list(waiting.filter(free).order_by("pk").values_list("pk", flat=True))
