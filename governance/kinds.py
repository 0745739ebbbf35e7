"""Entity and Contract as configuration documents. A contract's document carries the schema of its active version."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from governance import services
from governance.models import Contract, Entity, OwnershipRule
from governance.ownership import definitions
from governance.ownership.services import check_entity
from governance.schemas import schema_problems
from hub.accounts.models import Domain
from hub.common import governed, registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem


class ContractKind(ModelKind):
    def extra_dump(self, found: Contract) -> Document:
        version = found.versions.filter(status="active").first()
        return {"schema": version.schema} if version else {}

    def extra_validate(self, document: Document) -> list[Problem]:
        if "schema" not in document:
            return [Problem("schema", "Contract needs 'schema': a JSON Schema of one record.")]
        return [Problem(f"schema.{path}".rstrip("."), text) for path, text in schema_problems(document["schema"])]

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        properties = (document.get("schema") or {}).get("properties") or {}
        named = [(name, spec.get("x-ref")) for name, spec in properties.items() if isinstance(spec, dict)]
        return [(f"schema.properties.{name}.x-ref", "Entity", ref) for name, ref in named if ref]

    def extra_apply(self, found: Contract, document: Document, *, by: Any) -> None:
        services.activate_schema(contract=found, schema=document["schema"], by=by)

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return [("Entity", s) for s in Entity.objects.filter(contract__slug=slug).values_list("slug", flat=True)]


class OwnershipRuleKind(ModelKind):
    """Applied alone, a rule in force is checked at once; with others, when all of them are applied."""

    def _value(self, found: OwnershipRule, item: Attr | Ref) -> Any:
        value = super()._value(found, item)
        return value.isoformat() if isinstance(value, date) else value

    def extra_validate(self, document: Document) -> list[Problem]:
        if document.get("replaces") == document["slug"]:
            return [Problem("replaces", "A rule cannot replace itself.")]
        return []

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        return [(f"systems.{place}", "System", slug) for place, slug in enumerate(document.get("systems") or ())]

    def before_save(self, found: OwnershipRule, document: Document) -> None:
        stored = OwnershipRule.objects.filter(pk=found.pk).first() if found.pk else None
        if stored and stored.entity_id != found.entity_id:
            raise ConfigError("A rule stays with its entity.", where="entity", fix="Write a new one.", code="OWNERSHIP")
        if wrong := definitions.problems(found):
            raise ConfigError(wrong[0][1], where=wrong[0][0], code="OWNERSHIP")
        found.was_in_force = stored is not None and stored.status == OwnershipRule.Status.ACTIVE

    def extra_apply(self, found: OwnershipRule, document: Document, *, by: Any) -> None:
        if found.was_in_force or found.status == OwnershipRule.Status.ACTIVE:
            governed.settle(("ownership", found.entity_id), partial(check_entity, found.entity))


def register() -> None:
    registry.register(
        ModelKind(
            name="Entity",
            model=Entity,
            fields=[
                Attr("name", required=True),
                Ref("domain", lambda: Domain, required=True),
                Attr("description"),
                Attr("load_order"),
                Attr("max_wait_seconds"),
            ],
        )
    )
    registry.register(
        ContractKind(
            name="Contract",
            model=Contract,
            after=["Entity"],
            fields=[
                Attr("name", required=True),
                Ref("entity", lambda: Entity, "Entity", required=True),
                Attr("mode"),
                Attr("compatibility"),
            ],
            extra=["schema"],
        )
    )
    registry.register(
        OwnershipRuleKind(
            name="OwnershipRule",
            model=OwnershipRule,
            after=["Contract", "System"],
            fields=[
                Ref("entity", lambda: Entity, "Entity", required=True),
                *(Attr(name) for name in ("group", "fields", "decide", "systems", "policy", "fills_empty")),
                *(Attr(name) for name in ("legal_entities", "phase_field", "phases", "from_date", "to_date")),
                Attr("status"),
                Ref("replaces", lambda: OwnershipRule, "OwnershipRule"),
                Attr("note"),
            ],
        )
    )
