"""Reads of possible duplicates: what a person may see, and which one comes next."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.records.models import CanonicalRecord
from hub.sync.models import Duplicate, HeldRecord
from hub.sync.states import HeldState

DOMAIN = "sync__mapping__entity__domain"


def duplicates_for(user: User, permission: str) -> QuerySet[Duplicate]:
    """In the domains in which the person holds the permission, also those that are decided."""
    rows = Duplicate.objects.select_related(
        DOMAIN, "sync__mapping__stream__connection__system", "record", "chosen", "decided_by"
    )
    return scope_to_domains(rows, user, permission, DOMAIN)


def open_for(user: User, permission: str = "ledger.view") -> QuerySet[Duplicate]:
    return duplicates_for(user, permission).filter(status=Duplicate.Status.OPEN)


def next_after(user: User, duplicate: Duplicate) -> Duplicate | None:
    """The open one that the list shows behind this one; at its end the first one."""
    rows = open_for(user, "ledger.replay").exclude(pk=duplicate.pk).order_by("-score", "pk")
    behind = Q(score__lt=duplicate.score) | Q(score=duplicate.score, pk__gt=duplicate.pk)
    return rows.filter(behind).first() or rows.first()


def held_of(duplicate: Duplicate) -> HeldRecord | None:
    """The record itself, as its source gave it."""
    return HeldRecord.objects.filter(sync_id=duplicate.sync_id, external_id=duplicate.external_id).first()


def waiting_for(duplicate: Duplicate) -> QuerySet[HeldRecord]:
    """Records that cannot pass before somebody has decided, because they refer to this one."""
    entity_id, stream_id = duplicate.sync.entity.pk, duplicate.sync.stream.pk
    by_key = Q(missing_stream_id=None, missing_key=duplicate.key)
    by_id = Q(missing_stream_id=stream_id, missing_key=duplicate.external_id)
    return HeldRecord.objects.filter(by_key | by_id, state=HeldState.WAITING, missing_entity_id=entity_id)


def candidates_of(duplicate: Duplicate) -> list[CanonicalRecord]:
    """The records that it may be and that are still there, the best one first."""
    ids = [one["record"] for one in duplicate.candidates]
    rows = CanonicalRecord.objects.select_related("entity", "provenance").filter(deleted_at=None).in_bulk(ids)
    return [rows[id_] for id_ in ids if id_ in rows]
