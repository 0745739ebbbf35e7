"""How alike two records are, as a number from 0 to 100. Pure and symmetric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from governance.matching.definition import KEY, Definition
from governance.matching.normal import FORMS

_NUMBERS = re.compile(r"[0-9]+")
OTHER_NUMBERS = 50


@dataclass(frozen=True, slots=True)
class Sheet:
    """A record as it is compared: the normal form of each compared field, empty where it holds nothing."""

    id: int
    values: tuple[str, ...]


def sheet(id_: int, key: str, body: Mapping[str, Any], rules: Definition) -> Sheet:
    given = (key if one.field == KEY else body.get(one.field) for one in rules.fields)
    return Sheet(id_, tuple(FORMS[one.form](value) for one, value in zip(rules.fields, given, strict=True)))


def score(one: Sheet, other: Sheet, rules: Definition) -> int:
    """The weighted mean over the fields that both hold, rounded down; held up or down by fields that decide.

    An equal deciding field lifts it to `same_at`, an unequal one keeps it below. So does a single compared field that
    does not decide: two firms may share a name. An unequal key does not count in the mean, because systems number on
    their own. Records that share neither a deciding nor a similarly compared field score 0.
    """
    total = weight = compared = 0
    is_comparable = decided = contradicted = False
    for rule, here, there in zip(rules.fields, one.values, other.values, strict=True):
        if not here or not there:
            continue
        if rule.decides and here != there:
            contradicted = True
            if rule.field == KEY:
                continue
        total += rule.weight * alike(here, there, rule.compare)
        weight, compared = weight + rule.weight, compared + 1
        is_comparable |= rule.decides or rule.compare == "similar"
        decided |= rule.decides and here == there
    if not is_comparable:
        return 0
    mean = total // weight
    if contradicted or (compared == 1 and not decided):
        return min(mean, rules.same_at - 1)
    return max(mean, rules.same_at) if decided else mean


def alike(here: str, there: str, compare: str) -> int:
    """0 to 100. Texts with different numbers in them are different things (Phase 1, Phase 2), however alike they look."""
    if here == there:
        return 100
    if compare != "similar":
        return 0
    found = int(fuzz.ratio(here, there))
    return found if _NUMBERS.findall(here) == _NUMBERS.findall(there) else min(found, OTHER_NUMBERS)
