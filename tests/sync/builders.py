"""Small worlds for engine tests: a memory system with a stream, an entity with its contract, mappings and syncs."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from connectors.models import Connection, Stream, System
from governance.models import Entity
from governance.services import activate_schema, create_entity
from hub.accounts.models import Domain
from hub.sync.models import HeldRecord, Sync
from hub.sync.states import HeldState
from mappings.models import Mapping
from mappings.services import activate_rules
from tests import memory

PROJECT: dict[str, Any] = {
    "type": "object",
    "required": ["code", "name"],
    "properties": {
        "code": {"type": "string", "minLength": 1, "maxLength": 20, "x-key": True},
        "name": {"type": "string", "maxLength": 200},
        "budget": {"type": "string", "format": "decimal", "x-money": "currency"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "x-currency": True},
        "customer": {"type": "string", "x-customer": True},
        "status": {"enum": ["draft", "active", "closed"]},
    },
}
PROJECT_RULES = [
    {"target": "code", "source": "code"},
    {"target": "name", "source": "title"},
    {"target": "budget", "source": "budget", "type": "decimal"},
    {"target": "currency", "source": "currency"},
    {"target": "status", "source": "status"},
]
OUT_RULES = [
    {"target": "number", "source": "code"},
    {"target": "description", "source": "name"},
    {"target": "amount", "source": "budget", "type": "decimal"},
]
TIME: dict[str, Any] = {
    "type": "object",
    "required": ["number", "project", "hours"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "project": {"type": "string", "x-ref": "project", "x-project": True},
        "hours": {"type": "string", "format": "decimal"},
    },
}


def connection(name: str) -> Connection:
    memory.SYSTEMS[name] = memory.MemorySystem()
    owner, _ = System.objects.get_or_create(slug=name, defaults={"name": name})
    found, _ = Connection.objects.get_or_create(
        slug=name, defaults={"name": name, "system": owner, "protocol": memory.PROTOCOL, "config": {"name": name}}
    )
    return found


def entity(slug: str, schema: dict[str, Any]) -> Entity:
    domain = Domain.objects.get(slug="project-wbs")
    found = create_entity(name=slug.title(), slug=slug, domain=domain, by=None)
    activate_schema(contract=found.contract, schema=schema, by=None)
    return found


def stream(owner: Connection, name: str, *, key: str = "id", cursor: str = "") -> Stream:
    return Stream.objects.create(
        connection=owner, slug=f"{owner.slug}-{name}", name=name, key_fields=[key], cursor_field=cursor
    )


def sync(slug: str, direction: str, source: Stream, target: Entity, rules: list[dict[str, Any]], **fields: Any) -> Sync:
    mapping = Mapping.objects.create(slug=slug, name=slug, direction=direction, stream=source, entity=target)
    activate_rules(mapping=mapping, rules=rules, by=None)
    return Sync.objects.create(slug=slug, name=slug, mapping=mapping, **fields)


def project_row(number: int, **changes: Any) -> dict[str, Any]:
    row = {"id": str(number), "code": f"P-{number:04d}", "title": f"Project {number}", "budget": "1000.00"}
    return {**row, "currency": "EUR", "status": "active", **changes}


def held(owner: Sync, external_id: str, body: dict[str, Any], state: int = HeldState.RELEASED) -> HeldRecord:
    now = timezone.now()
    return HeldRecord.objects.create(
        sync=owner,
        external_id=external_id,
        state=state,
        error_code="WAITING",
        error_detail="project '1' is not in the hub yet.",
        body=body,
        transaction_id=1,
        first_at=now,
        last_at=now,
    )
