"""Two systems that both know projects, and rules about who owns which field of them."""

from __future__ import annotations

from typing import Any

from governance.models import Entity, OwnershipRule
from governance.ownership import services
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
