"""Every crash point, many times: a worker process really ends there, another goes on, and the target is compared.

Each life of a worker is a process that is forked for one point. It starts the reading, works off whatever is active, and is
killed by SIGKILL when it comes to the point; what it held is left to the next one, which has to wait for the lease. The rows
of the source change before every life, so that both legs always have work.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from hub.common.errors import ConfigError
from hub.sync import engine, runs, services, sweeper, trouble
from hub.sync.chaos import points
from hub.sync.chaos.points import POINTS, Point
from hub.sync.chaos.source_world import Row, SourceWorld, opened, row
from hub.sync.models import Delivery, HeldRecord, Run, Sync
from hub.sync.outbox import NEVER
from hub.sync.states import ACTIVE, DeliveryState

LEASE_SECONDS = 0.4
# This target answers at once, so that it has settled soon.
SETTLE_SECONDS = 0.3
# A life that has not come to its point after this long has nothing to do with it.
LIFE_SECONDS = 20.0
# Lives that may pass without coming to their point, for each hit that is asked for.
SPARE_LIVES = 4
CHANGED, NEW, PAGE = 4, 2, 5


@dataclass
class Coverage:
    """How often a worker ended at each point."""

    wanted: int
    hits: Counter[str] = field(default_factory=Counter)
    lives: int = 0

    @property
    def missing(self) -> list[Point]:
        return [point for point in POINTS if self.hits[point.name] < self.wanted]

    def as_data(self) -> dict[str, Any]:
        return {"points": {point.name: self.hits[point.name] for point in POINTS}, "lives": self.lives}


@dataclass
class Rows:
    """What the source holds, changed a little before each life."""

    there: SourceWorld
    seed: int
    pick: random.Random
    rows: list[Row] = field(default_factory=list)

    def stir(self) -> None:
        changed = self.pick.sample(self.rows, min(CHANGED, len(self.rows)))
        for one in changed:
            one["amount"] = f"{self.pick.randrange(1, 10_000_000) / 100:.2f}"
        added = [row(len(self.rows) + n, self.seed) for n in range(NEW)]
        self.rows += added
        # this one breaks the contract, stays with a person, and is tried again before every life
        broken = {**row(0, self.seed), "id": "broken", "number": "TE-broken", "amount": "many"}
        self.there.tell("put", [*changed, *added, broken])


def run(hits: int, seed: int, safety: str) -> dict[str, Any]:
    """Kill a worker `hits` times at each point; {"points": {name: hits}, "passed", "reason", figures of the target}."""
    if safety == "D":
        text = "At class D a person settles the doubts, and nobody is here."
        raise ConfigError(text, fix="Choose A, B or C; `chaos model` settles the doubts of D.")
    started = time.monotonic()
    coverage, pick = Coverage(hits), random.Random(seed)
    how: dict[str, Any] = {"page_size": PAGE, "incremental": {"ordered": True}, "settle_seconds": SETTLE_SECONDS}
    with opened(seed, safety=safety, **how) as there:
        rows = Rows(there, seed, pick)
        while coverage.missing and coverage.lives < SPARE_LIVES * hits * len(POINTS):
            point = pick.choice(coverage.missing)
            rows.stir()
            coverage.hits[point.name] += _live(point, pick.random())
            coverage.lives += 1
        for _ in range(2):
            _live(None, 0)
        verdict = there.judge(rows.rows)
    missed = [point.name for point in coverage.missing]
    reason = f"Not often enough: {', '.join(missed)}." if missed else "" if verdict.holds else "See the figures."
    return {
        "fault": "crash-points",
        "safety": safety,
        "seed": seed,
        "fired": sum(coverage.hits.values()),
        **coverage.as_data(),
        **verdict.as_data(),
        "seconds": round(time.monotonic() - started, 1),
        "passed": not reason,
        "reason": reason,
    }


# One life -------------------------------------------------------------------------------------------------------
def _live(point: Point | None, seed: float) -> bool:
    """Work in a process of its own; True when that was killed, False when it came to its end."""
    connections.close_all()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            _work(point, random.Random(seed))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    if os.WEXITSTATUS(status):
        raise RuntimeError("A worker of the crash points ended with an error; see above.")
    return False


def _work(point: Point | None, pick: random.Random) -> None:
    """What a worker does until nothing is left, or until it comes to the point."""
    worker = Worker(point, pick)
    runs.LEASE_SECONDS = LEASE_SECONDS  # type: ignore[assignment]
    inbound, outbound = (Sync.objects.get(slug=slug) for slug in ("chaos-in", "chaos-out"))
    trouble.retry_all_held(HeldRecord.objects.all(), by=None)
    started, is_read = time.monotonic(), False
    while time.monotonic() < started + LIFE_SECONDS:
        worker.work_off()
        if not is_read and not Run.objects.filter(sync=inbound, status__in=ACTIVE).exists():
            services.start_run(sync=inbound)
            is_read = True
        sweeper.start_due_deliveries()
        if is_read and not _is_busy(outbound):
            return
        time.sleep(0.02)


@dataclass
class Worker:
    """Works off runs; with a point, the process ends when a run of the point's leg comes to it."""

    point: Point | None
    pick: random.Random
    leg: str = ""

    def __post_init__(self) -> None:
        if self.point is not None:
            points.install(self.point, self, self.pick)

    def is_due(self) -> bool:
        return self.point is not None and self.leg == self.point.leg

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def work_off(self) -> None:
        is_short = self.point is not None and self.point.what == "run released"
        for run in Run.objects.filter(status__in=ACTIVE).select_related("sync__mapping").order_by("pk"):
            self.leg = run.sync.direction
            engine.execute(run.pk, slice_seconds=0 if is_short else engine.SLICE_SECONDS)
            self.leg = ""


def _is_busy(outbound: Sync) -> bool:
    if Run.objects.filter(status__in=ACTIVE).exists():
        return True
    waits = (DeliveryState.PENDING, DeliveryState.UNSURE)
    return Delivery.objects.filter(sync=outbound, state__in=waits, next_at__lt=NEVER).exists()
