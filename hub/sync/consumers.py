"""Syncs, and mappings that no sync uses yet, as consumers of contracts: which fields each fills or reads."""

from __future__ import annotations

from collections.abc import Iterator

from governance import consumers, traffic
from governance.consumers import Consumer
from governance.models import Entity
from governance.queries import fields_for
from hub.sync import links
from hub.sync.models import Run, Sync
from mappings.models import Mapping, MappingVersion
from mappings.paths import parse_path
from mappings.reading import reads
from mappings.rules import parse_rules

SYNC = "Sync"


def register() -> None:
    consumers.register("sync", of_entity)


def of_entity(entity: Entity) -> Iterator[Consumer]:
    """Every sync of the entity, and every mapping with a version in force that has none."""
    known = [field.name for field in fields_for(entity)]
    active = MappingVersion.objects.filter(mapping__entity=entity, status=MappingVersion.Status.ACTIVE)
    for version in active.select_related("mapping").prefetch_related("mapping__syncs"):
        syncs = list(version.mapping.syncs.all())
        fields = _fields(version, known)
        if not syncs:
            yield _mapping(version.mapping, fields)
        for sync in syncs:
            yield _sync(sync, version.mapping, fields)


def _mapping(mapping: Mapping, fields: frozenset[str]) -> Consumer:
    url = links.page_url("mapping", mapping.slug)
    return Consumer("Mapping", mapping.slug, mapping.name, _way(mapping), fields, url)


def _sync(sync: Sync, mapping: Mapping, fields: frozenset[str]) -> Consumer:
    asked = frozenset(sync.only_when) if mapping.direction == "out" else frozenset()
    return Consumer(SYNC, sync.slug, sync.name, _way(mapping), fields | asked, links.page_url("sync", sync.slug))


def _way(mapping: Mapping) -> consumers.Way:
    return "writes" if mapping.direction == "in" else "reads"


def _fields(version: MappingVersion, known: list[str]) -> frozenset[str]:
    """The canonical fields that a mapping fills (in) or reads (out), by their first name."""
    rules = parse_rules(version.rules)
    if version.mapping.direction == "in":
        return frozenset(str(parse_path(rule.target)[0]) for rule in rules)
    return frozenset(str(parse_path(path)[0]) for rule in rules for path in reads(rule, known))


def note(run: Run) -> None:
    """A run begins to work with its versions: one use of the contract's."""
    if run.contract_version_id is not None:
        traffic.note(run.contract_version_id, SYNC, run.sync.slug)
