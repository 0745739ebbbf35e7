"""The simulated Microsoft services in this process, each seeded with the small firm, and connections to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from connectors import catalog
from connectors.base import Connector
from connectors.registry import open_connector
from connectors.simulators.base import Simulator
from connectors.simulators.client import Control
from connectors.simulators.clock import Clock
from connectors.simulators.microsoft.business_central import BusinessCentralSimulator
from connectors.simulators.microsoft.dataverse import DataverseSimulator
from connectors.simulators.microsoft.finance import FinanceSimulator
from connectors.simulators.wire import SimulatorServer
from hub.common.records import Record, StreamSpec, WriteItem, WriteOutcome

TODAY = "2026-11-24"
KINDS: tuple[type[Simulator], ...] = (BusinessCentralSimulator, FinanceSimulator, DataverseSimulator)
NAMES = tuple(kind.system for kind in KINDS)


@dataclass
class Service:
    """A running simulator. `faults`, `clock` and `journal` are reached over its control plane."""

    server: SimulatorServer
    control: Control

    @property
    def simulator(self) -> Simulator:
        return self.server.simulator

    def rows(self, name: str) -> list[Record]:
        return list(self.simulator.tables[name].rows.values())

    def sent(self, method: str, path: str) -> int:
        return len(self.control.journal(method=method, path=path))


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, SimulatorServer]]:
    found = {kind.system: SimulatorServer(kind(Clock())) for kind in KINDS}
    for server in found.values():
        server.start()
        server.control.seed("small", 1, TODAY)
    yield found
    for server in found.values():
        server.stop()


@pytest.fixture
def services(servers: dict[str, SimulatorServer]) -> dict[str, Service]:
    """All three after a fresh start."""
    found = {name: Service(server, Control(server.url)) for name, server in servers.items()}
    for service in found.values():
        service.control.reset()
    return found


@pytest.fixture
def bc(services: dict[str, Service]) -> Service:
    return services["business_central"]


@pytest.fixture
def finance(services: dict[str, Service]) -> Service:
    return services["dynamics_finance"]


@pytest.fixture
def dataverse(services: dict[str, Service]) -> Service:
    return services["dataverse"]


def declared(name: str) -> catalog.Declaration:
    return catalog.load_file(catalog.SHIPPED / f"{name}.yaml")


@contextmanager
def opened(service: Service, **changes: Any) -> Iterator[Connector]:
    """The shipped declaration of the vendor, pointed at the simulator; `changes` go over its configuration."""
    declaration = declared(service.simulator.system)
    given = {**service.simulator.credentials(), **dict.fromkeys(("url", "api_url", "login_url"), service.server.url)}
    given |= {"allowed_networks": ["127.0.0.0/8"], **changes}
    with open_connector(declaration=declaration, config=given, secrets=given) as connector:
        yield connector


def read_all(connector: Connector, stream: str, cursor: str | None = None, **spec: Any) -> list[Record]:
    return [record for page in connector.read(StreamSpec(stream, **spec), cursor=cursor) for record in page.records]


def write(connector: Connector, stream: str, *items: WriteItem) -> list[WriteOutcome]:
    return list(connector.write(StreamSpec(stream), items))


def put(
    connector: Connector, stream: str, key: str, body: Record, operation: Any = "upsert", **more: Any
) -> WriteOutcome:
    return write(connector, stream, WriteItem(key, operation, body, **more))[0]
