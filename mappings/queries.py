"""Reads of mappings and value maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.common.errors import ConfigError
from mappings.compile import ValueMapData, ValueMapEntryData
from mappings.models import ValueMap
from mappings.rules import FieldRule


def value_map_data(value_map: ValueMap) -> ValueMapData:
    entries = value_map.entries.order_by("source", "valid_from")
    return ValueMapData(
        slug=value_map.slug,
        entries=tuple(ValueMapEntryData(e.source, e.target, e.valid_from, e.valid_to) for e in entries),
        on_unmapped=value_map.on_unmapped,
        default=value_map.default,
        revision=value_map.revision,
    )


def value_maps_of(rules: Iterable[FieldRule]) -> Mapping[str, ValueMapData]:
    """The value maps that the rules name, by slug. Raises ConfigError for one that does not exist."""
    names = {rule.value_map for rule in rules if rule.value_map}
    found = {m.slug: value_map_data(m) for m in ValueMap.objects.filter(slug__in=names).prefetch_related("entries")}
    if missing := sorted(names - set(found)):
        raise ConfigError(f"There is no value map {missing[0]!r}.", fix="Create it or name an existing one.")
    return found
