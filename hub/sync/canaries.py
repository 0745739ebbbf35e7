"""What the syncs behind a change have read and failed at: in the day before it took effect, and since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet, Sum

from governance.changes.canary import Part, Seen
from governance.models import ChangeItem, ChangeRequest
from hub.common.registry import kind
from hub.sync.models import Run, Sync
from hub.sync.states import RunStatus
from mappings.models import Mapping

DAY_BEFORE = timedelta(days=1)
# How a sync is reached from an object, by its kind.
_PATHS = {
    "Sync": "slug",
    "Mapping": "mapping__slug",
    "Contract": "mapping__entity__contract__slug",
    "Entity": "mapping__entity__slug",
    "Stream": "mapping__stream__slug",
    "Connection": "mapping__stream__connection__slug",
}
_OF_AN_ENTITY = frozenset({"OwnershipRule", "MatchRule"})


def judge(change: ChangeRequest, since: datetime) -> list[Part]:
    """One part for each sync that runs through what the change touches, by slug."""
    return [
        Part(
            sync.slug,
            before=_seen(sync, Q(started_at__gte=since - DAY_BEFORE, started_at__lt=since)),
            after=_seen(sync, Q(started_at__gte=since)),
        )
        for sync in syncs_of(change)
    ]


def syncs_of(change: ChangeRequest) -> QuerySet[Sync]:
    wanted = Q(pk__in=[])
    for item in change.items.all():
        wanted |= _of(item)
    return Sync.objects.filter(wanted).order_by("slug").distinct()


def _of(item: ChangeItem) -> Q:
    if item.kind in _PATHS:
        return Q(**{_PATHS[item.kind]: item.key})
    if item.kind in _OF_AN_ENTITY:
        return Q(mapping__entity__slug=(item.proposed or item.base or {}).get("entity", ""))
    if item.kind == "ValueMap":
        return Q(mapping__slug__in=list(_translating(item.key)))
    return Q(pk__in=[])


def _translating(value_map: str) -> Iterator[str]:
    """Mappings that look values up in this map."""
    mappings = kind("Mapping")
    for slug in Mapping.objects.values_list("slug", flat=True):
        document = mappings.dump(slug)
        if document and any(named[1:] == ("ValueMap", value_map) for named in mappings.references(document)):
            yield slug


def _seen(sync: Sync, when: Q) -> Seen:
    """Runs that somebody cancelled say nothing."""
    rows = Run.objects.filter(when, sync=sync).exclude(status=RunStatus.CANCELLED)
    found = rows.aggregate(
        read=Sum("read"),
        failed=Sum(F("rejected") + F("failed")),
        failed_runs=Count("pk", filter=Q(status=RunStatus.FAILED)),
    )
    return Seen(found["read"] or 0, found["failed"] or 0, found["failed_runs"])
