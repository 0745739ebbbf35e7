"""Parents before children: an adoption waits for open ones of the entities that its contract refers to."""

from __future__ import annotations

from collections.abc import Sequence

from governance.schemas import markers_of
from hub.sync.adopt.definitions import schema_of
from hub.sync.models import Adoption, Sync


def parents_of(sync: Sync) -> set[str]:
    """Slugs of the entities to which the sync's entity refers; its own does not count."""
    return {entity for _, entity in markers_of(schema_of(sync.entity)).refs} - {sync.entity.slug}


def open_parents(adoption: Adoption) -> list[Adoption]:
    """Open first loads of parents at the same connection."""
    connection = adoption.target.stream.connection
    rows = Adoption.objects.filter(
        status__in=Adoption.OPEN,
        target__mapping__entity__slug__in=parents_of(adoption.target),
        target__mapping__stream__connection=connection,
    )
    return list(rows.exclude(pk=adoption.pk).select_related("target").order_by("pk"))


def in_order(syncs: Sequence[Sync]) -> list[Sync]:
    """Parents first; where entities refer to each other in a circle, by their load order."""
    left = sorted(syncs, key=lambda sync: (sync.entity.load_order, sync.slug))
    found: list[Sync] = []
    while left:
        entities = {sync.entity.slug for sync in left}
        ready = next((sync for sync in left if not parents_of(sync) & (entities - {sync.entity.slug})), left[0])
        left.remove(ready)
        found.append(ready)
    return found
