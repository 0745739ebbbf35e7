"""What makes two records the same: the match definition as data, and a sound one for a contract that has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from governance.matching.normal import FORMS
from governance.schemas import Field, Schema, fields_of

SAME_AT, MAYBE_AT = 92, 75
MAX_WEIGHT = 10
# The whole business key, its parts joined as the hub joins them; a contract cannot name a field so.
KEY = "$key"
COMPARE = ("exact", "similar")
# Fields that name a record for people, the best first.
NAMES = ("name", "legal_name", "display_name", "full_name", "title", "email")
_PEOPLE = frozenset({"given_name", "family_name", "employee_number"})
_TAX = ("tax_id", "vat_id", "tax_number", "vat_number", "tax_registration_number", "registration_number")
_DOMAIN = ("website", "domain", "url", "homepage")
_POSTCODE = ("postal_code", "postcode", "zip")


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """How one field is compared.

    compare   `exact` counts 100 or 0, `similar` the share of equal letters of the two normal forms
    form      the normal form, a name of `normal.FORMS`
    weight    its part in the score
    decides   equal means the same record, whatever the score; unequal means that only a person may link them
    """

    field: str
    compare: str = "exact"
    form: str = "text"
    weight: int = 1
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A score of `same_at` links by itself, one of `maybe_at` is shown to a person; both are 0 to 100.

    keep_target   contract fields whose value at the target wins
    may_clear     contract fields that may be emptied at the target when the hub holds nothing
    """

    fields: tuple[FieldMatch, ...]
    same_at: int = SAME_AT
    maybe_at: int = MAYBE_AT
    keep_target: tuple[str, ...] = ()
    may_clear: tuple[str, ...] = field(default_factory=tuple)


# As data ---------------------------------------------------------------------------------------------------
def dump(rules: Definition) -> dict[str, Any]:
    return {
        "fields": [asdict(one) for one in rules.fields],
        "same_at": rules.same_at,
        "maybe_at": rules.maybe_at,
        "keep_target": list(rules.keep_target),
        "may_clear": list(rules.may_clear),
    }


def load(data: Mapping[str, Any]) -> Definition:
    """Rules from data without problems."""
    return Definition(
        tuple(FieldMatch(**one) for one in data["fields"]),
        data.get("same_at", SAME_AT),
        data.get("maybe_at", MAYBE_AT),
        tuple(data.get("keep_target") or ()),
        tuple(data.get("may_clear") or ()),
    )


def problems(data: Mapping[str, Any], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(path, sentence) for everything that a definition cannot be; `known` are the contract's fields."""
    fields = data.get("fields")
    if not isinstance(fields, list) or not fields or not all(isinstance(one, dict) for one in fields):
        yield "fields", "Name at least one field to compare: {field: name, compare: similar, form: company, weight: 3}."
        return
    for number, one in enumerate(fields):
        for name, sentence in _field_problems(one, known):
            yield f"fields.{number}.{name}", sentence
    if twice := _twice([one.get("field") for one in fields]):
        yield "fields", f"{twice!r} is compared twice. Leave one of the two out."
    yield from _score_problems(data)
    for name in ("keep_target", "may_clear"):
        if unknown := [one for one in data.get(name) or () if one not in known]:
            yield name, f"The contract has no field {unknown[0]!r}."


def _field_problems(one: Mapping[str, Any], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    names = set(FieldMatch.__dataclass_fields__)
    for name in set(one) - names:
        yield name, f"A comparison has no {name!r}. Known: {', '.join(sorted(names))}."
    if one.get("field") not in (KEY, *known):
        yield "field", f"The contract has no field {one.get('field')!r}. {KEY} stands for its whole key."
    if one.get("compare", "exact") not in COMPARE:
        yield "compare", f"Use one of: {', '.join(COMPARE)}."
    if one.get("form", "text") not in FORMS:
        yield "form", f"Use one of: {', '.join(FORMS)}."
    weight = one.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= MAX_WEIGHT:
        yield "weight", f"A whole number from 1 to {MAX_WEIGHT}."
    if not isinstance(one.get("decides", False), bool):
        yield "decides", "Yes or no."


def _twice(names: Sequence[Any]) -> str:
    return next((str(name) for n, name in enumerate(names) if name in names[:n]), "")


def _score_problems(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    same, maybe = data.get("same_at", SAME_AT), data.get("maybe_at", MAYBE_AT)
    for name, score in (("same_at", same), ("maybe_at", maybe)):
        if isinstance(score, bool) or not isinstance(score, int) or not 1 <= score <= 100:
            yield name, "A whole number from 1 to 100."
            return
    if maybe >= same:
        yield "maybe_at", f"It must be lower than the score that links by itself, {same}."


# Defaults --------------------------------------------------------------------------------------------------
def default_rules(schema: Schema) -> Definition:
    """The contract's key, and its fields that look like tax number, e-mail, domain, name and postcode."""
    fields = fields_of(schema)
    is_people = bool({one.name for one in fields} & _PEOPLE)
    found = (_default(one, is_people=is_people) for one in fields if not one.is_key and not one.ref)
    return Definition((FieldMatch(KEY, form="key", weight=3, decides=True), *(one for one in found if one)))


def _default(one: Field, *, is_people: bool) -> FieldMatch | None:
    name = one.name.lower()
    if name in _TAX:
        return FieldMatch(one.name, form="tax_id", weight=3, decides=True)
    if one.type == "email" or name == "email":
        return FieldMatch(one.name, form="email", weight=2, decides=is_people)
    if name in _DOMAIN:
        return FieldMatch(one.name, form="domain")
    if name in _POSTCODE:
        return FieldMatch(one.name, form="key")
    if name in NAMES or name in _PEOPLE - {"employee_number"}:
        return FieldMatch(one.name, "similar", "text" if is_people or name == "title" else "company", weight=3)
    return None
