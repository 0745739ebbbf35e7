"""The worker with its pool, as a supervisor keeps it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hub.cli.paths import ROOT
from hub.cli.process import end, kill_group, spawn

# A worker that was asked to finish and has not after this long is killed.
DRAIN_SECONDS = 60.0


@dataclass
class Crew:
    """A worker with its pool, started again whenever its parent is gone, as the supervisor would.

    As far as was last looked, `done` tells how much of the work is done, `claims` how often a run was taken up, `oldest_at` the
    last sign of life of the run under way that has been silent for the longest.
    """

    log: Path
    lease_seconds: float
    concurrency: int = 3
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    done: int = 0
    claims: int = 0
    oldest_at: datetime | None = None
    is_at_it_again: bool = False  # a run was taken up again and has not stored anything since
    slowest_drain: float = 0.0  # seconds that a worker needed at most to finish when it was asked to
    is_idle: bool = False  # nothing was left to do when it was last looked

    def keep_alive(self) -> None:
        if self.process is None or self.process.poll() is not None:
            if self.process is not None:
                kill_group(self.process)  # its pool must not linger
            self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "hub.sync.chaos.worker", str(self.lease_seconds), str(self.concurrency)]
        env = {**os.environ, "HUB_DB_ROLE": "engine", **self.env}
        with open(self.log, "ab") as output:
            self.process = spawn(command, env=env, log=output.fileno(), cwd=ROOT)

    def relieve(self) -> None:
        """A rolling restart: the next worker starts, the one before is asked to finish what it does."""
        before = self.process
        self._start()
        if before is None:
            return
        started = time.monotonic()
        end(before, signal.SIGTERM, grace_seconds=DRAIN_SECONDS)
        self.slowest_drain = max(self.slowest_drain, time.monotonic() - started)

    def children(self) -> list[int]:
        if self.process is None:
            return []
        try:
            listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in listed.split()]

    def memory(self) -> int:
        """Bytes that the largest process of the pool holds."""
        return max((_resident(pid) for pid in self.children()), default=0)

    def stop(self) -> None:
        if self.process is not None:
            kill_group(self.process)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def processor_time(pid: int) -> int:
    """Ticks that a process has used; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
