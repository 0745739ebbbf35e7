"""Runs the four simulated systems in one process: `python -m connectors.simulators.server --base-port 9100`.

The process dies with the one that started it. On Linux the kernel sees to that; it counts the starting *thread*, so
start it from one that lasts. Elsewhere the end of standard input is the sign.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import Any

from connectors.simulators.base import Simulator
from connectors.simulators.clock import Clock
from connectors.simulators.crm import CrmSimulator
from connectors.simulators.erp import ErpSimulator
from connectors.simulators.hris import HrisSimulator
from connectors.simulators.memory import Memory
from connectors.simulators.psa import PsaSimulator
from connectors.simulators.wire import SimulatorServer

SIMULATORS: tuple[type[Simulator], ...] = (CrmSimulator, PsaSimulator, HrisSimulator, ErpSimulator)
_PR_SET_PDEATHSIG = 1


class Landscape:
    """All four systems with one clock. With base port N the CRM listens on N, the PSA on N+1 …; 0 takes free ones.

    A context manager: the systems answer from entering to leaving.
    """

    def __init__(self, base_port: int = 0) -> None:
        self.clock = Clock()
        self.servers = {
            kind.system: SimulatorServer(kind(self.clock), base_port + n if base_port else 0)
            for n, kind in enumerate(SIMULATORS)
        }
        self.memory: Memory | None = None

    def ports(self) -> dict[str, dict[str, Any]]:
        """system -> {"port", "url"}"""
        return {name: {"port": server.server_port, "url": server.url} for name, server in self.servers.items()}

    def seed(self, profile: str, *, seed: int = 1, today: date | None = None) -> None:
        day = (today or self.clock.now().date()).isoformat()
        for server in self.servers.values():
            server.control.seed(profile, seed, day)

    def keep(self, path: Path) -> None:
        """Go on from the writes that `path` holds of the same seeding, and write down those to come."""
        simulators = {name: server.simulator for name, server in self.servers.items()}
        self.memory = Memory(path, simulators, next(iter(self.servers.values())).control.seeding)

    def __enter__(self) -> Landscape:
        for server in self.servers.values():
            server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self.servers.values():
            server.stop()
        if self.memory:
            self.memory.close()


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    done = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    _die_with_parent(options.parent_pid, done)
    try:
        landscape = Landscape(options.base_port)
    except OSError as error:
        last = options.base_port + len(SIMULATORS) - 1
        print(f"The ports {options.base_port} to {last} are not free: {error.strerror}.", file=sys.stderr)
        return 1
    with landscape:
        landscape.seed(options.profile, seed=options.seed, today=options.today)
        if options.state_file:
            landscape.keep(options.state_file)
        _publish(landscape.ports(), options.ports_file)
        done.wait()
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m connectors.simulators.server", description=__doc__)
    parser.add_argument("--ports-file", type=Path, help="write the ports there as JSON")
    parser.add_argument(
        "--base-port", type=int, default=0, help="first of four ports in a row; free ones when left out"
    )
    parser.add_argument("--state-file", type=Path, help="keep there what is written, for the next start")
    parser.add_argument("--profile", default="small", help="tiny, small or large:N")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another firm")
    parser.add_argument("--today", type=date.fromisoformat, help="the firm's today, YYYY-MM-DD")
    parser.add_argument("--parent-pid", type=int, default=0, help="end at once if this is not the parent any more")
    return parser.parse_args(arguments)


def _publish(ports: dict[str, dict[str, Any]], path: Path | None) -> None:
    """The file appears complete or not at all."""
    text = json.dumps(ports)
    if path:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text)
        draft.replace(path)
    print(text, flush=True)


def _die_with_parent(parent_pid: int, done: Event) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        # The parent may have gone before the kernel was asked.
        if parent_pid and os.getppid() != parent_pid:
            done.set()
    elif parent_pid:
        Thread(target=_wait_for_eof, args=(done,), daemon=True).start()


def _wait_for_eof(done: Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    done.set()


if __name__ == "__main__":
    sys.exit(main())
