"""A vendor's simulator in this process with the tiny firm, and its declaration opened against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from connectors import catalog
from connectors.base import Connector
from connectors.registry import open_connector
from connectors.simulators.base import Simulator
from connectors.simulators.client import Control
from connectors.simulators.clock import Clock
from connectors.simulators.vendors import vendor_simulator
from connectors.simulators.wire import SimulatorServer
from hub.common.records import Page, Record, StreamSpec, WriteItem, WriteOutcome

TODAY = date(2026, 11, 24)
NOON = "2026-11-24T12:00:00+00:00"


class Vendor:
    """`simulator` is the oracle, `control` its control plane."""

    def __init__(self, name: str, server: SimulatorServer) -> None:
        self.name, self.url, self.simulator = name, server.url, server.simulator
        self.control = Control(server.url)
        self.declaration = catalog.load_file(catalog.SHIPPED / f"{name}.yaml")

    def connect(self, name: str = "", **changed: Any) -> Connector:
        """A connector of this declaration, or of another one of the same vendor; `changed` goes over the account."""
        declaration = catalog.load_file(catalog.SHIPPED / f"{name or self.name}.yaml")
        account = {"url": self.url, **self.simulator.credentials(), **changed}
        fields = declaration.config
        config = {key: value for key, value in account.items() if key not in fields or not fields[key]["secret"]}
        secrets = {key: str(value) for key, value in account.items() if key in fields and fields[key]["secret"]}
        config["allowed_networks"] = ["127.0.0.0/8"]
        return open_connector(declaration=declaration, config=config, secrets=secrets)

    def pages(self, connector: Connector, stream: str, cursor: str | None = None, **spec: Any) -> list[Page]:
        return list(connector.read(StreamSpec(stream, **spec), cursor=cursor))

    def read(self, connector: Connector, stream: str, cursor: str | None = None, **spec: Any) -> list[Record]:
        return [record for page in self.pages(connector, stream, cursor, **spec) for record in page.records]

    def write(
        self, connector: Connector, stream: str, key: str, body: Record, operation: Any = "upsert", **more: Any
    ) -> WriteOutcome:
        return connector.write(StreamSpec(stream), [WriteItem(key, operation, body, **more)])[0]

    def rows(self, table: str) -> dict[str, Any]:
        return self.simulator.tables[table].rows


@contextmanager
def running(name: str) -> Iterator[Vendor]:
    """The vendor, seeded, at noon of the firm's day."""
    kind: type[Simulator] | None = vendor_simulator(name)
    assert kind is not None
    server = SimulatorServer(kind(Clock()))
    server.start()
    try:
        server.control.seed("tiny", 1, TODAY.isoformat())
        vendor = Vendor(name, server)
        vendor.control.freeze()
        vendor.control.set_clock(NOON)
        yield vendor
    finally:
        server.stop()
