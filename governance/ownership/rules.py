"""An ownership rule as plain data, and which of several rules speaks for a field. Pure: no ORM, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

Conditions = tuple[tuple[str, frozenset[str]], ...]  # (field, values one of which it holds), all of which are met
OWNER, RANKING, LATEST = "owner", "ranking", "latest"
IGNORE, QUARANTINE, REVERT, REVIEW = "ignore", "quarantine", "revert", "review"


@dataclass(frozen=True, slots=True)
class Rule:
    """As governance.models.OwnershipRule; `conditions` name fields of the record, the legal entity's among them."""

    slug: str
    fields: tuple[str, ...] = ()
    decide: str = OWNER
    systems: tuple[str, ...] = ()
    policy: str = IGNORE
    fills_empty: bool = False
    conditions: Conditions = ()
    from_date: date | None = None
    to_date: date | None = None

    def is_in_force(self, day: date) -> bool:
        return (self.from_date is None or self.from_date <= day) and (self.to_date is None or day <= self.to_date)

    def meets(self, texts: Mapping[str, str]) -> bool:
        return all(texts.get(name, "") in values for name, values in self.conditions)


def levels(rules: Iterable[Rule], field: str) -> list[list[Rule]]:
    """The rules that may speak for a field, the most specific first: within a level at most one may hold at a time.

    A rule that names the field comes before one for all other fields, and one with conditions before one without.
    """
    found = list(rules)
    named = [rule for rule in found if field in rule.fields]
    others = [rule for rule in found if not rule.fields]
    sorted_out = [
        [rule for rule in group if bool(rule.conditions) is conditional]
        for group in (named, others)
        for conditional in (True, False)
    ]
    return [level for level in sorted_out if level]


def text_of(value: Any) -> str:
    """A value of a record as conditions write it down; nothing is the empty text."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def rule_of(row: Any, legal_entity_field: str) -> Rule:
    """A stored rule, or one that is about to be stored, as plain data."""
    given: list[tuple[str, Sequence[str]]] = [
        (legal_entity_field, row.legal_entities),
        (row.phase_field, row.phases),
    ]
    return Rule(
        slug=row.slug,
        fields=tuple(row.fields),
        decide=row.decide,
        systems=tuple(row.systems),
        policy=row.policy,
        fills_empty=row.fills_empty,
        conditions=tuple((name, frozenset(values)) for name, values in given if values),
        from_date=row.from_date,
        to_date=row.to_date,
    )
