"""Match rules of an entity, in their order: which fields have to agree, and what follows when they do. Pure.

A rule agrees on two records when every one of its comparisons does, and neither record leaves one of the fields empty. The
first rule that agrees with anything decides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.matching.blocking import parts
from governance.matching.definition import KEY
from governance.matching.normal import FORMS
from governance.matching.scoring import alike

COMPARE = ("exact", "normalised", "fuzzy")
OUTCOMES = ("link", "hold")
THRESHOLD = 90
# A text that is similar by less is similar to too much.
LEAST_THRESHOLD = 50
MAX_COMPARISONS = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one field is compared.

    compare    `exact` as it stands, `normalised` in its normal form, `fuzzy` by the share of equal letters of that
    form       the normal form, a name of `normal.FORMS`; of no meaning for `exact`
    threshold  0 to 100, of meaning for `fuzzy` alone
    """

    field: str
    compare: str = "normalised"
    form: str = "text"
    threshold: int = THRESHOLD

    @property
    def needed(self) -> int:
        return self.threshold if self.compare == "fuzzy" else 100

    def value(self, key: str, body: Mapping[str, Any]) -> str:
        """The field as it is compared; empty where it holds nothing."""
        given = key if self.field == KEY else body.get(self.field)
        if self.compare != "exact":
            return FORMS[self.form](given)
        return "" if given in (None, "", [], {}) else given if isinstance(given, str) else json.dumps(given)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `slug` and `name` as on MatchRule."""

    slug: str
    name: str
    comparisons: tuple[Comparison, ...]
    outcome: str

    @property
    def links(self) -> bool:
        return self.outcome == "link"

    def values(self, key: str, body: Mapping[str, Any]) -> tuple[str, ...]:
        """The compared values of a record; empty when one is missing, for then the rule says nothing about it."""
        found = tuple(one.value(key, body) for one in self.comparisons)
        return found if all(found) else ()

    def score(self, here: Sequence[str], there: Sequence[str]) -> int:
        """The mean of the comparisons, rounded down, 1 to 100; 0 when the rule does not agree. Symmetric."""
        if not here or not there:
            return 0
        found = [_alike(*each) for each in zip(self.comparisons, here, there, strict=True)]
        agrees = all(points >= one.needed for one, points in zip(self.comparisons, found, strict=True))
        return sum(found) // len(found) if agrees else 0

    def scores(self, here: Sequence[str], there: Sequence[str]) -> list[int]:
        """0 to 100 of each comparison, in their order."""
        return [_alike(*each) for each in zip(self.comparisons, here, there, strict=True)]

    def blocks(self, values: Sequence[str]) -> set[int]:
        """Numbers that two records share whenever the rule may agree on them, and that few others share.

        All fields that must be equal stand in one number; one that may differ brings each of its parts that survives
        a slip of the pen.
        """
        if not values:
            return set()
        equal = [value for one, value in zip(self.comparisons, values, strict=True) if one.compare != "fuzzy"]
        loose = next((v for one, v in zip(self.comparisons, values, strict=True) if one.compare == "fuzzy"), "")
        pieces = set(parts(loose)) if loose else {""}
        return {_number([*self.salt, *equal, piece]) for piece in pieces}

    @property
    def salt(self) -> list[str]:
        """What of the rule the blocks depend on: two rules that compare alike share them."""
        return [f"{one.field}:{one.compare}:{one.form if one.compare != 'exact' else ''}" for one in self.comparisons]


def _alike(one: Comparison, here: str, there: str) -> int:
    return alike(here, there, "similar" if one.compare == "fuzzy" else "exact")


def _number(texts: Sequence[str]) -> int:
    """A signed number of eight bytes, as PostgreSQL's bigint holds it."""
    digest = hashlib.blake2b("\x1f".join(texts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def digest(rules: Sequence[Rule]) -> str:
    """A text that is another one whenever blocks have to be made anew; empty without rules."""
    salts = sorted({"|".join(rule.salt) for rule in rules})
    return hashlib.blake2b("\n".join(salts).encode(), digest_size=16).hexdigest() if salts else ""


def blocks_of(rules: Sequence[Rule], key: str, body: Mapping[str, Any]) -> set[int]:
    """All blocks in which a record stands."""
    return {number for rule in rules for number in rule.blocks(rule.values(key, body))}


# As data ---------------------------------------------------------------------------------------------------
def load(slug: str, name: str, fields: Sequence[Mapping[str, Any]], outcome: str) -> Rule:
    """A rule from data without problems."""
    return Rule(slug, name, tuple(Comparison(**one) for one in fields), outcome)


def problems(fields: Any, known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(path, sentence) for everything that compared fields cannot be; `known` are the contract's fields."""
    if not isinstance(fields, list) or not fields or not all(isinstance(one, dict) for one in fields):
        yield "fields", "Name at least one field to compare: {field: name, compare: fuzzy, form: company}."
        return
    if len(fields) > MAX_COMPARISONS:
        yield "fields", f"A rule compares at most {MAX_COMPARISONS} fields."
    for number, one in enumerate(fields):
        for name, sentence in _problems_of(one, known):
            yield f"fields.{number}.{name}", sentence
    names = [one.get("field") for one in fields]
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        yield "fields", f"{twice[0]!r} is compared twice. Leave one of the two out."


def _problems_of(one: Mapping[str, Any], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    names = set(Comparison.__dataclass_fields__)
    for name in sorted(set(one) - names):
        yield name, f"A comparison has no {name!r}. Known: {', '.join(sorted(names))}."
    if one.get("field") not in (KEY, *known):
        yield "field", f"The contract has no field {one.get('field')!r}. {KEY} stands for its whole key."
    if one.get("compare", "normalised") not in COMPARE:
        yield "compare", f"Use one of: {', '.join(COMPARE)}."
    if one.get("form", "text") not in FORMS:
        yield "form", f"Use one of: {', '.join(FORMS)}."
    threshold = one.get("threshold", THRESHOLD)
    is_whole = isinstance(threshold, int) and not isinstance(threshold, bool)
    if not is_whole or not LEAST_THRESHOLD <= threshold <= 100:
        yield "threshold", f"A whole number from {LEAST_THRESHOLD} to 100."
