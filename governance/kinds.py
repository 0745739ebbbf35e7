"""Entity, Contract and MatchRule as configuration documents. A contract's document carries the schema of its active version."""

from __future__ import annotations

from typing import Any

from governance import services
from governance.match_rules import services as match_rules
from governance.matching import rules
from governance.models import Contract, Entity, MatchRule
from governance.schemas import schema_problems
from hub.accounts.models import Domain
from hub.common import facts, registry
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


class MatchRuleKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        """What the rule says by itself; whether the contract has its fields is seen when it is applied."""
        given = document.get("fields")
        named = [one.get("field") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        return [Problem(path, text) for path, text in rules.problems(given, [str(name) for name in named if name])]

    def before_save(self, found: MatchRule, document: Document) -> None:
        for path, sentence in match_rules.problems(found):
            raise ConfigError(sentence, where=path, code="MATCH_RULE")

    def extra_apply(self, found: MatchRule, document: Document, *, by: Any) -> None:
        facts.publish("match_rules_changed", entity_id=found.entity_id)


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
        MatchRuleKind(
            name="MatchRule",
            model=MatchRule,
            after=["Contract"],
            fields=[
                Ref("entity", lambda: Entity, "Entity", required=True),
                Attr("name", required=True),
                Attr("fields", required=True),
                *(Attr(name) for name in ("position", "outcome", "is_active")),
            ],
        )
    )
