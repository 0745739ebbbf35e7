"""Comparing the new records of a page with what the hub has from other systems: link, hold, or let pass.

In the page's transaction, under the lock of the entity; what is decided here is not looked at again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from governance.matching.rules import Rule
from governance.models import Entity
from hub.common.errors import PossibleDuplicate
from hub.records.copying import has_nul, ids, json_bytes, texts, without_nul
from hub.records.models import CanonicalRecord
from hub.sync.models import Merge
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Item, Prepared, Problem, keep_families

# A block that more records share is looked at no further: its value tells nobody apart.
MOST = 50
# So many candidates are kept of a held record.
KEPT = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A canonical record with which a rule agrees; `fields` are (field, 0 to 100)."""

    record_id: int
    key: str
    rule: Rule
    score: int
    fields: tuple[tuple[str, int], ...]

    def as_data(self) -> dict[str, Any]:
        return {
            "record": self.record_id,
            "rule": self.rule.slug,
            "name": self.rule.name,
            "score": self.score,
            "fields": [list(one) for one in self.fields],
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person said about a record that was held."""

    id: int
    decision: str
    record_id: int
    by_id: int | None
    reason: str

    def merge(self, entity: Entity, loser_id: int) -> Merge:
        """The merge that the decision asks for, once the record is made."""
        found = CanonicalRecord.objects.select_related("entity").in_bulk([loser_id, self.record_id])
        pair = {"loser": found[loser_id], "winner": found[self.record_id]}
        return Merge(entity=entity, by_id=self.by_id, reason=self.reason, **pair)


@dataclass(slots=True)
class Sorted:
    """What became of the new records of a page, by external id."""

    linked: dict[str, Candidate] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    held: dict[str, list[Candidate]] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)  # of those that are held

    @property
    def names(self) -> set[str]:
        """External ids of records that lead to a record of another system."""
        return self.linked.keys() | {name for name, said in self.decided.items() if said.decision == "link"}

    def why(self, external_id: str) -> str:
        """Why it leads there, in a sentence."""
        if (candidate := self.linked.get(external_id)) is not None:
            return f"Linked by the match rule {candidate.rule.name!r}, {candidate.score} of 100."
        return f"Linked by a person: {self.decided[external_id].reason}"


def sort(cursor: Any, plan: SyncPlan, page: Prepared) -> Sorted:
    """Move new records that are known after all among the known ones, and those that may be among the problems."""
    found = Sorted()
    if not page.new:
        return found
    found.decided = decisions(cursor, plan.sync.pk, [item.external_id for item in page.new])
    by_key: dict[str, list[Item]] = defaultdict(list)
    for item in page.new:
        by_key[item.key].append(item)
    open_ = [items[0] for items in by_key.values() if not any(i.external_id in found.decided for i in items)]
    taken: set[int] = set()
    for item, candidates in candidates_of(cursor, plan, open_):
        chosen = link_of(candidates, taken)
        for each in by_key[item.key]:
            if chosen is not None:
                taken.add(chosen.record_id)
                found.linked[each.external_id] = chosen
            elif candidates:
                found.held[each.external_id] = candidates
    _follow_decisions(found, by_key)
    _place(plan, page, found)
    return found


def _follow_decisions(found: Sorted, by_key: Mapping[str, list[Item]]) -> None:
    """What was said of one record counts for others of the page that say the same key."""
    for items in by_key.values():
        said = next((found.decided[i.external_id] for i in items if i.external_id in found.decided), None)
        if said is not None and said.decision == "link":
            found.decided |= {item.external_id: said for item in items}


def link_of(candidates: Sequence[Candidate], taken: Collection[int] = ()) -> Candidate | None:
    """The one record that the first rule means, where that rule links by itself."""
    if not candidates or not candidates[0].rule.links:
        return None
    same = [one for one in candidates if one.rule is candidates[0].rule]
    return None if len(same) > 1 or same[0].record_id in taken else same[0]


def _place(plan: SyncPlan, page: Prepared, found: Sorted) -> None:
    """The page as it is after that. Children in it mean what their parents are now, or wait with them."""
    keys: dict[str, str] = {}
    for item in page.new:
        if (candidate := found.linked.get(item.external_id)) is not None:
            item.record_id, item.is_linked = candidate.record_id, True
            keys[item.key] = candidate.key
        elif (decided := found.decided.get(item.external_id)) is not None and decided.decision == "link":
            item.record_id, item.is_linked = decided.record_id, True
        elif item.external_id in found.held:
            found.items[item.external_id] = item
            page.problems.append(_problem(item, found.held[item.external_id]))
    moved = [item for item in page.new if item.is_linked]
    page.known += moved
    page.new = [item for item in page.new if not item.is_linked and item.external_id not in found.held]
    _follow(plan, page, keys)
    if found.held:
        kept = {item.external_id for item in keep_families(plan, [*page.new, *page.known], page)}
        page.new = [item for item in page.new if item.external_id in kept]
        page.known = [item for item in page.known if item.external_id in kept]


def _follow(plan: SyncPlan, page: Prepared, keys: Mapping[str, str]) -> None:
    """References to a linked record of the same page lead to the key that the hub keeps it under."""
    targets = [one.target for one in plan.references if one.entity_id == plan.entity.pk]
    for item in (*page.new, *page.known) if keys and targets else ():
        turned = {name: keys[item.body[name]] for name in targets if item.body.get(name) in keys}
        if turned:
            item.body |= turned
            item.json = json_bytes(item.body)


def _problem(item: Item, candidates: Sequence[Candidate]) -> Problem:
    record = without_nul(item.record) if has_nul(item.record) else item.record
    return Problem(item.position, record, item.external_id, possible(candidates), key=item.key)


def possible(candidates: Sequence[Candidate]) -> PossibleDuplicate:
    """Why a record is held, with the best candidate named."""
    best = candidates[0]
    more = f" {len(candidates) - 1} more look like it." if len(candidates) > 1 else ""
    return PossibleDuplicate(
        f"It may be {best.key}, which another system has: {best.score} of 100 by the rule {best.rule.name!r}.{more}",
        fix="Say on the page of possible duplicates whether it is.",
    )


# What people said ------------------------------------------------------------------------------------------
def decisions(cursor: Any, sync_id: int, external_ids: Sequence[str]) -> dict[str, Decided]:
    """Decisions that still wait to be carried out, of records that can still be meant; a merged one means its winner."""
    rows = cursor.execute(
        "select d.external_id, d.id, d.decision, coalesce(m.winner_id, d.chosen_id), d.decided_by_id, d.reason"
        " from sync_duplicate d left join sync_merge m on m.loser_id = d.chosen_id and m.undone_at is null"
        " left join records_canonicalrecord c on c.id = coalesce(m.winner_id, d.chosen_id)"
        " where d.sync_id = %s and d.external_id = any(%s::text[]) and d.status = 'decided'"
        " and (d.decision = 'new' or (c.id is not null and c.deleted_at is null))",
        [sync_id, texts(external_ids)],
    )
    return {r[0]: Decided(r[1], r[2], r[3] or 0, r[4], r[5]) for r in rows.fetchall()}


# Candidates ------------------------------------------------------------------------------------------------
def candidates_of(cursor: Any, plan: SyncPlan, items: Sequence[Item]) -> Iterable[tuple[Item, list[Candidate]]]:
    """Each item with the records that it may be: by the first rule that agrees with any, then by score."""
    sides = [[rule.values(item.key, item.body) for rule in plan.matching] for item in items]
    wanted = [
        (number, block)
        for number, values in enumerate(sides)
        for rule, mine in zip(plan.matching, values, strict=True)
        for block in rule.blocks(mine)
    ]
    met = _met(cursor, plan, wanted)
    records = _records(cursor, {id_ for found in met.values() for id_ in found})
    known = {id_: _Other(id_, key, body) for id_, (_, key, body) in records.items()}
    for number, item in enumerate(items):
        theirs = [known[id_] for id_ in sorted(met.get(number, ())) if id_ in known]
        yield item, _ranked(plan.matching, sides[number], theirs)


def _met(cursor: Any, plan: SyncPlan, wanted: Sequence[tuple[int, int]]) -> dict[int, set[int]]:
    """Position of the item → canonical ids in one of its blocks, living, and of which this system shows none."""
    if not wanted:
        return {}
    blocks = {block for _, block in wanted}
    rows = cursor.execute(
        # What other streams show is read by record alone, fenced: asked with the stream as well, PostgreSQL walks all of
        # this system's ids once for each candidate.
        "with met as materialized (select b.block, b.record_id from unnest(%s::bigint[]) u(block), lateral ("
        "  select block, record_id from sync_matchblock where entity_id = %s and block = u.block limit %s) b),"
        " shown as materialized (select record_id, stream_id from records_crosswalk"
        "  where record_id = any(array(select distinct record_id from met)) and gone_at is null)"
        " select m.block, m.record_id from met m"
        " join records_canonicalrecord c on c.id = m.record_id and c.deleted_at is null"
        " where m.record_id not in (select record_id from shown where stream_id in (select s.id from connectors_stream s"
        "  join connectors_connection n on n.id = s.connection_id where n.system_id = %s))",
        [ids(blocks), plan.entity.pk, MOST, plan.connection.system_id],
    )
    sharing: dict[int, set[int]] = defaultdict(set)
    for block, record_id in rows.fetchall():
        sharing[block].add(record_id)
    found: dict[int, set[int]] = defaultdict(set)
    for number, block in wanted:
        found[number] |= sharing.get(block, set())
    return found


def _records(cursor: Any, record_ids: Collection[int]) -> dict[int, tuple[int, str, dict[str, Any]]]:
    if not record_ids:
        return {}
    rows = cursor.execute(
        "select id, key, body::text from records_canonicalrecord where id = any(%s::bigint[])", [ids(record_ids)]
    )
    return {r[0]: (r[0], r[1], orjson.loads(r[2])) for r in rows.fetchall()}


@dataclass(slots=True)
class _Other:
    """A canonical record that several items of a page may meet: its values are made once."""

    id: int
    key: str
    body: Mapping[str, Any]
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def values(self, rule: Rule) -> tuple[str, ...]:
        if rule.slug not in self.made:
            self.made[rule.slug] = rule.values(self.key, self.body)
        return self.made[rule.slug]


def _ranked(rules: Sequence[Rule], mine: Sequence[tuple[str, ...]], theirs: Sequence[_Other]) -> list[Candidate]:
    found: dict[int, Candidate] = {}
    for rule, here in zip(rules, mine, strict=True):
        hits = []
        for other in theirs if here else ():
            there = other.values(rule)
            points = rule.score(here, there)
            if points and other.id not in found:
                names = (one.field for one in rule.comparisons)
                fields = tuple(zip(names, rule.scores(here, there), strict=True))
                hits.append(Candidate(other.id, other.key, rule, points, fields))
        for hit in sorted(hits, key=lambda one: (-one.score, one.record_id)):
            found[hit.record_id] = hit
    return list(found.values())[:KEPT]
