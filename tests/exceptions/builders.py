"""Recorded and made-up trouble: records with their links, held records, deliveries that the target refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import count
from typing import Any

from django.db import connection
from django.utils import timezone

from connectors.models import Stream
from governance.models import Entity
from governance.schemas import markers_of
from hub.records.models import CanonicalRecord, Crosswalk, ProvenanceProfile
from hub.sync.models import HeldRecord, Sync

_ids = count(5_000_001)


def record(entity: Entity, key: str, body: dict[str, Any]) -> CanonicalRecord:
    profile, _ = ProvenanceProfile.objects.get_or_create(digest=b"0" * 16, defaults={"fields": {}})
    markers = markers_of(entity.contract.versions.get(status="active").schema)
    promoted = {column: body.get(field) for column, field in markers.promoted}
    return CanonicalRecord.objects.create(
        id=next(_ids),
        entity=entity,
        key=key,
        version=1,
        body=body,
        provenance=profile,
        hash=b"0" * 16,
        amount=body.get(markers.amount),
        currency=body.get(markers.currency),
        updated_at=timezone.now(),
        **promoted,
    )


def put_records(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        made = record(Entity.objects.get(slug=row["entity"]), row["key"], row["body"])
        for slug, external_id in row["links"]:
            stream = Stream.objects.get(slug=slug)
            Crosswalk.objects.create(stream=stream, external_id=external_id, record=made, batch_id=1, hash=b"0" * 16)


def put_held(rows: Iterable[dict[str, Any]], at: datetime | None = None) -> None:
    at = at or timezone.now()
    for row in rows:
        missing = Entity.objects.filter(slug=row.get("missing_entity", "")).first()
        HeldRecord.objects.create(
            sync=Sync.objects.get(slug=row["sync"]),
            external_id=row["external_id"],
            state=row["state"],
            error_code=row["error_code"],
            error_detail=row["error_detail"],
            field=row["field"],
            missing_entity_id=missing.pk if missing else None,
            missing_key=row.get("missing_key"),
            body=row["body"],
            currency=row.get("currency"),
            transaction_id=next(_ids),
            first_at=at,
            last_at=at,
        )


def put_deliveries(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        made = record(Entity.objects.get(slug=row["entity"]), row["key"], row["body"])
        delivery(Sync.objects.get(slug=row["sync"]), made, row["state"], row["error_code"], row["error_detail"])


def delivery(sync: Sync, made: CanonicalRecord, state: int, code: str = "VALIDATION", detail: str = "Refused.") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sync_delivery (sync_id, record_id, version, state, next_at, attempts, error_code, error_detail)"
            " values (%s, %s, 1, %s, now(), 1, %s, %s)",
            [sync.pk, made.pk, state, code, detail],
        )
