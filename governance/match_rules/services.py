"""Keeping match rules. They are governed: a rule is put as a document, and reviewers may stand before it."""

from __future__ import annotations

from typing import Any

from governance import saving
from governance.match_rules.queries import contract_fields
from governance.matching import rules
from governance.models import Entity, MatchRule
from hub.common.governed import Put
from hub.common.registry import Document

KIND = "MatchRule"


def problems(found: MatchRule) -> list[tuple[str, str]]:
    """(field, sentence) for everything that the rule cannot be."""
    return list(rules.problems(found.fields, [one.name for one in contract_fields(found.entity)]))


def document_of(
    *,
    slug: str,
    entity: Entity,
    name: str,
    position: int,
    fields: list[dict[str, Any]],
    outcome: str,
    is_active: bool,
) -> Document:
    return {
        "kind": KIND,
        "slug": slug,
        "entity": entity.slug,
        "name": name,
        "position": position,
        "fields": fields,
        "outcome": outcome,
        "is_active": is_active,
    }


def put(document: Document, *, by: Any, reason: str = "") -> Put:
    """Keep one rule, or hand it to its reviewers. Raises ConfigError with the first thing that is wrong."""
    entity = Entity.objects.filter(slug=document.get("entity", "")).select_related("domain").first()
    domain = entity.domain if entity else None
    return saving.save(document, act="match_rule.saved", by=by, reason=reason, domain=domain)
