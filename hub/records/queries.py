"""Reads of the canonical store, a page of keys at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.db import plain_cursor
from hub.records.copying import ids, texts
from hub.records.models import CanonicalRecord, Crosswalk


def is_blank(stream_id: int, entity_id: int) -> bool:
    """Neither an id of the stream nor a record of the entity is known."""
    return not (
        Crosswalk.objects.filter(stream_id=stream_id).exists()
        or CanonicalRecord.objects.filter(entity_id=entity_id).exists()
    )


def crosswalk_of(stream_id: int, external_ids: Collection[str]) -> dict[str, tuple[bytes, int]]:
    """external id → (hash of the source record, canonical id)"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select external_id, hash, record_id from records_crosswalk where stream_id = %s and external_id = any(%s::text[])",
            [stream_id, texts(external_ids)],
        )
        return {external_id: (digest, record_id) for external_id, digest, record_id in cursor}


def ids_by_key(entity_id: int, keys: Collection[str]) -> dict[str, int]:
    """canonical key → canonical id"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select key, id from records_canonicalrecord where entity_id = %s and key = any(%s::text[])",
            [entity_id, texts(keys)],
        )
        return dict(cursor.fetchall())


def existing_keys(entity_id: int, keys: Collection[str]) -> set[str]:
    return set(ids_by_key(entity_id, keys))


def keys_by_external_id(stream_id: int, external_ids: Collection[str]) -> dict[str, str]:
    """external id → canonical key"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select x.external_id, c.key from records_crosswalk x join records_canonicalrecord c on c.id = x.record_id"
            " where x.stream_id = %s and x.external_id = any(%s::text[])",
            [stream_id, texts(external_ids)],
        )
        return dict(cursor.fetchall())


def external_ids_by_key(stream_id: int, entity_id: int, keys: Collection[str]) -> dict[str, str]:
    """canonical key → external id at a stream"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select c.key, x.external_id from records_canonicalrecord c"
            " join records_crosswalk x on x.record_id = c.id and x.stream_id = %s and x.merge_id is null"
            " where c.entity_id = %s and c.key = any(%s::text[])",
            [stream_id, entity_id, texts(keys)],
        )
        return dict(cursor.fetchall())


def external_ids_of(stream_id: int, record_ids: Collection[int]) -> dict[int, str]:
    """canonical id → external id at a stream; the lowest where the stream holds the record more than once"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select record_id, min(external_id) from records_crosswalk where stream_id = %s and record_id = any(%s::bigint[])"
            " and merge_id is null group by record_id",
            [stream_id, ids(record_ids)],
        )
        return dict(cursor.fetchall())


def links_of(record: CanonicalRecord) -> Iterable[Crosswalk]:
    """Where else the record is known."""
    return Crosswalk.objects.filter(record=record).select_related("stream__connection__system").order_by("stream_id")


# For people: limited to the domains in which they may see records -------------------------------------------

SEE = "ledger.view"
REVEAL = "payloads.reveal"
COUNTED = 10_000
# The highest character: a key that begins with a text lies between the text and the text followed by this.
_LAST = chr(0x10FFFF)


def find_record(user: User, entity: str, permission: str = SEE, **by: Any) -> CanonicalRecord:
    """One record by `pk=` or `key=`, or 404 where it is missing or outside the person's domains."""
    rows = CanonicalRecord.objects.select_related("entity__domain", "provenance")
    return get_object_or_404(scope_to_domains(rows, user, permission, "entity__domain"), entity__slug=entity, **by)


def records_of(entity: Entity) -> QuerySet[CanonicalRecord]:
    """All records of an entity, without those that were deleted at their source."""
    return CanonicalRecord.objects.filter(entity=entity, deleted_at__isnull=True)


def with_key_from(rows: QuerySet[CanonicalRecord], prefix: str) -> QuerySet[CanonicalRecord]:
    """Records whose key begins with a text; read from the index of keys."""
    return rows.filter(key__gte=prefix, key__lt=prefix + _LAST) if prefix else rows


def counts(entity_ids: Collection[int], most: int = COUNTED) -> dict[int, int]:
    """entity id → number of records, counted to `most` and no further: a count of millions would take seconds."""
    with plain_cursor() as cursor:
        cursor.execute(
            "select e.id, n.number from unnest(%s::bigint[]) e(id), lateral (select count(*) number from ("
            " select 1 from records_canonicalrecord c where c.entity_id = e.id limit %s) capped) n",
            [list(entity_ids), most],
        )
        return dict(cursor.fetchall())


def known_ids(entity_ids: Collection[int], keys: Collection[str]) -> dict[tuple[int, str], int]:
    """(entity id, canonical key) → canonical id, for those that exist."""
    found = CanonicalRecord.objects.filter(entity__in=entity_ids, key__in=keys)
    return {(entity, key): id_ for entity, key, id_ in found.values_list("entity_id", "key", "pk")}


def search(user: User, text: str, limit: int = 8) -> list[CanonicalRecord]:
    """Records known under this id at any system, then those whose key begins with it."""
    entities = scope_to_domains(Entity.objects.all(), user, SEE)
    visible = list(entities.values_list("pk", flat=True))
    if not text or not visible:
        return []
    found = [*_by_external_id(text, limit), *_by_key(visible, text, limit)]
    rows = CanonicalRecord.objects.filter(pk__in=found, entity__in=visible).select_related("entity").defer("body")
    return sorted(rows, key=lambda row: found.index(row.pk))[:limit]


def _by_external_id(text: str, limit: int) -> list[int]:
    with plain_cursor() as cursor:
        cursor.execute(
            "select x.record_id from connectors_stream s, lateral (select record_id from records_crosswalk"
            " where stream_id = s.id and external_id = %s) x limit %s",
            [text, limit],
        )
        return [row[0] for row in cursor]


def _by_key(entity_ids: Collection[int], text: str, limit: int) -> list[int]:
    """Exact keys first, whatever the entity; then keys that begin with the text."""
    with plain_cursor() as cursor:
        cursor.execute(
            "select c.id from unnest(%s::bigint[]) e(id), lateral (select id, key from records_canonicalrecord"
            " where entity_id = e.id and key >= %s and key < %s order by key limit %s) c"
            " order by c.key <> %s, c.key limit %s",
            [list(entity_ids), text, text + _LAST, limit, text, limit],
        )
        return [row[0] for row in cursor]
