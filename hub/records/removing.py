"""Records that a source does not show any more: the id at the stream is gone, and the record with its last living source.

A source lives for a record while an inbound sync reads its stream and the record's id there is neither gone nor of the
hub's own making. A removal raises the version, so that it takes the same way to the targets as any other change.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hub.records.copying import ids, texts

# Later than any batch.
NO_BATCH = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Removed:
    """A canonical record that has just been marked as deleted. `version` is its new one."""

    id: int
    key: str
    version: int
    amount: str | None
    currency: str | None
    body: str  # as JSON


def mark_gone(
    cursor: Any, stream_id: int, external_ids: Collection[str], *, before_batch: int = NO_BATCH
) -> dict[str, int]:
    """External id → canonical id of those that were living until now, and were last shown before a batch.

    Their canonical rows are locked first, in the order of their ids.
    """
    where = (
        "x.stream_id = %s and x.external_id = any(%s::text[]) and x.gone_at is null and x.merge_id is null"
        " and x.batch_id < %s"
    )
    values = [stream_id, texts(external_ids), before_batch]
    cursor.execute(
        "select c.id from records_canonicalrecord c where c.id in"
        f" (select x.record_id from records_crosswalk x where {where}) order by c.id for update",
        values,
    )
    rows = cursor.execute(
        f"update records_crosswalk x set gone_at = now(), hash = ''::bytea where {where}"
        " returning x.external_id, x.record_id",
        values,
    )
    return dict(rows.fetchall())


def delete_lifeless(
    cursor: Any, entity_id: int, record_ids: Collection[int], streams: Collection[int]
) -> list[Removed]:
    """Mark those of the records as deleted that live at none of these streams; what they held is kept."""
    rows = cursor.execute(
        "update records_canonicalrecord c set deleted_at = now(), updated_at = now(), version = c.version + 1"
        " where c.id = any(%s::bigint[]) and c.entity_id = %s and c.deleted_at is null and not exists ("
        "   select from records_crosswalk x where x.record_id = c.id and x.gone_at is null and not x.is_ours"
        "   and x.merge_id is null and x.stream_id = any(%s::bigint[]))"
        " returning c.id, c.key, c.version, c.amount::text, c.currency, c.body::text",
        [ids(record_ids), entity_id, ids(streams)],
    )
    return sorted((Removed(*row) for row in rows.fetchall()), key=lambda removed: removed.id)


def forget_links(cursor: Any, stream_id: int, record_ids: Sequence[int]) -> None:
    """The stream has deleted these records: whatever it shows next is new there."""
    cursor.execute(
        "delete from records_crosswalk where stream_id = %s and record_id = any(%s::bigint[])",
        [stream_id, ids(record_ids)],
    )
