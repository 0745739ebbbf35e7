"""Canonical records without a run: written by the store as a page would write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from connectors.models import Connection, Stream, System
from governance.canonical_model import shipped_documents
from governance.models import Entity
from governance.queries import active_version, contract_of
from governance.schemas import fields_of, markers_of
from hub.common.db import plain_cursor
from hub.records.models import CanonicalRecord
from hub.records.store import RecordStore, Write, intern_profile
from hub.sync.prepare import external_id

NOW = "2026-11-24T10:00:00Z"
SCHEMAS = {entity["slug"]: contract["schema"] for entity, contract in shipped_documents()}


def example(slug: str, **changes: Any) -> dict[str, Any]:
    """A record of a shipped entity made of the examples of its fields."""
    return {field.name: field.spec["examples"][0] for field in fields_of(SCHEMAS[slug])} | changes


def stream(system: str, name: str) -> Stream:
    """A stream of a system that is called like its short name in capitals."""
    owner, _ = System.objects.get_or_create(slug=system, defaults={"name": system.upper()})
    connection, _ = Connection.objects.get_or_create(
        slug=f"{system}-main", defaults={"name": f"{system} main", "system": owner, "protocol": "rest"}
    )
    found, _ = Stream.objects.get_or_create(
        slug=f"{system}-{name}", defaults={"connection": connection, "name": name, "key_fields": ["id"]}
    )
    return found


def put(
    entity: Entity, bodies: Sequence[dict[str, Any]], source: Stream, *, ids: Sequence[str] = ()
) -> list[CanonicalRecord]:
    """Store bodies as new records, all fields supplied by one system; known there by `ids`, else by their keys."""
    version = active_version(contract_of(entity))
    assert version is not None
    markers = markers_of(version.schema)
    system = source.connection.system_id
    with transaction.atomic(), plain_cursor() as cursor:
        store = RecordStore(entity.pk, markers, cursor, NOW)
        new = store.allocate(len(bodies))
        keys = [external_id(body, markers.key) for body in bodies]
        profiles = [intern_profile(dict.fromkeys(body, system)) for body in bodies]
        store.insert([Write(i, k, 1, b, p) for i, k, b, p in zip(new, keys, bodies, profiles, strict=True)])
        store.link(source.pk, 1, [(e, i, b"\0" * 16) for e, i in zip(ids or keys, new, strict=True)])
    return [CanonicalRecord.objects.get(pk=pk) for pk in new]
