"""Doubles that are in the hub already: one system has a customer twice, or two came before there was a rule.

Comparing when a record comes looks at other systems alone, and holds; this looks back at what is there, holds nothing, and lets
a person merge the two or say that they are not one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.db import transaction
from django.db.models import QuerySet

from governance.match_rules.queries import active_rules
from governance.matching import rules as matching
from governance.matching.rules import Rule
from governance.models import MatchRule
from hub.common.db import plain_cursor
from hub.records.copying import ids
from hub.sync.models import Duplicate, Likeness

CHUNK = 1_000
# Chunks of one entity in one go; the next go follows within seconds.
MOST_CHUNKS = 5
# A block that more records share says nothing about any two of them.
CROWD = 50
LOCK = 0x6C69_6B65
Record = tuple[str, Mapping[str, Any]]


def advance() -> int:
    """Compare records that came since the last time with all that share a block with them; how many pairs were found.

    Entities without active match rules cost nothing. Two at once do no harm: the second one waits for its turn.
    """
    found = 0
    for entity_id in MatchRule.objects.filter(is_active=True).order_by().values_list("entity", flat=True).distinct():
        rules = active_rules(entity_id)
        for _ in range(MOST_CHUNKS if rules else 0):
            compared, pairs = _chunk(entity_id, rules)
            found += pairs
            if not compared:
                break
    return found


def standing() -> QuerySet[Likeness]:
    """Pairs of which both still live."""
    rows = Likeness.objects.select_related("record__entity", "other")
    return rows.filter(record__deleted_at__isnull=True, other__deleted_at__isnull=True).order_by("pk")


@transaction.atomic
def _chunk(entity_id: int, rules: Sequence[Rule]) -> tuple[int, int]:
    """(records that were compared, pairs that were found)"""
    with plain_cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK, entity_id])
        fresh = _fresh(cursor, entity_id, matching.digest(rules))
        if not fresh:
            return 0, 0
        met = _met(cursor, entity_id, fresh)
        bodies = _bodies(cursor, {*met, *(other for others in met.values() for other in others)})
        rows = list(_pairs(rules, met, bodies, _told_apart(entity_id)))
        _keep(cursor, rows)
        cursor.execute("update sync_likenessposition set record_id = %s where entity_id = %s", [max(fresh), entity_id])
    return len(fresh), len(rows)


def _fresh(cursor: Any, entity_id: int, digest: str) -> list[int]:
    """The next records behind the position; with other rules everything is looked at again."""
    row = cursor.execute(
        "insert into sync_likenessposition as p (entity_id, digest, record_id) values (%s, %s, 0)"
        " on conflict (entity_id) do update set digest = excluded.digest,"
        " record_id = case when p.digest = excluded.digest then p.record_id else 0 end returning record_id",
        [entity_id, digest],
    ).fetchone()
    rows = cursor.execute(
        "select distinct record_id from sync_matchblock where record_id > %s and entity_id = %s order by 1 limit %s",
        [row[0], entity_id, CHUNK],
    )
    return [record_id for (record_id,) in rows]


def _met(cursor: Any, entity_id: int, fresh: Sequence[int]) -> dict[int, set[int]]:
    """canonical id → those that came before it and share a block with it"""
    rows = cursor.execute(
        "select distinct b.record_id, o.record_id from sync_matchblock b cross join lateral ("
        "  select record_id from sync_matchblock where entity_id = %s and block = b.block limit %s) o"
        " where b.record_id = any(%s::bigint[]) and b.entity_id = %s and o.record_id < b.record_id",
        [entity_id, CROWD, ids(fresh), entity_id],
    )
    found: dict[int, set[int]] = defaultdict(set)
    for record_id, other in rows:
        found[record_id].add(other)
    return found


def _bodies(cursor: Any, record_ids: set[int]) -> dict[int, Record]:
    rows = cursor.execute(
        "select id, key, body::text from records_canonicalrecord where id = any(%s::bigint[]) and deleted_at is null",
        [ids(record_ids)],
    )
    return {id_: (key, orjson.loads(body)) for id_, key, body in rows}


def _told_apart(entity_id: int) -> set[str]:
    """Keys of which a person has said that they are new."""
    rows = Duplicate.objects.filter(sync__mapping__entity=entity_id, decision="new")
    return set(rows.values_list("key", flat=True))


def _pairs(
    rules: Sequence[Rule], met: Mapping[int, set[int]], bodies: Mapping[int, Record], apart: set[str]
) -> Iterator[tuple[int, int, str, int]]:
    """(record, other, rule, score) of the first rule that agrees on two that are not the same by their key."""
    for record_id, others in met.items():
        if record_id not in bodies or bodies[record_id][0] in apart:
            continue
        for other in sorted(others & bodies.keys()):
            for rule in rules:
                if score := rule.score(rule.values(*bodies[record_id]), rule.values(*bodies[other])):
                    yield record_id, other, rule.name, score
                    break


def _keep(cursor: Any, rows: Sequence[tuple[int, int, str, int]]) -> None:
    cursor.executemany(
        "insert into sync_likeness (record_id, other_id, rule, score, at) values (%s, %s, %s, %s, now())"
        " on conflict (record_id, other_id) do nothing",
        rows,
    )
