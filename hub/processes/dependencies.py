"""Who reads what a process changes, and which processes read an entity: the map that people ask before they change either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from connectors.models import Stream
from governance import consumers
from governance.consumers import Consumer
from governance.models import Entity
from hub.processes.definition import Definition, steps_of
from hub.processes.models import Process
from hub.sync.models import Sync


@dataclass(frozen=True, slots=True)
class Changed:
    """What one step changes: at which system, which object, and who reads it from there or from the hub."""

    step: str
    system: str
    what: str
    readers: tuple[Consumer, ...]


def changed_by(definition: Definition) -> list[Changed]:
    """Of each step that writes, in order."""
    steps = [step for step in steps_of(definition).values() if step.kind in ("ensure", "action")]
    found = []
    for step in steps:
        stream, entity = _written(step.kind, str(step.more.get("sync") or step.more.get("stream") or ""))
        if stream is not None:
            readers = tuple(_readers(stream, entity))
            found.append(Changed(step.title, stream.connection.system.name, stream.label or stream.name, readers))
    return found


def _written(kind: str, slug: str) -> tuple[Stream | None, Entity | None]:
    if kind == "action":
        return Stream.objects.select_related("connection__system").filter(slug=slug).first(), None
    rows = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system")
    sync = rows.filter(slug=slug).first()
    return (sync.mapping.stream, sync.mapping.entity) if sync else (None, None)


def _readers(stream: Stream, entity: Entity | None) -> Iterator[Consumer]:
    """Syncs that read the object back from its system, then whoever reads the records in the hub."""
    back = Sync.objects.filter(
        mapping__direction="in", mapping__stream__connection=stream.connection_id, mapping__stream__name=stream.name
    ).order_by("slug")
    seen = set()
    for sync in back:
        seen.add(("Sync", sync.slug))
        yield Consumer("Sync", sync.slug, sync.name, "reads", url=reverse("sync:sync_detail", args=[sync.slug]))
    for each in consumers.of(entity) if entity else ():
        if each.way == "reads" and (each.kind, each.name) not in seen:
            yield each


def of_entity(entity: Entity) -> Iterator[Consumer]:
    """Processes that are about records of the entity or look them up, as consumers of its contract."""
    for process in Process.objects.filter(is_active=True).select_related("entity").order_by("slug"):
        looked = (process.newest.definition.get("lookups") or {}).values()
        if process.entity_id == entity.pk or entity.slug in {str(each.get("entity")) for each in looked}:
            yield Consumer("Process", process.slug, process.name, "reads", url=process.get_absolute_url())
