"""The blocks in which the canonical records of an entity stand, so that a new record meets only those that may be it.

Kept for entities with active match rules alone, under a lock of the entity: pages of one entity that look for duplicates
are stored one after the other, so that two systems cannot bring the same thing at the same moment unseen. A rule counts
for what is stored by runs that begin after it was kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
from django.db import transaction

from governance.match_rules.queries import active_rules
from governance.matching import rules as matching
from governance.matching.rules import Rule
from hub.common import facts
from hub.common.db import plain_cursor
from hub.records.copying import ids
from hub.sync import runs
from hub.sync.models import MatchIndex, Run
from hub.sync.plan import SyncPlan

CHUNK = 5_000
# The first of the two numbers of the advisory lock; the second is the entity.
LOCK = 0x6D61_7463
Body = Mapping[str, Any]


def ensure(run: Run, plan: SyncPlan) -> None:
    """Before the first page: make what is missing, a chunk a transaction, so that a worker that falls goes on there."""
    is_complete = not plan.matching
    while not is_complete:
        with transaction.atomic(), plain_cursor() as cursor:
            runs.fence(cursor, run, counts={}, stage="comparing")
            lock(cursor, plan.entity.pk)
            is_complete = _make_some(cursor, plan.entity.pk, plan.matching)


def open_page(cursor: Any, plan: SyncPlan) -> None:
    """In the transaction of a page: lock the entity, and go by the rules by which its blocks are made."""
    lock(cursor, plan.entity.pk)
    if are_complete(cursor, plan):
        return
    plan.matching = active_rules(plan.entity.pk)
    while plan.matching and not _make_some(cursor, plan.entity.pk, plan.matching):
        pass


def subscribe() -> None:
    facts.subscribe("match_rules_changed", _drop_without_rules)


def _drop_without_rules(*, entity_id: int) -> None:
    """Nothing is put into blocks while no rule is in force, so they are made anew when one is again."""
    if not active_rules(entity_id):
        MatchIndex.objects.filter(entity=entity_id).delete()


def lock(cursor: Any, entity_id: int) -> None:
    cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK, entity_id])


def note(
    cursor: Any, entity_id: int, rules: Sequence[Rule], records: Iterable[tuple[int, str, Body]], *, are_new: bool
) -> None:
    """(canonical id, key, body) as they are now."""
    rows = [(id_, number) for id_, key, body in records for number in matching.blocks_of(rules, key, body)]
    if not are_new:
        forget(cursor, [id_ for id_, _, _ in records])
    with cursor.copy("copy sync_matchblock (entity_id, block, record_id) from stdin") as copy:
        copy.write("".join([f"{entity_id}\t{number}\t{id_}\n" for id_, number in rows]))


def forget(cursor: Any, record_ids: Collection[int]) -> None:
    cursor.execute("delete from sync_matchblock where record_id = any(%s::bigint[])", [ids(record_ids)])


def are_complete(cursor: Any, plan: SyncPlan) -> bool:
    """Whether every record of the entity stands in the blocks of these rules."""
    return _state(cursor, plan.entity.pk) == (matching.digest(plan.matching), None)


# Making them -----------------------------------------------------------------------------------------------
def _state(cursor: Any, entity_id: int) -> tuple[str, str | None]:
    row = cursor.execute("select digest, upto from sync_matchindex where entity_id = %s", [entity_id]).fetchone()
    return (row[0], row[1]) if row else ("", "")


def _make_some(cursor: Any, entity_id: int, rules: Sequence[Rule]) -> bool:
    """One chunk more, in the order of the keys; True when all records stand in their blocks."""
    wanted = matching.digest(rules)
    digest, upto = _state(cursor, entity_id)
    if digest != wanted:
        cursor.execute("delete from sync_matchblock where entity_id = %s", [entity_id])
        upto = ""
    if upto is None:
        return True
    rows = cursor.execute(
        "select id, key, body::text from records_canonicalrecord where entity_id = %s and key > %s order by key limit %s",
        [entity_id, upto, CHUNK],
    ).fetchall()
    note(cursor, entity_id, rules, [(r[0], r[1], orjson.loads(r[2])) for r in rows], are_new=False)
    is_complete = len(rows) < CHUNK
    cursor.execute(
        "insert into sync_matchindex (entity_id, digest, upto) values (%s, %s, %s)"
        " on conflict (entity_id) do update set digest = excluded.digest, upto = excluded.upto",
        [entity_id, wanted, None if is_complete else rows[-1][1]],
    )
    return is_complete
