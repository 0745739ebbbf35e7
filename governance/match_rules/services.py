"""Keeping match rules. They are governed: a rule is put as a document, and reviewers may stand before it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance.match_rules.queries import contract_fields
from governance.matching import rules
from governance.models import Entity, MatchRule
from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.governed import Put
from hub.common.registry import Document, kind

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


@transaction.atomic
def put(document: Document, *, by: Any, reason: str = "") -> Put:
    """Keep one rule, or hand it to its reviewers. Raises ConfigError with the first thing that is wrong."""
    before = kind(KIND).dump(document["slug"])
    done = governed.put([document], by=by, reason=reason)
    if done.is_applied:
        after = kind(KIND).dump(document["slug"])
        domain = MatchRule.objects.select_related("entity__domain").get(slug=document["slug"]).entity.domain
        tell(
            Act(
                "match_rule.saved",
                KIND,
                document["slug"],
                by=by,
                reason=reason,
                before=before,
                after=after,
                domain=domain,
            )
        )
    return done
