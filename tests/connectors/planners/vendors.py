"""The vendors of resource planning and identity, each in a process of ours, and what a test must know about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors import registry
from connectors.base import Connector
from connectors.certification.rehearsal import simulator_of
from connectors.registry import open_connector
from connectors.simulators.client import Control
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.wire import SimulatorServer
from hub.common.records import Record, StreamSpec, WriteItem, WriteOutcome
from tests.connectors.tools import LOOPBACK

TODAY = date(2026, 11, 24)


@dataclass(frozen=True)
class Writable:
    """A stream that is written by key: `fresh` makes a body for a key, `table` is the object that then holds it.

    `held` says whether a row of that object is the record of a key, `changed` is a field with another value.
    """

    stream: str
    table: str
    body: Mapping[str, Any]
    title: str
    key_field: str = ""
    bad: Mapping[str, Any] = field(default_factory=dict)

    def item(self, key: str, operation: Any = "upsert", ref: str | None = None, **more: Any) -> WriteItem:
        own = {self.key_field: key} if self.key_field else {}
        return WriteItem(key, operation, {**self.body, **own, **more}, ref)


@dataclass(frozen=True)
class Vendor:
    """`objects` gives the object behind each stream."""

    name: str
    objects: Mapping[str, str]
    writes: Writable
    # streams whose operations no key protects
    unproved: tuple[str, ...] = ()
    # seconds that the declaration waits where the vendor does not say for how long
    waits: float | None = None


_PROJECT = {"title": "Rehearsal", "workspace_group_ids": ["3001"]}
_KANTATA = {name: name for name in ("workspace_groups", "workspaces", "users", "time_entries", "expenses")}
VENDORS: dict[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        Vendor(
            "kantata",
            {**_KANTATA, "workspace_allocations": "workspace_allocations", "rate_cards": "rate_cards"},
            Writable("workspaces", "workspaces", _PROJECT, "title", bad={"currency": "GPB"}),
            waits=5,
        ),
        Vendor(
            "openair",
            {
                "customers": "customers",
                "projects": "projects",
                "project_tasks": "project-tasks",
                "bookings": "bookings",
                "time_entries": "time-entries",
                "expense_reports": "expense-reports",
            },
            Writable("projects", "projects", {"name": "Rehearsal"}, "name", "externalid", {"start_date": "1 May"}),
            waits=60,
        ),
        Vendor(
            "harvest",
            {name: name for name in ("clients", "projects", "users", "time_entries", "expenses", "invoices")},
            Writable(
                "time_entries",
                "time_entries",
                {
                    "user_id": 1_700_001,
                    "project_id": 14_000_001,
                    "spent_date": "2026-11-20",
                    "hours": 2,
                    "notes": "Rehearsal",
                },
                "notes",
                bad={"spent_date": "yesterday"},
            ),
            unproved=("expenses",),
        ),
        Vendor(
            "float",
            {
                **{name: name for name in ("clients", "people", "projects", "tasks", "timeoffs")},
                "logged_time": "logged-time",
            },
            Writable("projects", "projects", {"name": "Rehearsal"}, "name", "project_code", {"client_id": 1}),
            unproved=("tasks",),
        ),
        Vendor(
            "runn",
            {
                **{name: name for name in ("clients", "people", "projects", "assignments", "actuals")},
                "rate_cards": "rate-cards",
            },
            Writable(
                "projects", "projects", {"name": "Rehearsal", "clientId": 299}, "name", bad={"pricingModel": "free"}
            ),
            unproved=("assignments",),
        ),
        *(
            Vendor(
                name,
                {"Users": "Users", "Groups": "Groups"},
                Writable(
                    "Users", "Users", {"displayName": "Rehearsal"}, "displayName", "userName", {"active": "maybe"}
                ),
            )
            for name in ("scim", "entra", "okta")
        ),
    )
}


class Stand:
    """A vendor's simulator with the tiny firm, and connections to it as a person would have filled in the form."""

    def __init__(self, vendor: Vendor, server: SimulatorServer) -> None:
        self.vendor, self.server, self.control = vendor, server, Control(server.url)
        self.declaration = registry.catalogue()[vendor.name]

    @contextmanager
    def connected(self, **given: Any) -> Iterator[Connector]:
        # on loopback nobody waits for a vendor's pace
        config: dict[str, Any] = {"allowed_networks": LOOPBACK, "limits": {"per_second": 1000}}
        secrets: dict[str, str] = {}
        for name, form in self.declaration.config.items():
            if form["secret"]:
                secrets[name] = str(form["example"])
            elif form["format"] == "uri":
                config[name] = self.server.url
            else:
                config[name] = form["default"] if form["default"] not in (None, "") else form["example"]
        if "match_by" in self.declaration.config:
            config["match_by"] = "userName"
        with open_connector(declaration=self.declaration, config={**config, **given}, secrets=secrets) as connector:
            yield connector

    def firm(self) -> Firm:
        """The true story behind the system's data."""
        found = self.server.simulator.firm
        assert found is not None
        return found

    def rows_of(self, key: str) -> list[Record]:
        """What the system holds under a key of ours, by its own books."""
        return [row for row in self.control.state(self.vendor.writes.table) if self._bears(row, key)]

    def _bears(self, row: Record, key: str) -> bool:
        written = self.vendor.writes
        if self.vendor.name == "kantata":
            references = self.control.state("external_references")
            ours = {
                r["subject_id"] for r in references if r["service_model_ref"] == key and r["service_name"] == "Syncline"
            }
            return row["id"] in ours
        if self.vendor.name == "runn":
            return {"referenceName": "syncline", "externalId": key} in (row["references"] or [])
        if self.vendor.name == "harvest":
            return bool((row["external_reference"] or {}).get("id") == key)
        return bool(row.get(written.key_field) == key)


@contextmanager
def standing(name: str) -> Iterator[Stand]:
    kind = simulator_of(name)
    assert kind is not None
    server = SimulatorServer(kind(Clock()))
    server.start()
    try:
        server.control.seed("tiny", 1, TODAY.isoformat())
        yield Stand(VENDORS[name], server)
    finally:
        server.stop()


def read_all(connector: Connector, stream: str, cursor: str | None = None, size: int = 0) -> list[Record]:
    pages = connector.read(StreamSpec(stream, page_size=size), cursor=cursor)
    return [record for page in pages for record in page.records]


def write(connector: Connector, stream: str, *items: WriteItem) -> list[WriteOutcome]:
    return list(connector.write(StreamSpec(stream), items))
