"""Which syncs and entities a service level is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, QuerySet

from governance.models import Entity, ServiceLevel
from hub.sync.models import Run, Sync


@dataclass(frozen=True, slots=True)
class Scope:
    """Ids; `ins` read the entities (from the source alone where one is named), `outs` deliver them (to the target)."""

    entities: list[int]
    ins: list[int]
    outs: list[int]
    streams: list[int]
    has_source: bool

    @property
    def began_at(self) -> datetime | None:
        """Since when there can be history: the first run of any of these syncs."""
        found = Run.objects.filter(sync__in=[*self.ins, *self.outs], started_at__isnull=False)
        return found.aggregate(first=Min("started_at"))["first"]


def scope_of(level: ServiceLevel) -> Scope:
    entities = [level.entity_id] if level.entity_id else list(
        Entity.objects.filter(domain=level.domain_id).values_list("pk", flat=True)
    )  # fmt: skip
    syncs = Sync.objects.order_by("pk").filter(mapping__entity__in=entities)
    ins = _of_system(syncs.filter(mapping__direction="in"), level.source_id)
    outs = _of_system(syncs.filter(mapping__direction="out"), level.target_id)
    return Scope(
        entities,
        list(ins.values_list("pk", flat=True)),
        list(outs.values_list("pk", flat=True)),
        list(ins.values_list("mapping__stream", flat=True)),
        level.source_id is not None,
    )


def _of_system(rows: QuerySet[Sync], system_id: int | None) -> QuerySet[Sync]:
    return rows.filter(mapping__stream__connection__system=system_id) if system_id else rows
