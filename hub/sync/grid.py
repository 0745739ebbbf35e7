"""Runs as a grid: a sync's stages by its last runs, or syncs by theirs. What each cell shows, and how long each run took.

A run that waits is never drawn like one that succeeded; a stage that a run did not reach is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from hub.common.display import duration
from hub.common.states import state_of
from hub.sync.models import Sync
from hub.sync.states import ACTIVE, RunStatus

COLUMNS, MOST_ROWS = 60, 50
OUTCOME = "run"
# Stages in the order in which they come; others follow by name.
STAGES = ("plan", "open", "claim", "waiting for source", "prepare", "store", "intent", "target", "outcome")
STAGE_WORDS = {
    OUTCOME: "The run",
    "plan": "Plan",
    "open": "Open the connection",
    "claim": "Take what is due, map",
    "waiting for source": "Wait for the source",
    "prepare": "Check, map, match",
    "store": "Store and outbox",
    "intent": "Commit the intent",
    "target": "Target",
    "outcome": "Commit the outcome",
}


@dataclass(frozen=True, slots=True)
class GridRun:
    """A run as the grid draws it."""

    id: int
    sync_id: int
    status: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings: dict[str, float]
    stage: str

    @property
    def seconds(self) -> float:
        """From its first claim to its end; 0 while that is not known."""
        return (self.finished_at - self.started_at).total_seconds() if self.started_at and self.finished_at else 0.0

    @property
    def waited(self) -> float:
        """From when it was due to when a worker took it."""
        return max((self.started_at - self.created_at).total_seconds(), 0.0) if self.started_at else 0.0

    @property
    def title(self) -> str:
        parts = [f"Run {self.id}", state_of(self.status).word]
        parts += [f"took {duration(self.seconds)}"] if self.seconds else []
        return ", ".join([*parts, f"waited {duration(self.waited)}"])


@dataclass(frozen=True, slots=True)
class Cell:
    """A run in a row: its state, and the seconds of a stage. Without a run, or before it got there, it is empty."""

    run: GridRun | None = None
    status: str = ""
    seconds: float | None = None

    @property
    def title(self) -> str:
        if self.run is None:
            return ""
        took = f", {duration(self.seconds)}" if self.seconds is not None else ""
        return f"Run {self.run.id}: {state_of(self.status).word}{took}"


@dataclass(slots=True)
class GridRow:
    label: str
    url: str
    cells: list[Cell]
    below: str = ""


@dataclass(slots=True)
class Grid:
    """`runs` are the columns, oldest first, where all rows share them."""

    rows: list[GridRow]
    runs: list[GridRun] = field(default_factory=list)

    @property
    def longest(self) -> float:
        return max((run.seconds + run.waited for run in self.runs), default=0.0)


def of_sync(sync: Sync) -> Grid:
    """The stages of one sync by its last runs."""
    runs = _runs([sync.pk]).get(sync.pk, [])
    names = [OUTCOME, *_stages(runs)][:MOST_ROWS]
    rows = [
        GridRow(STAGE_WORDS.get(name, name.capitalize()), "", [_stage(run, name) for run in runs]) for name in names
    ]
    return Grid(rows, runs)


def of_syncs(syncs: Sequence[Sync]) -> Grid:
    """Syncs by their last runs; each column is as many runs ago as it stands from the right."""
    runs = _runs([sync.pk for sync in syncs], with_stages=False)
    rows = [GridRow(sync.name, sync.slug, _aligned(runs.get(sync.pk, [])), str(sync.entity)) for sync in syncs]
    return Grid(rows)


def _aligned(runs: Sequence[GridRun]) -> list[Cell]:
    cells = [Cell(run, run.status, run.seconds or None) for run in runs]
    return [Cell()] * (COLUMNS - len(cells)) + cells


def _stages(runs: Iterable[GridRun]) -> list[str]:
    """All stages that any of these runs came to, in their order."""
    seen = {name for run in runs for name in run.timings}
    return [name for name in STAGES if name in seen] + sorted(seen - set(STAGES))


def _stage(run: GridRun, name: str) -> Cell:
    if name == OUTCOME:
        return Cell(run, run.status, run.seconds or None)
    if run.status == RunStatus.QUEUED and not run.timings:
        return Cell(run, RunStatus.QUEUED)
    seconds = run.timings.get(name)
    if seconds is None:
        return Cell(run)
    return Cell(run, _stage_status(run, name), seconds)


def _stage_status(run: GridRun, name: str) -> str:
    """A stage that the run got beyond has succeeded; the last one shares the run's end."""
    last = _stages([run])[-1] if run.timings else ""
    if run.status in ACTIVE:
        return RunStatus.RUNNING if name == (run.stage or last) else RunStatus.SUCCEEDED
    if run.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        return run.status if name == last else RunStatus.SUCCEEDED
    return RunStatus.SUCCEEDED


def _runs(sync_ids: Sequence[int], *, with_stages: bool = True) -> dict[int, list[GridRun]]:
    """The last runs of each sync, oldest first: one index probe a sync. Backfills say nothing of how it goes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.id, s.id, r.status, r.created_at, r.started_at, r.finished_at,"
            f" {'r.timings::text' if with_stages else 'null'}, r.stage"
            " from unnest(%s::bigint[]) s(id) cross join lateral (select id, status, created_at, started_at, finished_at,"
            " timings, stage from sync_run where sync_id = s.id and trigger <> 'backfill' order by id desc limit %s) r"
            " order by r.id",
            [list(sync_ids), COLUMNS],
        )
        rows = cursor.fetchall()
    found: dict[int, list[GridRun]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(GridRun(*(*row[:6], _timings(row[6]), row[7])))
    return found


def _timings(text: str | None) -> dict[str, float]:
    found = orjson.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def export_rows(grid: Grid) -> Iterable[dict[str, Any]]:
    """One row for each cell that holds a run."""
    for row in grid.rows:
        for cell in row.cells:
            if cell.run is not None:
                yield {
                    "row": row.label,
                    "run": cell.run,
                    "status": cell.status or "not reached",
                    "seconds": cell.seconds,
                }
