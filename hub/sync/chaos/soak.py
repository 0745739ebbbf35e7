"""Everything at once: every few seconds one fault of many, for as long as is asked."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub.sync.chaos import faults_services as breaking
from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import LEASE_SECONDS, Fault, Nemesis, Stage
from hub.sync.chaos.interrupter import Strike
from hub.sync.chaos.target import LONGEST_SECONDS

EVERY_SECONDS = (2.0, 8.0)
# Until the pool is warm its memory says nothing.
WARM_SECONDS = 20.0


def kill_child(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    return _signal(crew.children(), signal.SIGKILL, pick)


def kill_worker(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    return _signal([crew.process.pid] if crew.process else [], signal.SIGKILL, pick)


def freeze(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    """Longer than a lease; nothing changes at the source until what it then sends, too late, has arrived."""
    pids = crew.children()
    if not pids:
        return False
    frozen = [pick.choice(pids)]
    is_frozen = _signal(frozen, signal.SIGSTOP, pick)
    time.sleep(LEASE_SECONDS * 1.5)
    is_thawed = _signal(frozen, signal.SIGCONT, pick)
    time.sleep(LONGEST_SECONDS)
    return is_frozen and is_thawed


def _signal(pids: list[int], signum: int, pick: random.Random) -> bool:
    try:
        os.kill(pick.choice(pids), signum)
        return True
    except (IndexError, ProcessLookupError):
        return False


STRIKES: tuple[Strike, ...] = (
    kill_child,
    kill_worker,
    freeze,
    breaking.flush,
    breaking.restart_broker,
    breaking.reset_broker,
    breaking.fill_broker,
    breaking.restart_database,
    breaking.cut_at_commit,
    breaking.relieve,
)


@dataclass
class Soak(Nemesis):
    """`left` is 1 until the time is over."""

    pick: random.Random
    seconds: float
    left: int = 1
    drives: bool = True
    struck: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    started_at: float = field(default_factory=time.monotonic)
    next_at: float = 0.0
    stage: Stage = field(init=False)

    @property
    def fired(self) -> int:  # type: ignore[override]
        return sum(self.struck.values())

    def enter(self, stage: Stage) -> None:
        self.stage, self.started_at = stage, time.monotonic()

    def act(self, crew: Crew) -> None:
        now = time.monotonic()
        if now - self.started_at > self.seconds:
            self.left = 0
        if not self.left or now < self.next_at:
            return
        if now - self.started_at > WARM_SECONDS:
            self.memory.append(crew.memory())
        strike = self.pick.choice(STRIKES)
        self.struck[strike.__name__] += strike(self.stage, crew, self.pick)
        self.next_at = time.monotonic() + self.pick.uniform(*EVERY_SECONDS)

    def figures(self) -> dict[str, Any]:
        return {"struck": dict(self.struck), "largest_worker_mb": max(self.memory, default=0) // 2**20}


FAULTS = (
    Fault(
        "F38",
        "Everything at once, for as long as is asked (--seconds)",
        lambda options, pick: Soak(pick, options.seconds),
        doubles_allowed="CD",
        through=("broker", "database"),
        missing=breaking.missing,
    ),
)
