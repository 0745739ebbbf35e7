"""Every act on syncs and runs that a person, a program or the command line can ask for."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.utils import timezone

from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.sync import engine, gate, probing, runs
from hub.sync.models import Crawl, Duplicate, Run, Standstill, Sync, SyncState
from hub.sync.states import ACTIVE

# Locally executed runs take the work themselves instead of waiting for a worker.
POLL_SECONDS = 0.2


@transaction.atomic
def start_run(*, sync: Sync, by: Any = None, trigger: str = Run.Trigger.MANUAL) -> tuple[Run, bool]:
    """Start the sync now; (its active run, False) when one is under way already."""
    refuse_paused(sync)
    return engine.start(sync, trigger=trigger, by=by)


def refuse_paused(sync: Sync) -> None:
    """Raises ConfigError with what has to be resumed before the sync can work."""
    if sync.is_paused:
        raise ConfigError(f"The sync {sync.name!r} is paused.", fix="Resume it first.", code="PAUSED")
    if sync.stream.connection.is_paused:
        name = sync.stream.connection.name
        raise ConfigError(f"The connection {name!r} is paused.", fix="Resume it first.", code="PAUSED")
    if Standstill.objects.filter(is_paused=True).exists():
        raise ConfigError("All work of the hub is paused.", fix="Resume everything first.", code="PAUSED")


def run_here(*, sync: Sync, by: Any = None) -> Run:
    """Execute the sync in this process; joins a run that is under way. Returns the finished run.

    A run under way that asks the source nothing is waited for, and followed by a whole one.
    """
    refuse_paused(sync)
    while True:
        run, _ = runs.create(sync=sync, trigger=Run.Trigger.MANUAL, by=by)
        _work_off(run)
        if run.trigger not in Run.NARROW:
            return run


def _work_off(run: Run) -> None:
    while run.is_active:
        engine.execute(run.pk)
        run.refresh_from_db()
        if run.is_active:
            _refuse_shut(run)
            time.sleep(POLL_SECONDS)


def _refuse_shut(run: Run) -> None:
    """Whoever waits here is told why it would take long; the run is kept, and goes on by itself."""
    reason = gate.why_shut(run.sync_id, run_id=run.pk)
    if reason and reason.why not in ("busy", "trial"):
        raise ConfigError(
            reason.sentence, where=f"run {run.pk}", fix="The run waits and goes on by itself.", code="WAITS"
        )


def wait_for(run: Run, *, timeout_seconds: float) -> Run:
    """Wait until workers have finished a run; raises ConfigError when they have not in time."""
    deadline = time.monotonic() + timeout_seconds
    while run.is_active:
        if time.monotonic() > deadline:
            raise ConfigError(f"Run {run.pk} is not finished after {timeout_seconds:.0f} s.", fix="Look at its page.")
        time.sleep(POLL_SECONDS)
        run.refresh_from_db()
    return run


@transaction.atomic
def cancel_run(*, run: Run, by: Any, note: str = "") -> bool:
    """Stop a run at its next page; False when it had ended already. Who did it, and why, stays on the run."""
    words = f"Cancelled by {by}{f': {note.strip()}' if note.strip() else '.'}"
    cancelled = runs.cancel(run)
    if cancelled:
        Run.objects.filter(pk=run.pk).update(error_code="CANCELLED", error=words[:1000])
        facts.publish("run_cancelled", run=run, by=by)
    return cancelled


@transaction.atomic
def set_paused(*, sync: Sync, is_paused: bool, reason: str = "", by: Any = None) -> None:
    """Stop a sync at its next page or batch, or let it go on; what waits is kept."""
    sync.is_paused, sync.pause_reason = is_paused, tidy(reason) if is_paused else ""
    sync.paused_by, sync.paused_at = (by, timezone.now()) if is_paused else (None, None)
    sync.save(update_fields=["is_paused", "pause_reason", "paused_by", "paused_at", "updated_at"])
    facts.publish("sync_paused", sync=sync, is_paused=is_paused, reason=reason, by=by)
    if not is_paused:
        probing.wake(Sync.objects.filter(pk=sync.pk))


@transaction.atomic
def set_standstill(*, is_paused: bool, reason: str, by: Any) -> Standstill:
    """Stop all work of the hub at the next page or batch, or let it go on. Raises ConfigError for a stop without a reason."""
    reason = needed(reason, "Say why all work is paused.", where="reason") if is_paused else tidy(reason)
    found = Standstill.objects.select_for_update().filter(pk=1).first() or Standstill()
    found.is_paused, found.reason, found.by, found.at = is_paused, reason, by, timezone.now()
    found.save()
    facts.publish("everything_paused", is_paused=is_paused, reason=reason, by=by)
    if not is_paused:
        probing.wake(Sync.objects.all())
    return found


@transaction.atomic
def reset_cursor(*, sync: Sync, by: Any) -> None:
    """Make the next run read everything again; what is unchanged stays unchanged."""
    if Run.objects.filter(sync=sync, status__in=ACTIVE).exists():
        raise ConfigError("A run is under way.", fix="Cancel it or wait for its end.", code="RUNNING")
    SyncState.objects.update_or_create(sync=sync, defaults={"cursor": None, "run_id": None})
    facts.publish("cursor_reset", sync=sync, by=by, at=timezone.now())


def report(run: Run) -> dict[str, Any]:
    """A finished run as `run_sync --json` prints it."""
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    found: dict[str, Any] = {"run": run.pk, "status": run.status, **run.counts, "seconds": seconds}
    crawl = Crawl.objects.filter(pk=run.pk).first()
    if crawl is not None:
        found |= {"missing": crawl.missing, "removed": crawl.removed, "doubts": crawl.doubts}
    if held := Duplicate.objects.filter(run_id=run.pk).count():
        found["possible_duplicates"] = held
    if run.error:
        found |= {"error": run.error, "code": run.error_code}
    return found
