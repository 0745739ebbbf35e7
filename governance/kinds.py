"""Entity and Contract as configuration documents. A contract's document carries the schema of its active version."""

from __future__ import annotations

from typing import Any

from governance import services
from governance.models import Contract, Entity
from governance.schemas import schema_problems
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem


class ContractKind(ModelKind):
    def extra_dump(self, found: Contract) -> Document:
        version = found.versions.filter(status="active").first()
        if version is None:
            return {}
        accepted = {"accepted_break": version.accepted_break} if version.accepted_break else {}
        return {"schema": version.schema, **accepted}

    def extra_validate(self, document: Document) -> list[Problem]:
        if "schema" not in document:
            return [Problem("schema", "Contract needs 'schema': a JSON Schema of one record.")]
        return [Problem(f"schema.{path}".rstrip("."), text) for path, text in schema_problems(document["schema"])]

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        properties = (document.get("schema") or {}).get("properties") or {}
        named = [(name, spec.get("x-ref")) for name, spec in properties.items() if isinstance(spec, dict)]
        return [(f"schema.properties.{name}.x-ref", "Entity", ref) for name, ref in named if ref]

    def extra_apply(self, found: Contract, document: Document, *, by: Any) -> None:
        accepted = str(document.get("accepted_break") or "")
        version = services.activate_schema(contract=found, schema=document["schema"], by=by, accepted_break=accepted)
        if version.accepted_break != accepted:
            version.accepted_break = accepted
            version.save(update_fields=["accepted_break"])

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return [("Entity", s) for s in Entity.objects.filter(contract__slug=slug).values_list("slug", flat=True)]


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
                Attr("type_mode"),
                Attr("value_mode"),
                Attr("on_breach"),
                Attr("compatibility"),
            ],
            extra=["schema", "accepted_break"],
        )
    )
