"""Keys under which systems know a record that the hub keeps under another one: they mean that record wherever they come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from hub.records.copying import ids, texts


def link(cursor: Any, entity_id: int, stream_id: int, rows: Sequence[tuple[str, int, str, str]]) -> None:
    """(the system's own key, the record that it means from now on, the system's id of it, why)"""
    by_key = {row[0]: row for row in sorted(rows)}
    keys, record_ids, external_ids, whys = zip(*by_key.values(), strict=True)
    cursor.execute(
        "insert into sync_linkedkey (entity_id, key, record_id, stream_id, external_id, why)"
        " select %s, u.key, u.record_id, %s, u.external_id, u.why"
        " from unnest(%s::text[], %s::bigint[], %s::text[], %s::text[]) u(key, record_id, external_id, why)"
        " where not exists (select from records_canonicalrecord c where c.entity_id = %s and c.key = u.key)"
        " on conflict (entity_id, key) do update set record_id = excluded.record_id, stream_id = excluded.stream_id,"
        " external_id = excluded.external_id, why = excluded.why, at = now()",
        [entity_id, stream_id, texts(keys), ids(record_ids), texts(external_ids), texts(whys), entity_id],
    )


def entities(cursor: Any, entity_ids: Iterable[int]) -> set[int]:
    rows = cursor.execute(
        "select e.id from unnest(%s::bigint[]) e(id) where exists ("
        " select from sync_linkedkey k where k.entity_id = e.id)",
        [sorted(set(entity_ids))],
    )
    return {row[0] for row in rows.fetchall()}


def find(cursor: Any, entity_id: int, keys: Collection[str]) -> dict[str, tuple[int, str]]:
    """A system's own key → (canonical id, canonical key)."""
    rows = cursor.execute(
        "select k.key, c.id, c.key from sync_linkedkey k join records_canonicalrecord c on c.id = k.record_id"
        " where k.entity_id = %s and k.key = any(%s::text[])",
        [entity_id, texts(keys)],
    )
    return {row[0]: (row[1], row[2]) for row in rows.fetchall()}
