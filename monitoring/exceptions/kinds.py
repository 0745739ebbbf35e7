"""Classification and RoutingRule as configuration documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.models import System
from governance.models import BusinessCalendar, Entity
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.money import decimal_text
from hub.common.registry import Document, Problem
from monitoring.exceptions import classify
from monitoring.models import Classification, RoutingRule

CLASSIFICATION, ROUTING = "Classification", "RoutingRule"
RESERVED = frozenset({"new"})


class ClassificationKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        return [Problem(path, sentence) for path, sentence in [*_reserved(document), *classify.problems(document)]]


class RoutingRuleKind(ModelKind):
    """The amount is written as text, so that no digit is lost."""

    def _value(self, found: Any, item: Attr | Ref) -> Any:
        value = super()._value(found, item)
        return short_amount(value) if isinstance(value, Decimal) else value

    def normal(self, document: Document) -> Document:
        amount = document.get("amount_from")
        written = {"amount_from": short_amount(Decimal(str(amount)))} if amount not in (None, "") else {}
        return super().normal({**document, **written})

    def extra_validate(self, document: Document) -> list[Problem]:
        found = _reserved(document)
        if not document.get("team") and not document.get("person"):
            found.append(("team", "Say whose turn it is: a team, a person, or both."))
        if document.get("amount_from") not in (None, "") and Decimal(str(document["amount_from"])) < 0:
            found.append(("amount_from", "Write an amount of nought or more."))
        return [Problem(path, sentence) for path, sentence in found]


def short_amount(value: Decimal) -> str:
    whole = value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
    return decimal_text(whole)


def _reserved(document: Document) -> list[tuple[str, str]]:
    if document["slug"] in RESERVED:
        return [("slug", f"{document['slug']!r} is a word of the hub's own addresses.")]
    return []


def register() -> None:
    registry.register(
        ClassificationKind(
            name=CLASSIFICATION,
            model=Classification,
            after=["BusinessCalendar"],
            fields=[
                Attr("name", required=True),
                Attr("type", "kind"),
                *(Attr(name) for name in ("position", "when", "facts", "title", "fix", "help", "sla_hours")),
                Ref("calendar", lambda: BusinessCalendar, "BusinessCalendar"),
                Attr("is_active"),
            ],
        )
    )
    registry.register(
        RoutingRuleKind(
            name=ROUTING,
            model=RoutingRule,
            after=["Domain", "Entity", "System"],
            fields=[
                Attr("name", required=True),
                Attr("position"),
                Ref("domain", lambda: Domain, "Domain"),
                Ref("entity", lambda: Entity, "Entity"),
                Ref("system", lambda: System, "System"),
                *(
                    Attr(name)
                    for name in ("cause", "client", "legal_entity", "amount_from", "team", "person", "is_active")
                ),
            ],
        )
    )
