"""Entity, Contract, ReviewGroup and ReviewPolicy as configuration documents; a contract's carries its active schema."""

from __future__ import annotations

from typing import Any

from governance import services
from governance.models import Contract, Entity, ReviewGroup, ReviewPolicy
from governance.models.review_policy import EVERY_KIND
from governance.schemas import schema_problems
from hub.accounts.models import Domain
from hub.common import registry
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


class ReviewPolicyKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        name = document.get("of_kind", EVERY_KIND)
        if name == EVERY_KIND or name in registry.kinds():
            return []
        return [Problem("of_kind", f"There is no kind {name!r}. Known: {', '.join(registry.kinds())}, or *.")]


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
        ModelKind(
            name="ReviewGroup",
            model=ReviewGroup,
            fields=[Attr("name", required=True), Attr("members")],
        )
    )
    registry.register(
        ReviewPolicyKind(
            name="ReviewPolicy",
            model=ReviewPolicy,
            after=["ReviewGroup"],
            fields=[
                Attr("name", required=True),
                Attr("of_kind", "kind"),
                Ref("domain", lambda: Domain),
                Attr("path"),
                Ref("group", lambda: ReviewGroup, "ReviewGroup", required=True),
                Attr("approvals"),
            ],
        )
    )
