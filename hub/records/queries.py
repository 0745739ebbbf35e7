"""Reads of the canonical store, a page of keys at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hub.common.db import plain_cursor
from hub.records.models import CanonicalRecord, Crosswalk


def crosswalk_of(stream_id: int, external_ids: Collection[str]) -> dict[str, tuple[bytes, int]]:
    """external id → (hash of the source record, canonical id)"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select external_id, hash, record_id from records_crosswalk where stream_id = %s and external_id = any(%s)",
            [stream_id, list(external_ids)],
        )
        return {external_id: (digest, record_id) for external_id, digest, record_id in cursor}


def ids_by_key(entity_id: int, keys: Collection[str]) -> dict[str, int]:
    """canonical key → canonical id"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select key, id from records_canonicalrecord where entity_id = %s and key = any(%s)",
            [entity_id, list(keys)],
        )
        return dict(cursor.fetchall())


def existing_keys(entity_id: int, keys: Collection[str]) -> set[str]:
    return set(ids_by_key(entity_id, keys))


def keys_by_external_id(stream_id: int, external_ids: Collection[str]) -> dict[str, str]:
    """external id → canonical key"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select x.external_id, c.key from records_crosswalk x join records_canonicalrecord c on c.id = x.record_id"
            " where x.stream_id = %s and x.external_id = any(%s)",
            [stream_id, list(external_ids)],
        )
        return dict(cursor.fetchall())


def external_ids_by_key(stream_id: int, entity_id: int, keys: Collection[str]) -> dict[str, str]:
    """canonical key → external id at a stream"""
    with plain_cursor() as cursor:
        cursor.execute(
            "select c.key, x.external_id from records_canonicalrecord c"
            " join records_crosswalk x on x.record_id = c.id and x.stream_id = %s"
            " where c.entity_id = %s and c.key = any(%s)",
            [stream_id, entity_id, list(keys)],
        )
        return dict(cursor.fetchall())


def links_of(record: CanonicalRecord) -> Iterable[Crosswalk]:
    """Where else the record is known."""
    return Crosswalk.objects.filter(record=record).select_related("stream__connection__system").order_by("stream_id")
