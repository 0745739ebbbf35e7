"""Every change to ownership rules. Rules work when they are active; an entity's active rules cover each field once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from governance import saving
from governance.models import Entity, OwnershipRule
from governance.ownership.coverage import Cell, Coverage
from governance.ownership.definitions import active_rules, coverage_of, ground_of
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind

KIND = "OwnershipRule"
SHOWN = 12
Status = OwnershipRule.Status


@transaction.atomic
def save(*, document: Document, by: Any, reason: str = "") -> Put:
    """Make or change a rule. A draft is only kept; a rule in force is refused where it leaves an overlap or a gap."""
    return saving.save(document, act="ownership_rule.saved", by=by, reason=reason)


@transaction.atomic
def activate(*, entity: Entity, by: Any, reason: str = "") -> Put:
    """Put all drafts of an entity in force, in place of the rules that they replace.

    Raises ConfigError that names the cells where two rules speak for a field, or none does.
    """
    drafts = list(OwnershipRule.objects.filter(entity=entity, status=Status.DRAFT).order_by("slug"))
    if not drafts:
        raise ConfigError(f"{entity} has no draft rule.", where=entity.slug, fix="Write one first.", code="NO_DRAFT")
    ending = [row.replaces.slug for row in drafts if row.replaces and row.replaces.status == Status.ACTIVE]
    documents = [_document(slug, Status.RETIRED) for slug in ending]
    documents += [_document(row.slug, Status.ACTIVE) for row in drafts]
    return saving.save_all(documents, act="ownership_rule.activated", by=by, reason=reason)


@transaction.atomic
def retire(*, rule: OwnershipRule, by: Any, reason: str = "") -> Put:
    """Take a rule out of force. The last one of an entity may always go; another one only where it leaves no gap."""
    document = _document(rule.slug, Status.RETIRED)
    return saving.save(document, act="ownership_rule.retired", by=by, reason=reason)


@transaction.atomic
def release(*, entity: Entity, by: Any, reason: str = "") -> Put:
    """Retire all rules of an entity: from then on any system may set any field."""
    documents = [_document(row.slug, Status.RETIRED) for row in active_rules(entity.pk)]
    return saving.save_all(documents, act="ownership_rule.retired", by=by, reason=reason)


def remove_draft(*, rule: OwnershipRule, by: Any) -> None:
    """Throw a draft away. Raises ConfigError for a rule that has been in force; Held where reviewers have to agree."""
    saving.remove(KIND, rule.slug, act="ownership_rule.removed", by=by)


def refuse_kept(rule: OwnershipRule) -> None:
    """A rule that has been in force is kept for its history."""
    if rule.status != Status.DRAFT:
        raise ConfigError("Only a draft can be removed.", where=rule.slug, fix="Retire it.", code="NOT_A_DRAFT")


def _document(slug: str, status: str) -> Document:
    document = kind(KIND).dump(slug)
    assert document is not None
    return {**document, "status": status}


# The check --------------------------------------------------------------------------------------------------


def check_entity(entity: Entity) -> None:
    """Raise ConfigError where the rules in force overlap, or leave a field to nobody."""
    Entity.objects.select_for_update().get(pk=entity.pk)
    found = coverage_of(ground_of(entity), active_rules(entity.pk))
    if found.cells:
        raise ConfigError(
            f"Nothing was changed: {_counts(found)}. {' '.join(cell.sentence for cell in found.cells[:SHOWN])}"
            f"{_more(len(found.cells))}",
            where=entity.slug,
            fix=_fix(found.overlaps, found.gaps),
            code="OWNERSHIP",
        )


def _counts(found: Coverage) -> str:
    counts = [(len(found.overlaps), "overlap"), (len(found.gaps), "gap")]
    return " and ".join(f"{number} {word}{'s' if number != 1 else ''}" for number, word in counts if number)


def _more(number: int) -> str:
    return f" … and {number - SHOWN} more." if number > SHOWN else ""


def _fix(overlaps: Sequence[Cell], gaps: Sequence[Cell]) -> str:
    if overlaps:
        return "Give each cell one rule: end one on a date, or narrow its conditions."
    return "Add a rule for these cells, for example one for all other fields." if gaps else ""
