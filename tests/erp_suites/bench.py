"""A simulated vendor in this process, and connectors that follow the shipped declaration to it over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from connectors import catalog
from connectors.base import Connector
from connectors.catalog import Declaration
from connectors.registry import open_connector
from connectors.simulators.base import Simulator
from connectors.simulators.client import Control
from connectors.simulators.clock import Clock
from connectors.simulators.wire import SimulatorServer
from hub.common.records import Record, StreamSpec, WriteItem, WriteOutcome

TODAY = date(2026, 11, 24)
# A job is asked about without a pause, and for long enough that none of these tests leaves one running by accident.
QUICK = {"job_every_seconds": 0.01, "job_wait_seconds": 5}


class Bench:
    """One simulator with the small firm, or another profile."""

    def __init__(self, kind: type[Simulator], profile: str = "tiny") -> None:
        self.kind = kind
        self.simulator = kind(Clock())
        self.server = SimulatorServer(self.simulator)
        self.server.start()
        self.server.control.seed(profile, 1, TODAY.isoformat())
        self.control = Control(self.server.url)

    def close(self) -> None:
        self.server.stop()

    def declaration(self) -> Declaration:
        return catalog.load_file(catalog.SHIPPED / f"{self.kind.system}.yaml")

    @contextmanager
    def connect(self, declaration: Declaration | None = None, **more: Any) -> Iterator[Connector]:
        """An open connector; `config`, `secrets` and `limits` go over those of the rehearsal."""
        declaration = declaration or self.declaration()
        told = {"url": self.server.url, **self.simulator.credentials()}
        hidden = {name for name, field in declaration.config.items() if field["secret"]}
        config = {
            **{name: value for name, value in told.items() if name not in hidden},
            "limits": {**QUICK, **more.get("limits", {})},
            "allowed_networks": ["127.0.0.0/8"],
            **more.get("config", {}),
        }
        secrets = {name: value for name, value in told.items() if name in hidden} | more.get("secrets", {})
        with open_connector(declaration=declaration, config=config, secrets=secrets) as connector:
            yield connector

    def asked(self, path: str, **filters: Any) -> list[dict[str, Any]]:
        return self.control.journal(path=path, **filters)


def read_all(connector: Connector, stream: str, cursor: str | None = None, **spec: Any) -> list[Record]:
    return [record for page in connector.read(StreamSpec(stream, **spec), cursor=cursor) for record in page.records]


def last_cursor(connector: Connector, stream: str) -> str:
    pages = list(connector.read(StreamSpec(stream), cursor=None))
    assert pages[-1].cursor
    return pages[-1].cursor


def write(connector: Connector, stream: str, *items: WriteItem) -> list[WriteOutcome]:
    return list(connector.write(StreamSpec(stream), list(items)))


def item(key: str, body: Record, operation: Any = "upsert", ref: str | None = None, attempt: str = "1") -> WriteItem:
    return WriteItem(key, operation, body, ref, idempotency_key=f"test:{key}:{attempt}")
