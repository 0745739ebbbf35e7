"""From scores to a set of links in which no record stands twice. Pure; the order of the records does not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from governance.matching import blocking
from governance.matching.blocking import Pair
from governance.matching.definition import Definition
from governance.matching.scoring import Sheet, score

# A link must be so much better than the next candidate of either record; else a person decides.
LEAD = 5
SHOWN = 5

Ranked = Mapping[int, list[tuple[int, int]]]  # id → (score, id of the other), best first


@dataclass(slots=True)
class Matched:
    """What was found, by ids of sheets.

    `links` source → (target, score). `candidates` of a source record that is not linked, best first. `twins` are
    records of the same side that look alike, for either side.
    """

    links: dict[int, tuple[int, int]] = field(default_factory=dict)
    candidates: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    twins: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    compared: int = 0
    crowded: int = 0


def match(
    source: Sequence[Sheet], target: Sequence[Sheet], rules: Definition, *, known: Mapping[int, int] | None = None
) -> Matched:
    """Links, candidates and twins. `known` links (source → target) stand, and their records are not compared across."""
    known = known or {}
    taken = set(known.values())
    open_source = [sheet for sheet in source if sheet.id not in known]
    open_target = [sheet for sheet in target if sheet.id not in taken]
    pairs = blocking.across(open_source, open_target, rules)
    ours, theirs = _ranked(_scored(pairs.pairs, open_source, open_target, rules))
    found = Matched(compared=len(pairs.pairs), crowded=pairs.crowded)
    found.links = _links(ours, theirs, rules)
    found.candidates = {id_: ranked[:SHOWN] for id_, ranked in ours.items() if id_ not in found.links}
    for side in (source, target):
        _look_inside(side, rules, found)
    return found


def _scored(
    pairs: Collection[Pair], left: Sequence[Sheet], right: Sequence[Sheet], rules: Definition
) -> Iterable[tuple[int, int, int]]:
    """(score, left, right) of those that may be the same."""
    one, other = {sheet.id: sheet for sheet in left}, {sheet.id: sheet for sheet in right}
    scored = ((score(one[a], other[b], rules), a, b) for a, b in pairs)
    return (found for found in scored if found[0] >= rules.maybe_at)


def _ranked(scored: Iterable[tuple[int, int, int]]) -> tuple[Ranked, Ranked]:
    ours: dict[int, list[tuple[int, int]]] = defaultdict(list)
    theirs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for points, a, b in scored:
        ours[a].append((points, b))
        theirs[b].append((points, a))
    for ranking in (*ours.values(), *theirs.values()):
        ranking.sort(key=lambda one: (-one[0], one[1]))
    return ours, theirs


def _links(ours: Ranked, theirs: Ranked, rules: Definition) -> dict[int, tuple[int, int]]:
    """Pairs that are each other's best, far enough ahead of every other."""
    found = {}
    for a, ranking in ours.items():
        points, b = ranking[0]
        if points >= rules.same_at and _leads(ranking) and theirs[b][0][1] == a and _leads(theirs[b]):
            found[a] = (b, points)
    return found


def _leads(ranking: Sequence[tuple[int, int]]) -> bool:
    return len(ranking) == 1 or ranking[0][0] - ranking[1][0] >= LEAD


def _look_inside(side: Sequence[Sheet], rules: Definition, found: Matched) -> None:
    pairs = blocking.within(side, rules)
    found.compared += len(pairs.pairs)
    for ranking in _ranked(_scored(pairs.pairs, side, side, rules)):
        for id_, others in ranking.items():
            found.twins[id_] = sorted([*found.twins.get(id_, []), *others], key=lambda one: (-one[0], one[1]))[:SHOWN]
