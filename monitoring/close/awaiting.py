"""Which time and expenses may wait for approval, known without reading all that was ever booked.

Every record that is handed in is noted in the transaction that stores it. A note says that a record may wait; whether it
still does, the record itself says. Notes of what has moved on are dropped later.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hub.common.db import plain_cursor
from hub.sync.ledger import Entry
from hub.sync.models import Sync

ENTITIES = ("time_entry", "expense")
STATUSES = ("submitted", "reopened")


def on_ledger(*, cursor: Any, sync_id: int, entries: Sequence[Entry], **_: Any) -> None:
    """Note the records that a page has made or changed and that are handed in now."""
    if not _is_of_entities(sync_id):
        return
    found = [e.record_id for e in entries if e.body is not None and e.record_id and e.body.get("status") in STATUSES]
    if found:
        cursor.execute(
            "insert into monitoring_awaitingapproval as a (record_id, noted_at)"
            " select u.id, now() from unnest(%s::bigint[]) u(id) order by u.id"
            " on conflict (record_id) do update set noted_at = excluded.noted_at",
            [sorted(set(found))],
        )


@lru_cache(maxsize=10_000)
def _is_of_entities(sync_id: int) -> bool:
    """A sync keeps its mapping, and a mapping its entity."""
    return Sync.objects.filter(pk=sync_id, mapping__entity__slug__in=ENTITIES).exists()


def forget_syncs() -> None:
    """Where tables are emptied, ids begin anew."""
    _is_of_entities.cache_clear()


def forget_settled() -> int:
    """Drop notes of records that wait no more; returns how many.

    One that was noted within the hour stays: its record may just be coming back, in a transaction that is not seen yet.
    """
    with plain_cursor() as cursor:
        cursor.execute(
            "delete from monitoring_awaitingapproval a where a.noted_at < now() - interval '1 hour'"
            " and not exists (select from records_canonicalrecord c where c.id = a.record_id and c.deleted_at is null"
            "   and c.body->>'status' = any(%s))",
            [list(STATUSES)],
        )
        return cursor.rowcount
