"""How runs went: failed, slow, empty, unusual, or none for too long."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from statistics import median
from typing import Any

from django.urls import reverse

from hub.common.display import duration
from hub.sync.states import WENT_THROUGH, RunStatus
from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import JudgedRun, Look, WatchedSync
from monitoring.alerts.usual import Usual, usual_of

# With fewer runs nothing is usual, and a run of a few seconds is never slow.
ENOUGH_RUNS = 10
SHORT_SECONDS = 60.0
# The error code of runs that were called suspect because of their volume.
UNUSUAL = "UNUSUAL_VOLUME"


def finding(sync: WatchedSync, value: Decimal | int | float, words: str, *, url: str = "", **more: Any) -> Finding:
    return Finding(
        sync.subject,
        sync.name,
        Decimal(str(round(value, 2))),
        words,
        url=url or sync.url,
        domain_id=sync.domain_id,
        system_id=sync.system_id,
        sync_id=sync.id,
        connection_id=sync.connection_id,
        **more,
    )


def run_url(run: JudgedRun) -> str:
    return reverse("sync:run_detail", args=[run.id])


@condition(
    "failed_run",
    "Runs fail",
    unit="runs in a row",
    help="Counts the failed runs of a sync since its last one that went through.",
    warning="1",
    critical="3",
    is_effect=True,
)
def failed_runs(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        runs = look.runs.get(sync.id, [])
        failed = next((n for n, run in enumerate(runs) if run.status != RunStatus.FAILED), len(runs))
        if failed:
            times = "failed" if failed == 1 else f"failed {failed} times in a row"
            yield finding(sync, failed, f"It {times}: {runs[0].error[:300]}", url=run_url(runs[0]))


@condition(
    "suspect_run",
    "A run is suspect",
    unit="runs in a row",
    help="Zero records, a half file, a vanished field: the run went through and is not believed.",
    warning="1",
    critical="3",
)
def suspect_runs(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        runs = look.runs.get(sync.id, [])
        suspect = next((n for n, run in enumerate(runs) if not _is_doubted(run)), len(runs))
        if suspect:
            yield finding(sync, suspect, runs[0].error[:300] or "The run is suspect.", url=run_url(runs[0]))


def _is_doubted(run: JudgedRun) -> bool:
    """By itself; what another condition called suspect is told by that one."""
    return run.status == RunStatus.SUSPECT and run.error_code != UNUSUAL


@condition(
    "rejected_rows",
    "Records are rejected",
    unit="% of the last run",
    help="The part of the records of a sync's last run that did not pass.",
    warning="1",
    critical="10",
)
def rejected_rows(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        run = next(iter(look.runs.get(sync.id, [])), None)
        if run and run.read and (stopped := run.rejected + run.failed):
            words = f"{stopped:,} of {run.read:,} records did not pass."
            yield finding(sync, stopped * 100 / run.read, words, url=run_url(run), records=stopped)


@condition(
    "slow_run",
    "Runs are slow",
    unit="times the usual",
    help=f"Against the median of the last {Look.RUNS} runs; needs {ENOUGH_RUNS}, and a minute.",
    warning="3",
    critical="10",
)
def slow_runs(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        runs = [run for run in look.runs.get(sync.id, []) if run.status in WENT_THROUGH]
        if len(runs) <= ENOUGH_RUNS or runs[0].seconds < SHORT_SECONDS:
            continue
        usual = median(run.seconds for run in runs[1:])
        words = f"It took {duration(runs[0].seconds)}; usually it takes {duration(usual)}."
        yield finding(sync, runs[0].seconds / max(usual, 1.0), words, url=run_url(runs[0]))


@condition(
    "no_records",
    "Nothing comes any more",
    unit="empty runs in a row",
    help="Only where runs at that hour of that weekday usually bring something; see the volume.",
    warning="2",
    critical="6",
    every_seconds=300,
)
def no_records(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        runs = [run for run in look.runs.get(sync.id, []) if run.status in WENT_THROUGH]
        empty = next((n for n, run in enumerate(runs) if run.read), len(runs))
        usual = _usual(look, sync, runs[0]) if empty else None
        if usual and usual.middle >= 1:
            words = f"{empty} run{'s' if empty > 1 else ''} brought no record; usually there are {usual.middle:,.0f}."
            yield finding(sync, empty, words, url=run_url(runs[0]), run_id=runs[0].id)


@condition(
    "volume",
    "Far more or fewer records than usual",
    unit="deviations from the usual",
    help="Robust: median and median deviation of the same weekday and hour, else of all runs; needs history.",
    warning="6",
    critical="12",
    every_seconds=300,
)
def volumes(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        runs = [run for run in look.runs.get(sync.id, []) if run.status in WENT_THROUGH]
        usual = _usual(look, sync, runs[0]) if runs else None
        if usual is None:
            continue
        distance = usual.distance(runs[0].read)
        if distance:
            much = "more" if runs[0].read > usual.middle else "fewer"
            words = f"{runs[0].read:,} records, {much} than the usual {usual.middle:,.0f} ({usual.words})."
            yield finding(sync, distance, words, url=run_url(runs[0]), run_id=runs[0].id)


def _usual(look: Look, sync: WatchedSync, run: JudgedRun) -> Usual | None:
    return usual_of(look.volumes.get(sync.id, []), run.started_at, but=run.id)


@condition(
    "no_success",
    "No recent success",
    unit="hours",
    help="Since the last run of a scheduled sync that went through, or since the sync was made.",
    warning="26",
    critical="74",
    is_effect=True,
)
def no_recent_success(look: Look) -> Iterator[Finding]:
    for sync in look.live:
        if not sync.has_schedule:
            continue
        last = look.last_success.get(sync.id)
        hours = max((look.now - (last or sync.created_at)).total_seconds() / 3600, 0)
        words = f"The last success was {duration(hours * 3600)} ago." if last else "It has never gone through."
        yield finding(sync, hours, words)
