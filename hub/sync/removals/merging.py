"""Carrying out a merge and taking it back, each in one transaction: ids, the loser itself, what refers to it, and the outbox.

`log` writes the ledger rows of what was touched and returns their numbers, the causes of the deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from governance.match_rules.queries import active_rules
from governance.models import ContractVersion
from governance.schemas import Markers, markers_of
from hub.common.db import join_by_key
from hub.records.copying import ids
from hub.records.store import RecordStore, Write
from hub.sync import outbox
from hub.sync.duplicates import blocks
from hub.sync.models import Merge, Sync
from hub.sync.plan import subscriber_of
from hub.sync.removals.taking import living_streams
from hub.sync.states import Outcome


@dataclass(frozen=True, slots=True)
class Touched:
    """A record with its new version; `field` is the reference that was re-pointed, empty for the loser itself."""

    record_id: int
    entity_id: int
    key: str
    version: int
    body: dict[str, Any]
    outcome: Outcome
    field: str = ""


Log = Callable[[Sequence[Touched]], list[int]]


def carry_out(cursor: Any, merge: Merge, log: Log) -> set[int]:
    """The loser is closed, and what led or referred to it means the winner; returns the outbound syncs with work."""
    join_by_key(cursor)
    merge.save()
    merge.links = _repoint(cursor, merge)
    loser = _set_deleted(cursor, merge, is_deleted=True)
    children = list(_refer(cursor, merge.entity.slug, merge.loser.key, merge.winner.key))
    merge.children = [[child.record_id, child.field] for child in children]
    merge.save()
    causes = log([loser, *children])
    syncs = _outbound(merge.entity_id)
    removed = [(loser.record_id, loser.version, causes[0])]
    return outbox.enqueue_removed(cursor, [s.pk for s in syncs], removed) | _deliver(cursor, children, causes[1:])


def take_back(cursor: Any, merge: Merge, log: Log) -> set[int]:
    """As if it had never been: the loser lives, and whatever still means the winner for its sake means the loser."""
    join_by_key(cursor)
    _point_back(cursor, merge)
    loser = _set_deleted(cursor, merge, is_deleted=False)
    only = {(record_id, field) for record_id, field in merge.children}
    children = list(_refer(cursor, merge.entity.slug, merge.winner.key, merge.loser.key, only=only))
    touched = [loser, *children]
    return _deliver(cursor, touched, log(touched))


# Ids -------------------------------------------------------------------------------------------------------
def _repoint(cursor: Any, merge: Merge) -> list[list[Any]]:
    """What sources call the loser; a target's own id stays with it, because that record is removed there."""
    rows = cursor.execute(
        "update records_crosswalk set record_id = %s, merge_id = coalesce(merge_id, %s)"
        " where record_id = %s and not is_ours and stream_id = any(%s::bigint[]) returning stream_id, external_id",
        [merge.winner_id, merge.pk, merge.loser_id, ids(living_streams(merge.entity_id))],
    )
    return sorted([stream_id, external_id] for stream_id, external_id in rows.fetchall())


def _point_back(cursor: Any, merge: Merge) -> None:
    cursor.execute(
        "update records_crosswalk x set record_id = %s, merge_id = nullif(x.merge_id, %s), hash = ''::bytea"
        " from unnest(%s::bigint[], %s::text[]) u(stream_id, external_id)"
        " where x.stream_id = u.stream_id and x.external_id = u.external_id",
        [merge.loser_id, merge.pk, [link[0] for link in merge.links], [link[1] for link in merge.links]],
    )


# Records ---------------------------------------------------------------------------------------------------
def _set_deleted(cursor: Any, merge: Merge, *, is_deleted: bool) -> Touched:
    row = cursor.execute(
        "update records_canonicalrecord set deleted_at = case when %s then now() end, updated_at = now(),"
        " version = version + 1 where id = %s returning id, entity_id, key, version, body::text",
        [is_deleted, merge.loser_id],
    ).fetchone()
    outcome = Outcome.MERGED if is_deleted else Outcome.UPDATED
    return Touched(row[0], row[1], row[2], row[3], orjson.loads(row[4]), outcome)


def _refer(
    cursor: Any, slug: str, old: str, new: str, *, only: set[tuple[int, str]] | None = None
) -> Iterator[Touched]:
    """Let every living record that refers to the key `old` refer to `new`; with `only`, just these (record, field)."""
    versions = ContractVersion.objects.filter(status=ContractVersion.Status.ACTIVE).select_related("contract")
    for version in versions.order_by("contract__entity_id"):
        markers = markers_of(version.schema)
        for field in [name for name, target in markers.refs if target == slug]:
            yield from _refer_one(cursor, version.contract.entity_id, markers, field, old, new, only=only)


def _refer_one(
    cursor: Any, entity_id: int, markers: Markers, field: str, old: str, new: str, *, only: set[tuple[int, str]] | None
) -> list[Touched]:
    column = next((f" and {column} = %(old)s" for column, name in markers.promoted if name == field), "")
    rows = cursor.execute(
        "select id, key, version, body::text, provenance_id from records_canonicalrecord where entity_id = %(entity)s"
        f" and deleted_at is null and body->>%(field)s = %(old)s{column} order by id for update",
        {"entity": entity_id, "field": field, "old": old},
    ).fetchall()
    bodies = [(r, orjson.loads(r[3]) | {field: new}) for r in rows if only is None or (r[0], field) in only]
    now = cursor.execute("select now()::text").fetchone()[0]
    RecordStore(entity_id, markers, cursor, now).update([Write(r[0], r[1], r[2] + 1, body, r[4]) for r, body in bodies])
    if rules := active_rules(entity_id) if bodies else ():
        blocks.note(cursor, entity_id, rules, [(r[0], r[1], body) for r, body in bodies], are_new=False)
    return [Touched(r[0], entity_id, r[1], r[2] + 1, body, Outcome.UPDATED, field) for r, body in bodies]


# Targets ---------------------------------------------------------------------------------------------------
def _outbound(entity_id: int) -> list[Sync]:
    return list(Sync.objects.filter(mapping__entity=entity_id, mapping__direction="out").order_by("pk"))


def _deliver(cursor: Any, touched: Sequence[Touched], causes: Sequence[int]) -> set[int]:
    rung: set[int] = set()
    for entity_id in dict.fromkeys(one.entity_id for one in touched):
        rows = [
            (one.record_id, one.version, one.body, cause)
            for one, cause in zip(touched, causes, strict=True)
            if one.entity_id == entity_id
        ]
        rung |= outbox.enqueue_changed(cursor, [subscriber_of(sync) for sync in _outbound(entity_id)], rows)
    return rung
