"""A small world for the pages: a memory PSA with time entries, an entity with its contract, and mappings between them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from connectors.models import Connection, Stream, System
from governance.models import Entity
from governance.services import activate_schema, create_entity
from hub.accounts.models import Domain
from hub.common.records import FieldInfo
from mappings.models import Mapping, ValueMap
from mappings.services import activate_rules, create_mapping, replace_entries
from tests import memory

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number", "person", "hours"],
    "properties": {
        "number": {"type": "string", "title": "Number", "maxLength": 20, "x-key": True, "examples": ["T-1"]},
        "person": {"type": "string", "title": "Person", "description": "Who worked.", "examples": ["R-1"]},
        "hours": {"type": "string", "format": "decimal", "title": "Hours", "examples": ["7.50"]},
        "date": {"type": "string", "format": "date", "title": "Date", "examples": ["2026-11-23"]},
        "activity": {"type": "string", "enum": ["design", "travel"], "title": "Activity"},
        "comment": {"type": "string", "maxLength": 12, "title": "Comment"},
        "cost_rate": {"type": "string", "format": "decimal", "title": "Cost rate", "x-classification": "restricted"},
        "billable": {"type": "boolean", "title": "Billable"},
        "bill_rate": {"type": "string", "format": "decimal", "title": "Bill rate", "x-classification": "confidential"},
    },
}
FIELDS = [
    FieldInfo("id", "string", "Identifier", True, "TE-1"),
    FieldInfo("number", "string", "Number", True, "TE-90112"),
    FieldInfo("user.email", "string", "Person's e-mail", True, "j.ruiz@example.com"),
    FieldInfo("hours", "decimal", "Hours", True, "8.00"),
    FieldInfo("worked_on", "date", "Worked on", False, "2026-11-23"),
    FieldInfo("kind", "string", "Kind", False, "DES"),
    FieldInfo("notes", "string", "Notes", False, "Workshop"),
    FieldInfo("cost_rate", "decimal", "Cost rate", False, "61.50"),
    FieldInfo("bill_rate", "decimal", "Bill rate", False, "145.25"),
    FieldInfo("is_billable", "boolean", "Billable", False, "true"),
]
RECORDS: list[dict[str, Any]] = [
    {
        "id": str(at),
        "number": f"TE-{90112 + at}",
        "user": {"email": f"person{at}@example.com"},
        "hours": hours,
        "worked_on": "2026-11-23",
        "kind": kind,
        "notes": notes,
        "cost_rate": "61.50",
        "bill_rate": "145.25",
        "is_billable": True,
    }
    for at, (hours, kind, notes) in enumerate(
        [
            ("8.00", "DES", "Plan"),
            ("0.50", "TRV", None),
            ("-2.00", "DES", "Correction"),
            ("7.25", "DES", "Zürich"),
            ("1.00", "TRV", "A workshop that has a very long description"),
            ("3.00", "DES", "Call"),
        ]
    )
]
RULES: list[dict[str, Any]] = [
    {"target": "number", "source": "number"},
    {"target": "person", "source": "user.email"},
    {"target": "hours", "source": "hours", "type": "decimal"},
]


def connection(slug: str = "psa", name: str = "PSA") -> Connection:
    memory.SYSTEMS[slug] = memory.MemorySystem()
    memory.SYSTEMS[slug].sources["times"] = [dict(record) for record in RECORDS]
    owner = System.objects.create(slug=slug, name=name)
    return Connection.objects.create(
        slug=slug, name=name, system=owner, protocol=memory.PROTOCOL, config={"name": slug}, time_zone="Europe/Berlin"
    )


def stream(owner: Connection, name: str = "times", fields: list[FieldInfo] | None = None) -> Stream:
    return Stream.objects.create(
        connection=owner,
        slug=f"{owner.slug}-{name}",
        name=name,
        label="Time entries",
        key_fields=["number"],
        fields=[asdict(each) for each in (FIELDS if fields is None else fields)],
    )


def entity(slug: str = "time_entry", domain: str = "time-expense") -> Entity:
    found = create_entity(name="Time entry", slug=slug, domain=Domain.objects.get(slug=domain), by=None)
    activate_schema(contract=found.contract, schema=SCHEMA, by=None)
    return found


def mapping(direction: str = "in", rules: list[dict[str, Any]] | None = None, *, by: Any = None) -> Mapping:
    """A mapping with a draft (no rules given) or live rules."""
    source = stream(connection())
    made = create_mapping(
        name="Time entries from the PSA", slug="times", direction=direction, stream=source, entity=entity(), by=by
    )
    if rules is not None:
        made.versions.all().delete()
        activate_rules(mapping=made, rules=rules, by=by)
    return made


def value_map(slug: str = "kinds", **fields: Any) -> ValueMap:
    made = ValueMap.objects.create(slug=slug, name="Kinds of work", **fields)
    replace_entries(
        value_map=made,
        entries=[{"source": "DES", "target": "design"}, {"source": "TRV", "target": "travel"}],
        by=None,
    )
    made.refresh_from_db()
    return made
