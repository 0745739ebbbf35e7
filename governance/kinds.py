"""Entities, contracts, match and ownership rules, reviews and more as configuration documents.

A contract's document carries the schema of its active version.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

from governance import services
from governance.billing.kind import billing_rule_kind
from governance.calendars.kind import calendar_kind
from governance.firm.kind import firm_kind
from governance.match_rules import services as match_rules
from governance.matching import rules
from governance.models import Contract, Entity, MatchRule, OwnershipRule, ReviewGroup, ReviewPolicy
from governance.models.review_policy import EVERY_KIND
from governance.ownership import definitions
from governance.ownership.services import check_entity, refuse_kept
from governance.rulesets.judging import of_contract, refusal
from governance.schemas import schema_problems
from governance.service_levels.kind import service_level_kind
from hub.accounts.models import Domain
from hub.common import facts, governed, registry
from hub.common.errors import ConfigError
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
        found = [Problem(f"schema.{path}".rstrip("."), text) for path, text in schema_problems(document["schema"])]
        return found or list(self._ruleset_problems(document))

    def _ruleset_problems(self, document: Document) -> Iterator[Problem]:
        """What a changed schema would fail; one that stands already is judged on the page of its rulesets."""
        found = Contract.objects.select_related("entity__domain").filter(slug=document["slug"]).first()
        if found is None or self.extra_dump(found).get("schema") == document["schema"]:
            return
        if sentence := refusal(of_contract(found, document["schema"])):
            yield Problem("schema", sentence)

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

    def before_remove(self, found: OwnershipRule) -> None:
        refuse_kept(found)

    def extra_apply(self, found: OwnershipRule, document: Document, *, by: Any) -> None:
        if found.was_in_force or found.status == OwnershipRule.Status.ACTIVE:
            governed.settle(("ownership", found.entity_id), partial(check_entity, found.entity))


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
            after=["Domain"],
            fields=[
                Attr("name", required=True),
                Ref("domain", lambda: Domain, "Domain", required=True),
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
    registry.register(firm_kind())
    registry.register(calendar_kind())
    registry.register(service_level_kind())
    registry.register(billing_rule_kind())
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
            is_removable=True,
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
            is_removable=True,
        )
    )
