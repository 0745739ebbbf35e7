"""What this hub has of what a thread asks for: entities, the syncs that read and deliver them, and what a person may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.models import System
from governance.models import Entity
from hub.accounts.models import User
from hub.sync.models import Sync
from monitoring.thread.declaration import LegSpec, ThreadSpec

SEE = "ledger.view"


@dataclass(slots=True)
class Wiring:
    """`seen` are the domains in which the person may look at records; None means all."""

    entities: dict[str, Entity] = field(default_factory=dict)
    syncs: dict[int, list[Sync]] = field(default_factory=dict)
    seen: frozenset[int] | None = None

    def may_see(self, entity: str) -> bool:
        found = self.entities.get(entity)
        return found is not None and (self.seen is None or found.domain_id in self.seen)

    def ins(self, entity: str) -> list[Sync]:
        return [sync for sync in self._of(entity) if sync.direction == "in"]

    def outs(self, entity: str, category: str = "") -> list[Sync]:
        return [s for s in self._of(entity) if s.direction == "out" and category in ("", _category(s))]

    def reads_from(self, entity: str, categories: Iterable[str]) -> list[Sync]:
        """Inbound syncs from systems of these categories."""
        wanted = set(categories)
        return [sync for sync in self.ins(entity) if _category(sync) in wanted]

    def _of(self, entity: str) -> list[Sync]:
        found = self.entities.get(entity)
        return self.syncs.get(found.pk, []) if found else []

    def is_connected(self, leg: LegSpec) -> bool:
        """Whether records of the leg can come, or go, where the leg says."""
        if leg.reaches:
            return bool(self.outs(leg.entity, leg.reaches) or self.reads_from(leg.entity, [leg.reaches]))
        return bool(self.ins(leg.entity))

    def systems(self, leg: LegSpec) -> list[System]:
        """The systems that hold it, or have to: those of the leg's categories first, in the order in which they stand."""
        if leg.reaches:
            syncs = self.outs(leg.entity, leg.reaches) or self.reads_from(leg.entity, [leg.reaches])
        else:
            order = {category: place for place, category in enumerate(leg.at)}
            syncs = sorted(self.ins(leg.entity), key=lambda sync: order.get(_category(sync), len(order)))
            if syncs and _category(syncs[0]) in order:
                syncs = [sync for sync in syncs if _category(sync) == _category(syncs[0])]
        return list({system.pk: system for system in map(_system, syncs)}.values())


def wiring(thread: ThreadSpec, user: User | None) -> Wiring:
    """Two queries; without a person everything may be seen."""
    entities = {entity.slug: entity for entity in Entity.objects.filter(slug__in=thread.entities)}
    found = Wiring(entities, seen=user.domain_ids_for(SEE) if user else None)
    rows = Sync.objects.filter(mapping__entity__in=[entity.pk for entity in entities.values()])
    for sync in rows.select_related("mapping__entity", "mapping__stream__connection__system").order_by("pk"):
        found.syncs.setdefault(sync.mapping.entity_id, []).append(sync)
    return found


def _system(sync: Sync) -> System:
    return sync.stream.connection.system


def _category(sync: Sync) -> str:
    return str(_system(sync).category)
