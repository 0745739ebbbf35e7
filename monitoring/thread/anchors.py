"""From any record, or any system's id of it, to the engagement that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from governance.models import Entity
from hub.accounts.models import User
from hub.records.models import CanonicalRecord
from hub.records.reading import Described
from hub.sync.models import Merge
from monitoring.thread.declaration import ThreadSpec
from monitoring.thread.wiring import SEE

MOST = 50
SEARCHED = 500


def record_of(user: User | None, entity: str, key: str) -> CanonicalRecord | None:
    """The record of a key that the person may see; of a merged one, the record that it is today."""
    rows = CanonicalRecord.objects.select_related("entity__domain", "provenance").filter(entity__slug=entity)
    seen = user.domain_ids_for(SEE) if user else None
    rows = rows if seen is None else rows.filter(entity__domain__in=seen)
    found = rows.filter(key=key).first()
    while found is not None and found.deleted_at and (merge := _merge_of(found)) is not None:
        found = rows.filter(pk=merge.winner_id).first()
    return found


def _merge_of(record: CanonicalRecord) -> Merge | None:
    return Merge.objects.filter(loser=record, undone_at__isnull=True).first()


def anchors_of(record: CanonicalRecord, thread: ThreadSpec) -> list[CanonicalRecord]:
    """The engagements that a record belongs to, at most MOST; itself where it is one."""
    if record.entity.slug == thread.anchor:
        return [record]
    entity = Entity.objects.filter(slug=thread.anchor).first()
    if entity is None:
        return []
    rows = CanonicalRecord.objects.select_related("entity", "provenance").filter(entity=entity)
    named = record.project or record.body.get("project_code")
    if isinstance(named, str) and (found := list(rows.filter(key=named))):
        return found
    return _of_customer(record, rows.filter(deleted_at__isnull=True)) if record.customer else []


def _of_customer(record: CanonicalRecord, rows: QuerySet[CanonicalRecord]) -> list[CanonicalRecord]:
    """Of the customer's projects those that have to do with the record: all for the customer, else those that name it or
    the same deal or contract."""
    rows = rows.filter(customer=record.customer).order_by("key")
    if record.entity.slug == "customer":
        return list(rows[:MOST])
    links = {(record.entity.slug, record.key), *_links(record)}
    return [row for row in rows[:SEARCHED] if links & set(_links(row))][:MOST]


def _links(record: CanonicalRecord) -> Iterator[tuple[str, str]]:
    """(entity, key) of the deal and the contract that a record names."""
    for name in ("opportunity", "contract"):
        if isinstance(key := record.body.get(name), str):
            yield name, key


def title_of(record: CanonicalRecord, described: Described) -> str:
    """What people call the engagement, beside its key."""
    body = described.open_body(record.body)
    return str(body.get("name") or "")
