"""The life of a run: made once, claimed under a lease, fenced by its epoch, finished with an account that adds up.

Leases go by the database's clock alone. Every write of a run says `where epoch = mine`: a worker that was frozen past its
lease finds another epoch and writes nothing.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest, Now

from hub.common import facts
from hub.common.errors import AuthError, ConfigError, HubError, TransientError
from hub.sync import gate
from hub.sync.models import Run, Sync
from hub.sync.states import ACTIVE, COUNTERS, RunStatus

LEASE_SECONDS = 120
MAX_CLAIMS = 3
# A database that is restarted again and again is not the run's fault; one that falls at the same page each time may be.
MAX_SETBACKS = 20


class LostLease(HubError):
    """Another worker has taken the run over; what this one was about to write is dropped."""

    code = "LOST_LEASE"


def create(*, sync: Sync, trigger: str, by: Any = None) -> tuple[Run, bool]:
    """The sync's active run, made when there is none; returns (run, made)."""
    try:
        with transaction.atomic():
            return Run.objects.create(sync=sync, trigger=trigger, requested_by=by), True
    except IntegrityError:
        active = Run.objects.filter(sync=sync, status__in=ACTIVE).exclude(trigger=Run.Trigger.BACKFILL).first()
        if active is None:  # it ended between the two statements
            return create(sync=sync, trigger=trigger, by=by)
        _widen(active, trigger)
        return active, False


def _widen(run: Run, trigger: str) -> None:
    """A queued run that would only look at what is in the hub already does the whole work when that is asked for."""
    narrow = (*Run.NARROW, Run.Trigger.CHANGE)
    if run.trigger in narrow and trigger not in narrow:
        Run.objects.filter(pk=run.pk, status=RunStatus.QUEUED).update(trigger=trigger)
        run.refresh_from_db(fields=["trigger"])


def claim(run_id: int) -> Run | None:
    """Take a run that nobody works on; None when it is finished, another worker holds its lease, or its gate is shut."""
    gate.knock(run_id)
    run = _take(run_id)
    return run if run is not None and _may_go_on(run) else None


@transaction.atomic
def _take(run_id: int) -> Run | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update sync_run set epoch = epoch + 1, claims = claims + 1, status = %s, heartbeat_at = now(), error = '',"
            " started_at = coalesce(started_at, now()), lease_until = now() + make_interval(secs => %s)"
            " where id = %s and status in ('queued', 'running') and (lease_until is null or lease_until < now())"
            f" and {gate.IS_OPEN} returning id",
            [RunStatus.RUNNING, LEASE_SECONDS, run_id],
        )
        if cursor.fetchone() is None:
            return None
    return Run.objects.select_related(
        "sync__mapping__entity", "sync__mapping__stream__connection__system", "mapping_version", "contract_version"
    ).get(pk=run_id)


def _may_go_on(run: Run) -> bool:
    """False when whoever works on it falls each time: it is given up."""
    if run.claims > MAX_CLAIMS:
        text = f"The worker fell {MAX_CLAIMS} times at page {run.page_no} before it had any record in hand."
        fix = "Look at what the system answers there, and at the memory of the machine, then run again."
        finish(run, error=ConfigError(text, fix=fix, code="CRASHED"))
        return False
    if run.setbacks > MAX_SETBACKS:
        text = f"The database went away {run.setbacks} times in a row while page {run.page_no} was stored."
        finish(run, error=ConfigError(text, fix="Look at its log: this page may be what ends it.", code="CRASHED"))
        return False
    return True


def pin(run: Run, *, mapping_version_id: int, contract_version_id: int, cursor_from: str | None) -> None:
    """Fix the versions that the run works with; it keeps them until it ends."""
    run.mapping_version_id, run.contract_version_id = mapping_version_id, contract_version_id
    run.cursor_from = cursor_from
    _save(run, "mapping_version_id", "contract_version_id", "cursor_from")


def fence(cursor: Any, run: Run, *, counts: dict[str, int], stage: str, **values: Any) -> None:
    """First statement of every transaction of a run: lock its row, extend the lease, add the counts.

    Raises LostLease when the epoch is not ours any more. `values` are columns to set (page_no, resume, cursor_to, …).
    """
    added = {name: amount for name, amount in counts.items() if amount}
    sets = [f"{name} = {name} + %({name})s" for name in added] + [f"{name} = %({name})s" for name in values]
    row = cursor.execute(
        "update sync_run set heartbeat_at = now(), lease_until = now() + make_interval(secs => %(lease)s), claims = 1,"
        f" setbacks = 0, stage = %(stage)s{''.join(', ' + part for part in sets)}"
        " where id = %(id)s and epoch = %(epoch)s and status = 'running' returning id",
        {**added, **values, "lease": LEASE_SECONDS, "stage": stage, "id": run.pk, "epoch": run.epoch},
    ).fetchone()
    if row is None:
        raise LostLease("The run was cancelled or taken over by another worker.", where=f"run {run.pk}")
    for name, amount in added.items():
        setattr(run, name, getattr(run, name) + amount)


def release(run: Run, *, timings: Mapping[str, float]) -> None:
    """Give the lease back without finishing: the next message or sweep goes on from the last stored page."""
    spent = run.timings_with(timings)
    Run.objects.filter(pk=run.pk, epoch=run.epoch).update(lease_until=None, claims=0, timings=spent)


def fall(run: Run) -> None:
    """End a slice as if its worker had been killed: who claims the run next finds out what the worker had in hand."""
    Run.objects.filter(pk=run.pk, epoch=run.epoch).update(lease_until=None)


def leave(run_id: int, epoch: int | None) -> None:
    """Take a claim back, because the database went away: its worker has not fallen.

    Its lease is given back too, unless it ended during the outage and another worker holds the next one (another epoch), or
    nobody knows whether the claim was stored (no epoch).
    """
    mine = (
        Case(When(epoch=epoch, then=Value(None)), default=F("lease_until")) if epoch is not None else F("lease_until")
    )
    Run.objects.filter(pk=run_id, status=RunStatus.RUNNING).update(
        lease_until=mine, claims=Greatest(F("claims") - 1, 0), setbacks=F("setbacks") + 1
    )


def finish(
    run: Run, *, error: HubError | None = None, timings: dict[str, float] | None = None, doubt: HubError | None = None
) -> RunStatus:
    """End the run with its status. The account must add up, or the run has failed whatever else happened.

    With a `doubt` a run that went through is suspect.
    """
    run.refresh_from_db(fields=[*COUNTERS, "status", "epoch"] if error else [*COUNTERS])
    if not error and run.read != sum(run.counts[name] for name in COUNTERS if name != "read"):
        error = ConfigError(
            f"The account does not add up: {run.counts}.", code="ACCOUNT", fix="Report this with the run id."
        )
    run.status = _status(run, error, doubt)
    said = error or doubt
    run.error_code = said.code if said else ""
    run.error = str(said) if said else ""
    if timings is not None:
        run.timings = run.timings_with(timings)
    with transaction.atomic():
        updated = Run.objects.filter(pk=run.pk, epoch=run.epoch, status__in=ACTIVE).update(
            status=run.status,
            error_code=run.error_code,
            error=run.error,
            timings=run.timings,
            stage="",
            lease_until=None,
            finished_at=Now(),
        )
        if updated:
            facts.publish("run_ended", run=run)  # what must not be lost; "run_finished" comes after the commit
    if updated:
        run.refresh_from_db(fields=["finished_at"])
        facts.publish("run_finished", run=run)
    return RunStatus(run.status)


def _status(run: Run, error: HubError | None, doubt: HubError | None) -> RunStatus:
    if error:
        return RunStatus.FAILED
    return RunStatus.SUSPECT if doubt else judged(run)


def judged(run: Run) -> RunStatus:
    """The status of a run that went through, by what did not pass."""
    troubled = run.rejected or run.failed
    return RunStatus.COMPLETED_WITH_ERRORS if troubled else RunStatus.SUCCEEDED


def doubt(run_id: int, error: HubError) -> bool:
    """Call a run that went through suspect afterwards; False when it is so already, or a person has called it right.

    Only runs whose crawl a person can confirm, of syncs that have the volume of such runs checked.
    """
    check = Sync.VolumeCheck
    is_checked = Q(sync__volume_check=check.ALL) | Q(sync__volume_check=check.WHOLE, crawl__is_whole=True)
    believed = Run.objects.filter(
        is_checked,
        pk=run_id,
        status__in=(RunStatus.SUCCEEDED, RunStatus.COMPLETED_WITH_ERRORS),
        crawl__isnull=False,
        crawl__confirmed_at__isnull=True,
    )
    found = list(believed.values_list("pk", flat=True))
    return bool(
        Run.objects.filter(pk__in=found).update(status=RunStatus.SUSPECT, error_code=error.code, error=str(error))
    )


def cancel(run: Run) -> bool:
    """Stop a run: its worker notices at the next page, which is not stored. What is stored stays."""
    updated = Run.objects.filter(pk=run.pk, status__in=ACTIVE).update(
        status=RunStatus.CANCELLED, epoch=F("epoch") + 1, stage="", lease_until=None, finished_at=Now()
    )
    return bool(updated)


def _save(run: Run, *names: str) -> None:
    values = {name: getattr(run, name) for name in names}
    if not Run.objects.filter(pk=run.pk, epoch=run.epoch).update(**values):
        raise LostLease("The run was taken over by another worker.", where=f"run {run.pk}")


def as_hub_error(error: BaseException) -> HubError:
    """Any exception as one of the family, so that a run always ends with a sentence."""
    if isinstance(error, HubError):
        return error
    last = traceback.extract_tb(error.__traceback__)[-1]
    return HubError(
        f"The program failed: {type(error).__name__}: {error}.",
        where=f"{last.name} line {last.lineno}",
        fix="Run again; if it repeats, report it with the run id.",
        code="INTERNAL",
    )


def is_retryable(error: HubError) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, AuthError)
