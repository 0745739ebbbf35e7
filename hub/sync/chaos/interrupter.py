"""A nemesis that strikes, waits until a worker takes up work again, and strikes again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import Nemesis, Stage
from hub.sync.models import Run
from hub.sync.states import RunStatus

# Work has to go on this long after what was broken is whole again; later than this nobody waits for it any more.
WITHIN_SECONDS = 30.0
GIVE_UP_SECONDS = 90.0

# Breaks something and mends it; False when there was nothing to break.
Strike = Callable[[Stage, Crew, random.Random], bool]


@dataclass
class Interrupter(Nemesis):
    """`left` strikes, in the middle of the work or, `when_idle`, while there is none. A strike counts when work goes on."""

    pick: random.Random
    left: int
    strike: Strike
    within_seconds: float = WITHIN_SECONDS
    pause: tuple[float, float] = (0.2, 1.5)
    when_idle: bool = False
    drives: bool = True
    fired: int = 0
    slowest: float = 0.0
    stage: Stage = field(init=False)
    whole_at: datetime | None = None  # since when work should go on
    claims: int = 0
    next_at: float = field(default_factory=time.monotonic)

    def enter(self, stage: Stage) -> None:
        self.stage = stage

    def act(self, crew: Crew) -> None:
        if self.whole_at is not None:
            self._await(crew)
        elif self.left and time.monotonic() >= self.next_at and self._is_worth_it(crew):
            self._strike(crew)

    def _is_worth_it(self, crew: Crew) -> bool:
        """A run that is broken off three times before it stores anything is given up, and rightly so."""
        return crew.is_idle == self.when_idle and not crew.is_at_it_again

    def _strike(self, crew: Crew) -> None:
        if self.strike(self.stage, crew, self.pick):
            self.fired += 1
            self.whole_at, self.claims = datetime.now(UTC), crew.claims

    def _await(self, crew: Crew) -> None:
        """Workers take up runs again, and no run that was under way is left behind."""
        assert self.whole_at
        seconds = (datetime.now(UTC) - self.whole_at).total_seconds()
        is_behind = crew.oldest_at is not None and crew.oldest_at < self.whole_at
        if (crew.claims > self.claims and not is_behind) or seconds > GIVE_UP_SECONDS:
            self.slowest = max(self.slowest, seconds)
            self.left, self.whole_at = self.left - 1, None
            self.next_at = time.monotonic() + self.pick.uniform(*self.pause)

    def wants_work(self, crew: Crew) -> bool:
        """A strike counts once a worker has taken up a run that was made after it."""
        return self.whole_at is not None or (crew.is_idle and not self.when_idle)

    def figures(self) -> dict[str, Any]:
        return {"slowest_recovery_seconds": round(self.slowest, 1)}

    def problem(self) -> str:
        syncs = (self.stage.inbound, self.stage.outbound)
        if failed := Run.objects.filter(sync__in=syncs, status=RunStatus.FAILED).order_by("pk").first():
            return f"A run failed for what passes by itself: {failed.error}"
        if self.slowest <= self.within_seconds:
            return ""
        return f"Work went on {self.slowest:.0f} s after what was broken was whole; {self.within_seconds:.0f} s is the most."
