"""Short ways to a simulated vendor and to the shipped connector for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors import catalog
from connectors.registry import open_connector
from connectors.rest.connector import RestConnector
from connectors.simulators.client import Control
from connectors.simulators.salesforce.org import SalesforceSimulator
from connectors.simulators.wire import SimulatorServer
from hub.common.records import Record, StreamSpec, WriteItem, WriteOutcome

_SECRETS = ("client_secret", "private_key", "refresh_token")


@dataclass
class Org:
    """A running simulator with its control plane."""

    simulator: SalesforceSimulator
    control: Control

    @property
    def url(self) -> str:
        return self.control.url

    def open(self, **config: Any) -> RestConnector:
        """The shipped connector, signed in as the simulator tells; `config` is laid over."""
        told = self.simulator.credentials()
        declaration = catalog.load_file(catalog.SHIPPED / f"{self.simulator.system}.yaml")
        secrets = {name: told[name] for name in _SECRETS} | config.pop("secrets", {})
        values = {name: value for name, value in told.items() if name not in _SECRETS}
        values |= {"url": self.url, "allowed_networks": ["127.0.0.0/8"], **config}
        connector = open_connector(declaration=declaration, config=values, secrets=secrets)
        assert isinstance(connector, RestConnector)
        return connector

    def rows(self, name: str) -> list[Record]:
        return self.control.state(name)

    def with_external_id(self, name: str, key: str) -> list[Record]:
        return [row for row in self.rows(name) if row["Hub_External_Id__c"] == key]

    def calls(self, path: str, method: str = "") -> list[dict[str, Any]]:
        """Requests so far whose path fits the regular expression."""
        return self.control.journal(path=path, method=method)


@contextmanager
def serving(simulator: SalesforceSimulator) -> Iterator[Org]:
    server = SimulatorServer(simulator)
    server.start()
    try:
        server.control.seed("tiny", 1, "2026-11-24")
        yield Org(simulator, Control(server.url))
    finally:
        server.stop()


def read_all(connector: RestConnector, stream: str, cursor: str | None = None, **spec: Any) -> list[Record]:
    return [record for page in connector.read(StreamSpec(stream, **spec), cursor=cursor) for record in page.records]


def upsert(connector: RestConnector, stream: str, records: dict[str, Record]) -> list[WriteOutcome]:
    items = [WriteItem(key, "upsert", body, idempotency_key=f"{stream}:{key}") for key, body in records.items()]
    return list(connector.write(StreamSpec(stream), items))
