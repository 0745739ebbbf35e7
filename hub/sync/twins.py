"""What a source has twice: two of its ids with the key of one business object.

Nothing is held back, for the object is known and its newest state counts; but a line that was approved a second time is paid a
second time where the key is not what it seems, so people are told.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from hub.records.copying import ids, texts
from hub.records.models import Crosswalk
from hub.sync.models import Twin


def note(cursor: Any, *, sync_id: int, stream_id: int, linked: Collection[tuple[str, int]]) -> dict[str, str]:
    """Of these (id at the stream, canonical id) that are linked now: id → the id under which the stream had the record.

    Call before the new ids are linked. Ids that the hub made there itself, that are gone, or that were merged are no twins.
    """
    if not linked:
        return {}
    given, records = [external_id for external_id, _ in linked], [record_id for _, record_id in linked]
    rows = cursor.execute(
        "insert into sync_twin (sync_id, external_id, other_id, record_id, at)"
        " select %s, u.external_id, min(x.external_id), u.record_id, now()"
        " from unnest(%s::text[], %s::bigint[]) u(external_id, record_id)"
        " join records_crosswalk x on x.record_id = u.record_id and x.stream_id = %s and x.external_id <> u.external_id"
        "  and x.gone_at is null and x.merge_id is null and not x.is_ours"
        " group by u.external_id, u.record_id order by u.external_id"
        " on conflict (sync_id, external_id) do update set other_id = excluded.other_id, record_id = excluded.record_id"
        " returning external_id, other_id",
        [sync_id, texts(given), ids(records), stream_id],
    ).fetchall()
    return dict(rows)


def standing() -> QuerySet[Twin]:
    """Twins of which both ids are still there."""
    rows = Twin.objects.select_related("sync__mapping__entity", "sync__mapping__stream", "record")
    return rows.filter(_alive("external_id"), _alive("other_id")).order_by("pk")


def _alive(name: str) -> Exists:
    stream, record = OuterRef("sync__mapping__stream"), OuterRef("record")
    links = Crosswalk.objects.filter(stream=stream, external_id=OuterRef(name), record=record)
    return Exists(links.filter(gone_at__isnull=True, merge_id__isnull=True))
