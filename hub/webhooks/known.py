"""What the hub holds of a record already, by whichever way it came, and marking what its source has deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from connectors import paths
from hub.common import facts
from hub.common.errors import RecordError
from hub.records.copying import texts
from hub.records.models import Crosswalk
from hub.sync import held, ledger
from hub.sync.models import Batch, HeldRecord
from hub.sync.plan import SyncPlan
from hub.sync.prepare import external_id
from hub.webhooks import versions
from hub.webhooks.models import Seen
from hub.webhooks.versions import Version

Known = dict[str, list[Version]]


def newest_of(plan: SyncPlan, external_ids: Sequence[str]) -> Known:
    """external id → versions that the hub knows: of messages and deletions, of what was read, of what is held."""
    found: Known = defaultdict(list)
    seen = Seen.objects.filter(stream_id=plan.stream_id, external_id__in=external_ids)
    for name, text in seen.values_list("external_id", "changed_at"):
        found[name].append(versions.version_of(text))
    if plan.stream.cursor:
        _add_read(plan, external_ids, found)
        waiting = HeldRecord.objects.filter(sync=plan.sync, external_id__in=external_ids)
        for name, body in waiting.values_list("external_id", "body"):
            found[name].append(versions.version_of(paths.get(body, plan.stream.cursor)))
    return found


def _add_read(plan: SyncPlan, external_ids: Sequence[str], found: Known) -> None:
    """The record as it was last read stands in the payload of the page that brought it."""
    rows = Crosswalk.objects.filter(stream_id=plan.stream_id, external_id__in=external_ids)
    by_batch: dict[int, set[str]] = defaultdict(set)
    for name, batch_id in rows.values_list("external_id", "batch_id"):
        by_batch[batch_id].add(name)
    for batch in Batch.objects.filter(pk__in=by_batch, payload__isnull=False).iterator(chunk_size=20):
        assert batch.payload is not None
        for record in ledger.unpack(bytes(batch.payload)):
            name = _name(plan, record)
            if name in by_batch[batch.pk]:
                found[name].append(versions.version_of(paths.get(record, plan.stream.cursor)))


def _name(plan: SyncPlan, record: Any) -> str:
    try:
        return external_id(record, plan.stream.key)
    except RecordError:
        return ""


def remember(cursor: Any, plan: SyncPlan, rows: Sequence[tuple[str, Version, bool]]) -> None:
    """Keep (external id, version, is deleted) as the newest that messages told of; in the order of the ids."""
    cursor.executemany(
        "insert into webhooks_seen (stream_id, external_id, changed_at, is_deleted) values (%s, %s, %s, %s)"
        " on conflict (stream_id, external_id) do update set"
        " changed_at = coalesce(nullif(excluded.changed_at, ''), webhooks_seen.changed_at),"
        " is_deleted = excluded.is_deleted",
        [(plan.stream_id, name, version.text, is_deleted) for name, version, is_deleted in rows],
    )


def delete(cursor: Any, plan: SyncPlan, external_ids: Collection[str]) -> None:
    """Mark records as deleted, except those that another stream shows too; what was held of them goes."""
    if not external_ids:
        return
    rows = cursor.execute(
        "update records_canonicalrecord c set deleted_at = now(), updated_at = now()"
        " where c.deleted_at is null and c.id in (select record_id from records_crosswalk"
        "   where stream_id = %(stream)s and external_id = any(%(ids)s::text[]))"
        " and not exists (select from records_crosswalk x where x.record_id = c.id"
        "   and (x.stream_id <> %(stream)s or x.external_id <> all(%(ids)s::text[])))"
        " returning id, key, version, body::text",
        {"stream": plan.stream_id, "ids": texts(external_ids)},
    ).fetchall()
    facts.publish("records_removed", cursor=cursor, sync_id=plan.sync.pk, rows=rows)
    held.clear(cursor, plan.sync.pk, external_ids)


def restore(cursor: Any, plan: SyncPlan, external_ids: Collection[str]) -> None:
    """A record that its source shows again is not deleted any more, even if nothing else about it changed."""
    rows = cursor.execute(
        "update records_canonicalrecord c set deleted_at = null, updated_at = now() where c.deleted_at is not null"
        " and c.id in (select record_id from records_crosswalk where stream_id = %s and external_id = any(%s::text[]))"
        " returning id, key, version, body::text",
        [plan.stream_id, texts(external_ids)],
    ).fetchall()
    facts.publish("records_restored", cursor=cursor, sync_id=plan.sync.pk, rows=rows)
