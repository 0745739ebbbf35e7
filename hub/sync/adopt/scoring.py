"""How alike two records are, as a number from 0 to 100. Pure and symmetric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from hub.sync.adopt.normal import FORMS
from hub.sync.adopt.rules import KEY, MatchRules


@dataclass(frozen=True, slots=True)
class Sheet:
    """A record as it is compared: the normal form of each compared field, empty where it holds nothing."""

    id: int
    values: tuple[str, ...]


def sheet(id_: int, key: str, body: Mapping[str, Any], rules: MatchRules) -> Sheet:
    given = (key if one.field == KEY else body.get(one.field) for one in rules.fields)
    return Sheet(id_, tuple(FORMS[one.form](value) for one, value in zip(rules.fields, given, strict=True)))


def score(one: Sheet, other: Sheet, rules: MatchRules) -> int:
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
        alike = 100.0 if here == there else fuzz.ratio(here, there) if rule.compare == "similar" else 0.0
        total, weight, compared = total + rule.weight * int(alike), weight + rule.weight, compared + 1
        is_comparable |= rule.decides or rule.compare == "similar"
        decided |= rule.decides and here == there
    if not is_comparable:
        return 0
    mean = total // weight
    if contradicted or (compared == 1 and not decided):
        return min(mean, rules.same_at - 1)
    return max(mean, rules.same_at) if decided else mean
