"""Ruleset as a configuration document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from governance.models import Contract, Ruleset
from governance.rulesets import rules
from governance.rulesets.judging import SELECTORS, is_for
from hub.common import registry
from hub.common.kinds import Attr, ModelKind
from hub.common.registry import Document, Problem


class RulesetKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        return [*_selector_problems(document.get("selector") or {}), *_rule_problems(document.get("rules"))]

    def impact(self, slug: str) -> list[tuple[str, str]]:
        """The contracts that it names by domain or entity."""
        found = self.get(slug)
        rows = Contract.objects.select_related("entity__domain").order_by("slug") if found else ()
        return [
            ("Contract", row.slug)
            for row in rows
            if is_for(found, domain=row.entity.domain.slug, entity=row.entity.slug, tags=_tags(found))
        ]


def _tags(found: Ruleset) -> list[str]:
    return list((found.selector or {}).get("tags") or ())


def _selector_problems(selector: Any) -> Iterator[Problem]:
    if not isinstance(selector, dict):
        yield Problem("selector", f"A selector is a mapping of {', '.join(SELECTORS)} to lists.")
        return
    for name, values in selector.items():
        if name not in SELECTORS:
            yield Problem(f"selector.{name}", f"A selector has {', '.join(SELECTORS)}.")
        elif not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            yield Problem(f"selector.{name}", "Write a list of short names, such as [billing-gl].")


def _rule_problems(given: Any) -> Iterator[Problem]:
    if not isinstance(given, list) or not given:
        yield Problem("rules", "A ruleset needs at least one rule, such as {rule: has_owner, severity: error}.")
        return
    for at, rule in enumerate(given):
        for name, sentence in rules.problems(rule):
            yield Problem(f"rules.{at}.{name}".rstrip("."), sentence)


def register() -> None:
    registry.register(
        RulesetKind(
            name="Ruleset",
            model=Ruleset,
            fields=[
                Attr("name", required=True),
                Attr("description"),
                Attr("selector"),
                Attr("rules", required=True),
                Attr("is_active"),
            ],
        )
    )
