"""Mapping and ValueMap as configuration documents. A mapping's document carries the rules of its active version."""

from __future__ import annotations

from typing import Any

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.errors import HubError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from mappings import entries, services
from mappings.models import Mapping, ValueMap
from mappings.queries import users_of_value_maps
from mappings.rules import dump_rules, parse_rules


class MappingKind(ModelKind):
    def extra_dump(self, found: Mapping) -> Document:
        version = found.versions.filter(status="active").first()
        return {"rules": version.rules} if version else {}

    def extra_validate(self, document: Document) -> list[Problem]:
        try:
            parse_rules(document.get("rules") or [])
        except HubError as error:
            return [Problem("rules", str(error))]
        return []

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        found = []
        for index, rule in enumerate(parse_rules(document.get("rules") or [])):
            where = f"rules.{index} ({rule.target})"
            if rule.value_map:
                found.append((where, "ValueMap", rule.value_map))
            if rule.via:
                found.append((where, "Stream", rule.via))
            if rule.entity:
                found.append((where, "Entity", rule.entity))
        return found

    def normal(self, document: Document) -> Document:
        rules = document.get("rules")
        return super().normal({**document, "rules": dump_rules(parse_rules(rules))} if rules else document)

    def extra_apply(self, found: Mapping, document: Document, *, by: Any) -> None:
        services.activate_rules(mapping=found, rules=document.get("rules") or [], by=by)


class ValueMapKind(ModelKind):
    def extra_dump(self, found: ValueMap) -> Document:
        return {"entries": services.dump_entries(found)}

    def extra_validate(self, document: Document) -> list[Problem]:
        return [Problem(path, text) for path, text in services.entry_problems(document.get("entries") or [])]

    def normal(self, document: Document) -> Document:
        return super().normal({**document, "entries": services.normal_entries(document.get("entries") or [])})

    def extra_apply(self, found: ValueMap, document: Document, *, by: Any) -> None:
        services.replace_entries(value_map=found, entries=document.get("entries") or [], by=by)

    def before_remove(self, found: ValueMap) -> None:
        entries.refuse_named(found)

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return [("Mapping", mapping.slug) for mapping in users_of_value_maps().get(slug, ())]


def register() -> None:
    registry.register(
        ValueMapKind(
            name="ValueMap",
            model=ValueMap,
            after=["Domain"],
            fields=[
                Attr("name", required=True),
                Attr("description"),
                Ref("domain", lambda: Domain, "Domain"),
                Attr("on_unmapped"),
                Attr("default"),
            ],
            extra=["entries"],
            is_removable=True,
        )
    )
    registry.register(
        MappingKind(
            name="Mapping",
            model=Mapping,
            after=["Stream", "Entity", "Contract", "ValueMap"],
            fields=[
                Attr("name", required=True),
                Attr("direction", required=True),
                Ref("stream", lambda: Stream, "Stream", required=True),
                Ref("entity", lambda: Entity, "Entity", required=True),
            ],
            extra=["rules"],
            is_removable=True,
        )
    )
