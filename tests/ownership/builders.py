"""Two systems that both know projects, and rules about who owns which field of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.models import Connection
from governance.models import Entity, OwnershipRule
from governance.ownership import services
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync import services as sync_services
from hub.sync.models import BlockedValue, Run, Sync
from tests import memory
from tests.sync import builders as build

PROJECT: dict[str, Any] = {
    "type": "object",
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "x-key": True},
        "name": {"type": "string"},
        "budget": {"type": "string", "format": "decimal", "x-money": "currency"},
        "currency": {"type": "string", "x-currency": True},
        "status": {"enum": ["draft", "won", "closed", None]},
        "company": {"type": ["string", "null"], "x-legal-entity": True},
        "changed": {"type": "string", "format": "date-time", "x-updated-at": True},
        "secret": {"type": "string", "x-classification": "confidential"},
    },
}
FIELDS = ["name", "budget", "currency", "status", "company", "changed", "secret"]
RULES = [{"target": name, "source": name} for name in ["code", *FIELDS]]


def world() -> Entity:
    """The entity, and the systems crm and erp."""
    for name in ("crm", "erp"):
        build.connection(name)
    return build.entity("project", PROJECT)


def document(slug: str, *systems: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "OwnershipRule", "slug": slug, "entity": "project", "systems": list(systems), **fields}


def draft(slug: str, *systems: str, **fields: Any) -> OwnershipRule:
    services.save(document=document(slug, *systems, **fields), by=None)
    return OwnershipRule.objects.get(slug=slug)


def active(entity: Entity, *documents: dict[str, Any]) -> None:
    """These documents as drafts, then in force."""
    for each in documents:
        services.save(document=each, by=None)
    services.activate(entity=entity, by=None)


@dataclass
class Firm:
    """CRM and ERP both show projects, and both may be told of them."""

    entity: Entity
    crm: Sync
    erp: Sync
    crm_out: Sync
    erp_out: Sync

    def read(self, name: str, *rows: dict[str, Any]) -> Run:
        """The system shows these rows, and the hub reads them."""
        memory.system(name).sources["projects"] = list(rows)
        return sync_services.run_here(sync=getattr(self, name))

    def deliver(self) -> None:
        for run in Run.objects.filter(status="queued", sync__in=[self.crm_out, self.erp_out]).order_by("pk"):
            engine.execute(run.pk)

    def record(self, key: str = "P-1") -> CanonicalRecord:
        return CanonicalRecord.objects.get(key=key)

    def blocked(self, **by: Any) -> BlockedValue:
        return BlockedValue.objects.get(**by)


def firm() -> Firm:
    entity = world()
    streams = {name: build.stream(Connection.objects.get(slug=name), "projects") for name in ("crm", "erp")}
    out = [{"target": name, "source": name} for name in ("code", "name", "budget", "status")]
    found = {name: build.sync(f"{name}-in", "in", streams[name], entity, RULES) for name in streams}
    back = {f"{name}_out": build.sync(f"{name}-out", "out", streams[name], entity, out) for name in streams}
    return Firm(entity, **found, **back)


def row(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"id": str(number), "code": f"P-{number}", **fields}
