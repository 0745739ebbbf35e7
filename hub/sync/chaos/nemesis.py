"""What is done to workers: SIGKILL to a random child or parent, SIGSTOP past the lease."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, field

from hub.sync.chaos.crew import Crew, processor_time
from hub.sync.chaos.fault import Nemesis

PARENT_SHARE = 0.15
FROZEN_SHARE_OF_LEASE = 1.6
LOOK_SECONDS = 0.3


@dataclass
class Killer(Nemesis):
    """`left` SIGKILLs to a child of the pool or, more rarely, to the worker itself.

    The next one comes at a random moment after something has moved again: killing who has not begun yet proves nothing, and
    kills that come faster than a lease ends would only keep everybody from working.
    """

    pick: random.Random
    left: int
    pause: float = 0.8
    patience: float = 10.0  # at the latest after this long, moved or not
    fired: int = 0
    done: int = -1
    next_at: float = field(default_factory=time.monotonic)

    def act(self, crew: Crew) -> None:
        if not self.left or time.monotonic() < self.next_at:
            return
        if crew.done == self.done and time.monotonic() < self.next_at + self.patience:
            return
        victim = self._victim(crew)
        if victim is None:
            return
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.left, self.fired, self.done = self.left - 1, self.fired + 1, crew.done
        self.next_at = time.monotonic() + self.pick.uniform(0.0, 2.0) * self.pause

    def _victim(self, crew: Crew) -> int | None:
        children = crew.children()
        if not children or crew.process is None:
            return None
        return crew.process.pid if self.pick.random() < PARENT_SHARE else self.pick.choice(children)


@dataclass
class Freezer(Nemesis):
    """`left` times a child of the pool is stopped for longer than its lease, then goes on as if nothing had happened.

    One that works: it has used processor time of late. To freeze an idle one proves nothing.
    """

    pick: random.Random
    left: int
    lease_seconds: float
    fired: int = 0
    frozen: int = 0
    thaw_at: float = 0.0
    spent: dict[int, int] = field(default_factory=dict)  # pid → processor time when last looked
    look_at: float = 0.0

    def act(self, crew: Crew) -> None:
        if self.frozen:
            if time.monotonic() >= self.thaw_at:
                self.thaw()
            return
        if self.left and time.monotonic() >= self.look_at and (working := self._working(crew)):
            self._freeze(self.pick.choice(working))

    def _working(self, crew: Crew) -> list[int]:
        before, self.spent = self.spent, {pid: processor_time(pid) for pid in crew.children()}
        self.look_at = time.monotonic() + LOOK_SECONDS
        return [pid for pid, spent in self.spent.items() if pid in before and spent > before[pid]]

    def _freeze(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return
        self.frozen, self.thaw_at = pid, time.monotonic() + FROZEN_SHARE_OF_LEASE * self.lease_seconds
        self.left, self.fired = self.left - 1, self.fired + 1

    def thaw(self) -> None:
        if self.frozen:
            try:
                os.kill(self.frozen, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.frozen = 0

    def leave(self) -> None:
        self.thaw()
