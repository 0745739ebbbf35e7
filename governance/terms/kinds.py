"""Term as a configuration document."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from governance.models import Term
from governance.terms import services
from governance.terms.probes import Probe, expression_problem, problems
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.money import decimal_text
from hub.common.registry import Document, Problem


class TermKind(ModelKind):
    """The tolerance is written as text, so that no digit is lost; probes only with what they say."""

    def _value(self, found: Any, item: Attr | Ref) -> Any:
        value = super()._value(found, item)
        return _plain(value) if isinstance(value, Decimal) else value

    def _default(self, item: Attr | Ref) -> Any:
        value = super()._default(item)
        return _plain(value) if isinstance(value, Decimal) else value

    def normal(self, document: Document) -> Document:
        shaped = dict(document)
        if "tolerance" in shaped:
            shaped["tolerance"] = _plain(shaped["tolerance"])
        if "probes" in shaped:
            shaped["probes"] = [Probe.of(each).as_data() for each in shaped["probes"]]
        return super().normal(shaped)

    def extra_validate(self, document: Document) -> list[Problem]:
        found = list(problems(document.get("probes") or []))
        if document["slug"] in services.RESERVED:
            found.append(Problem("slug", f"{document['slug']!r} is a word of the hub's own addresses."))
        if document.get("expression") and (wrong := expression_problem("expression", document["expression"])):
            found.append(wrong)
        if document.get("unit") == Term.Unit.MONEY and not document.get("currency"):
            found.append(Problem("currency", "A term in money needs 'currency', such as EUR."))
        for position, name in enumerate(document.get("fields") or []):
            if str(name).count(".") != 1:
                found.append(Problem(f"fields.{position}", f"{name!r}: write entity.field, such as time_entry.hours."))
        return found

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        probes = [each for each in document.get("probes") or [] if isinstance(each, dict)]
        found = [
            (f"probes.{position}.{word}", word.capitalize(), str(each[word]))
            for position, each in enumerate(probes)
            for word in ("connection", "stream")
            if each.get(word)
        ]
        entities = [(f"fields.{n}", str(name).partition(".")[0]) for n, name in enumerate(document.get("fields") or [])]
        return found + [(path, "Entity", entity) for path, entity in entities]

    def before_save(self, found: Term, document: Document) -> None:
        found.probes = [Probe.of(each).as_data() for each in found.probes]
        services.refuse_misfit(found)


def _plain(number: Any) -> str:
    try:
        value = Decimal(str(number))
    except InvalidOperation:
        return str(number)
    return decimal_text(value.normalize()) if value.is_finite() else str(number)


def register() -> None:
    registry.register(
        TermKind(
            name="Term",
            model=Term,
            after=["Domain", "Entity", "Contract", "Connection", "Stream"],
            fields=[
                Attr("name", required=True),
                Ref("domain", lambda: Domain, "Domain", required=True),
                Attr("definition", required=True),
                Attr("owner"),
                Attr("synonyms"),
                Attr("unit"),
                Attr("currency"),
                Attr("per"),
                Attr("period"),
                Attr("expression"),
                Attr("tolerance"),
                Attr("tolerance_kind"),
                Attr("probes"),
                Attr("fields"),
            ],
            is_removable=True,
        )
    )
