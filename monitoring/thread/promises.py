"""Which service level applies to a leg, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Q

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure, due_at, judge
from monitoring.thread.declaration import LegSpec, ThreadSpec
from monitoring.thread.shapes import Sla
from monitoring.thread.wiring import Wiring


class Promises:
    """The service levels of the engagement's entities, read once."""

    def __init__(self, thread: ThreadSpec, wiring: Wiring) -> None:
        self.thread, self.wiring = thread, wiring
        entities = wiring.entities.values()
        about = Q(entity__in=list(entities)) | Q(entity=None, domain__in={entity.domain_id for entity in entities})
        rows = ServiceLevel.objects.filter(about, measure__in=[Measure.LATENCY.value, Measure.DURATION.value])
        self.levels = list(rows.select_related("calendar__parent__parent", "target", "source", "entity", "domain"))

    def of(self, leg: LegSpec) -> ServiceLevel | None:
        """The tightest one that speaks of this leg; only legs that reach a system are promised anything."""
        if not leg.reaches:
            return None
        found = [level for level in self.levels if self._applies(level, leg)]
        return min(found, key=lambda level: level.breach_seconds, default=None)

    def _applies(self, level: ServiceLevel, leg: LegSpec) -> bool:
        entity = self.wiring.entities[leg.entity]
        about = level.entity_id == entity.pk or (level.entity_id is None and level.domain_id == entity.domain_id)
        if not about or (level.target and level.target.category != leg.reaches):
            return False
        if level.measure == Measure.DURATION.value:
            return leg.entity == self.thread.anchor
        return _covers(level.condition, leg.condition)


def _covers(promised: Mapping[str, Sequence[str]], leg: Mapping[str, Sequence[str]]) -> bool:
    """Whether every record of the leg meets the condition of the promise."""
    return all(name in leg and set(leg[name]) <= set(allowed) for name, allowed in promised.items())


def standing(level: ServiceLevel, start: datetime, end: datetime | None, now: datetime) -> Sla:
    promise = level.promise
    verdict, taken = judge(promise, start, end, now)
    return Sla(level, verdict, taken, due_at(promise, start))
