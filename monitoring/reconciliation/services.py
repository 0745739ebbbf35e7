"""Writes of reconciliations: definitions, and comparisons by hand, by schedule and after syncs."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from governance.saving import save
from hub.accounts.models import Domain
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind
from hub.common.times import business_now
from hub.sync.models import Run
from hub.sync.scheduling import next_slot
from hub.sync.states import WENT_THROUGH
from monitoring.models import Reconciliation, ReconciliationRun
from monitoring.reconciliation import runs, work
from monitoring.reconciliation.kind import KIND

Trigger = ReconciliationRun.Trigger


def save_reconciliation(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make a reconciliation or change one; the next comparison goes by what it says then."""
    domain = Domain.objects.filter(slug=document.get("domain")).first()
    return save({"kind": KIND, **document}, act="reconciliation.saved", by=by, reason=reason, domain=domain)


@transaction.atomic
def delete_reconciliation(reconciliation: Reconciliation, *, by: Any) -> None:
    """Its gaps, matches and signatures go with it; one with a signed period stays."""
    if signed := reconciliation.sheets.exclude(status="open").order_by("period").first():
        raise ConfigError(
            f"{signed} is {signed.get_status_display().lower()}: what was signed is kept.",
            where=reconciliation.slug,
            fix="Pause it instead.",
        )
    before = kind(KIND).dump(reconciliation.slug)
    tell(Act("reconciliation.deleted", KIND, reconciliation.slug, by=by, before=before, domain=reconciliation.domain))
    reconciliation.delete()


# Comparing -------------------------------------------------------------------------------------------------
@transaction.atomic
def start(
    reconciliation: Reconciliation, *, by: Any = None, trigger: str = Trigger.MANUAL, is_small_accepted: bool = False
) -> tuple[ReconciliationRun, bool]:
    """Its active comparison, made and rung for when there is none; (run, made)."""
    run, made = runs.start(reconciliation, trigger=trigger, by=by, is_small_accepted=is_small_accepted)
    if made:
        runs.ring(run)
        if by is not None:
            details = {"run": run.pk, "is_small_accepted": is_small_accepted}
            tell(Act("reconciliation.compared", KIND, reconciliation.slug, by=by, details=details))
    return run, made


def compare_here(
    reconciliation: Reconciliation, *, by: Any = None, is_small_accepted: bool = False
) -> ReconciliationRun:
    """Compare in this process and wait for it. Raises ConfigError while a worker is at it."""
    run, made = runs.start(reconciliation, trigger=Trigger.MANUAL, by=by, is_small_accepted=is_small_accepted)
    found = work.execute(run.pk)
    if found is None and (made or run.is_active):
        raise ConfigError(f"A worker is comparing {reconciliation} now ({run}).", fix="Wait for it, or cancel it.")
    run.refresh_from_db()
    return run


@transaction.atomic
def cancel(run: ReconciliationRun, *, by: Any) -> bool:
    """False when it had ended already."""
    done = runs.cancel(run)
    if done:
        tell(Act("reconciliation.cancelled", KIND, run.reconciliation.slug, by=by, details={"run": run.pk}))
    return done


# By itself -------------------------------------------------------------------------------------------------
def on_run_ended(*, run: Run) -> None:
    """Part of the transaction that ends a sync's run: the comparison after it stands in the database before any message."""
    if run.status in WENT_THROUGH:
        rows = Reconciliation.objects.filter(is_paused=False, after__contains=[run.sync.slug], asked_at__isnull=True)
        rows.update(asked_at=Now())


def start_due() -> list[ReconciliationRun]:
    """Start what a schedule or an ended run asks for, once each, and ring again for what nobody works on."""
    started = [run for reconciliation in _due() if (run := _start_one(reconciliation.pk)) is not None]
    for run_id in runs.stranded():
        runs.ring(ReconciliationRun(pk=run_id))
    return started


def _due() -> list[Reconciliation]:
    rows = Reconciliation.objects.filter(is_paused=False)
    asked = rows.filter(asked_at__isnull=False)
    return list((asked | rows.filter(next_at__lte=business_now())).order_by("pk"))


@transaction.atomic
def _start_one(pk: int) -> ReconciliationRun | None:
    """Claimed by its row: of two ticks at once the second finds nothing. What comes while one runs is asked for again."""
    found = Reconciliation.objects.select_for_update(skip_locked=True).filter(pk=pk, is_paused=False).first()
    if found is None:
        return None
    now = business_now()
    is_slot = found.next_at is not None and found.next_at <= now
    if not is_slot and found.asked_at is None:
        return None
    trigger = Trigger.SCHEDULE if is_slot else Trigger.AFTER
    run, made = runs.start(found, trigger=trigger)
    if not made:
        return None
    runs.ring(run)
    following = next_slot(found.cron, found.time_zone, after=now) if found.cron else None
    Reconciliation.objects.filter(pk=pk).update(asked_at=None, next_at=following)
    return run
