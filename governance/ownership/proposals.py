"""Rules that are not in force: documents and drafts as an entity's rules would be with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date

from governance.models import Entity, OwnershipRule
from governance.ownership.coverage import check
from governance.ownership.definitions import Ground, active_rules, problems
from governance.ownership.services import KIND
from hub.common.errors import ConfigError
from hub.common.registry import Document, kind
from hub.common.times import business_today, parse_date

_PLAIN = (
    "slug",
    "group",
    "fields",
    "decide",
    "systems",
    "policy",
    "fills_empty",
    "legal_entities",
    "phase_field",
    "phases",
)


def row_of(document: Document) -> OwnershipRule:
    """A document as a rule that is not stored. Raises ConfigError where it makes no sense."""
    where = f"{KIND} {document.get('slug', '')}"
    if wrong := kind(KIND).validate(document):
        raise ConfigError(wrong[0].sentence, where=f"{where}: {wrong[0].path}")
    entity = Entity.objects.filter(slug=document["entity"]).select_related("domain").first()
    if entity is None:
        raise ConfigError(f"There is no entity {document['entity']!r}.", where=where)
    row = OwnershipRule(entity=entity, **{name: document[name] for name in _PLAIN if name in document})
    row.from_date, row.to_date = _date(document, "from_date"), _date(document, "to_date")
    if document.get("replaces"):
        row.replaces = OwnershipRule.objects.filter(slug=document["replaces"]).first()
    if found := problems(row):
        raise ConfigError(found[0][1], where=f"{where}: {found[0][0]}")
    return row


def _date(document: Document, name: str) -> date | None:
    given = document.get(name)
    return parse_date(str(given)) if given else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entity's rules with those that are proposed; `set_aside` are rules in force that they push out or narrow."""

    entity: Entity
    rows: tuple[OwnershipRule, ...]
    set_aside: tuple[str, ...]
    day: date

    @classmethod
    def of(cls, entity: Entity, proposed: Sequence[OwnershipRule], ground: Ground) -> Proposal:
        """What is proposed wins where it speaks for the same field as a rule in force.

        It is looked at as of the day on which all of it holds.
        """
        gone = {row.slug for row in proposed} | {row.replaces.slug for row in proposed if row.replaces}
        present = active_rules(entity.pk)
        staying = [row for row in present if row.slug not in gone]
        narrowed = _narrow(staying, proposed, ground)
        kept = {row.slug: row.fields for row in narrowed}
        aside = [row.slug for row in staying if kept.get(row.slug) != row.fields]
        aside += sorted({row.slug for row in present} & gone - {row.slug for row in proposed})
        day = max([business_today(), *(row.from_date for row in proposed if row.from_date)])
        return cls(entity, (*narrowed, *proposed), tuple(aside), day)


def _narrow(staying: Iterable[OwnershipRule], proposed: Sequence[OwnershipRule], ground: Ground) -> list[OwnershipRule]:
    kept = []
    for row in staying:
        rules = [ground.rule(one) for one in (row, *proposed)]
        found = check(rules, ground.names, today=business_today(), values=ground.values).overlaps
        lost = {cell.field for cell in found if row.slug in cell.rules}
        if lost and not (left := [name for name in row.fields if name not in lost]):
            continue
        if lost:
            row = copy(row)
            row.fields = left
        kept.append(row)
    return kept
