"""manage.py simulate VENDOR… --port P: simulated systems on this machine, for rehearsals and tests."""

from __future__ import annotations

import json
import signal
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.certification.rehearsal import simulators
from connectors.declaration_schema import suggest
from connectors.simulators.clock import Clock
from connectors.simulators.wire import SimulatorServer


class Command(BaseCommand):
    help = "Run simulated systems on loopback; the first listens on the port, each other one on the next."
    # nothing here needs a database
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        known = ", ".join(sorted(simulators()))
        parser.add_argument("vendors", nargs="+", metavar="VENDOR", help=f"one or more of {known}")
        parser.add_argument("--port", type=int, default=0, help="port of the first; free ones when left out")
        parser.add_argument("--profile", default="small", help="size of the demo firm: tiny, small or large:N")
        parser.add_argument("--seed", type=int, default=1, help="another seed gives another firm")
        parser.add_argument("--today", type=date.fromisoformat, default=None, help="the firm's today, YYYY-MM-DD")

    def handle(self, *, vendors: Sequence[str], port: int, **firm: Any) -> None:
        done = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: done.set())
        with ExitStack() as stack:
            servers = [stack.enter_context(_serving(server)) for server in _servers(vendors, port)]
            for server in servers:
                today = firm["today"] or server.simulator.clock.now().date()
                try:
                    server.control.seed(firm["profile"], firm["seed"], today.isoformat())
                except ValueError as error:
                    raise CommandError(str(error)) from None
            self.stdout.write(json.dumps({s.simulator.system: {"port": s.server_port, "url": s.url} for s in servers}))
            self.stdout.flush()
            done.wait()


def _servers(vendors: Sequence[str], port: int) -> Iterator[SimulatorServer]:
    """A server for each vendor, all with one clock; raises CommandError for a vendor or a port that cannot be."""
    known, clock = simulators(), Clock()
    for n, name in enumerate(dict.fromkeys(vendors)):
        if name not in known:
            raise CommandError(f"There is no simulator {name!r}.{suggest(name, sorted(known), everything=True)}")
        try:
            yield SimulatorServer(known[name](clock), port + n if port else 0)
        except OSError as error:
            raise CommandError(f"The port {port + n} is not free: {error.strerror}.") from error


@contextmanager
def _serving(server: SimulatorServer) -> Iterator[SimulatorServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
