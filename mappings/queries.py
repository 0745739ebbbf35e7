"""Reads of mappings and value maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet

from hub.accounts.queries import scope_to_domains
from hub.common.errors import ConfigError
from mappings.compile import ValueMapData, ValueMapEntryData
from mappings.models import Mapping as MappingModel
from mappings.models import MappingVersion, ValueMap, ValueMapEntry
from mappings.reading import maps_named
from mappings.rules import FieldRule, parse_rules


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
    """The value maps that the rules name, in an expression or not, by slug. ConfigError for one that does not exist."""
    names = {name for rule in rules for name in maps_named(rule)}
    found = {m.slug: value_map_data(m) for m in ValueMap.objects.filter(slug__in=names).prefetch_related("entries")}
    if missing := sorted(names - set(found)):
        raise ConfigError(f"There is no value map {missing[0]!r}.", fix="Create it or name an existing one.")
    return found


def known_value_maps(rules: Iterable[FieldRule]) -> Mapping[str, ValueMapData]:
    """The value maps that the rules name and that exist: for a draft, in which a missing one is a problem to show."""
    names = {name for rule in rules for name in maps_named(rule)}
    found = ValueMap.objects.filter(slug__in=names).prefetch_related("entries")
    return {value_map.slug: value_map_data(value_map) for value_map in found}


def history_of(mapping: MappingModel) -> Counter[tuple[str, str]]:
    """How often other live mappings of the same system, entity and direction fill a target from a source."""
    others = MappingVersion.objects.filter(
        status=MappingVersion.Status.ACTIVE,
        mapping__direction=mapping.direction,
        mapping__entity_id=mapping.entity_id,
        mapping__stream__connection__system_id=mapping.stream.connection.system_id,
    ).exclude(mapping=mapping)
    rules = (rule for version in others for rule in version.rules)
    return Counter((rule["source"], rule["target"]) for rule in rules if rule.get("source"))


def mappings_for(user: Any, permission: str = "mappings.view") -> QuerySet[MappingModel]:
    """The mappings of entities in whose domain this person holds the permission."""
    rows = MappingModel.objects.select_related("stream__connection__system", "entity__domain")
    return scope_to_domains(rows, user, permission, "entity__domain")


def value_maps_for(user: Any, permission: str = "valuemaps.view") -> QuerySet[ValueMap]:
    """The value maps that this person holds the permission for; one without a domain belongs to the whole firm."""
    return scope_to_domains(ValueMap.objects.select_related("domain"), user, permission)


def users_of_value_maps() -> dict[str, list[MappingModel]]:
    """The mappings whose live or draft rules name a value map, by its slug."""
    found: dict[str, list[MappingModel]] = {}
    versions = MappingVersion.objects.exclude(status=MappingVersion.Status.SUPERSEDED).select_related("mapping")
    for version in versions.order_by("mapping__name", "number"):
        for name in {name for rule in parse_rules(version.rules) for name in maps_named(rule)}:
            users = found.setdefault(name, [])
            if version.mapping not in users:
                users.append(version.mapping)
    return found


def history_of_mapping(mapping: MappingModel) -> list[dict[str, Any]]:
    """When the mapping was made and renamed, and which versions went live, newest first, for a timeline."""
    rows = list(MappingModel.history.filter(id=mapping.pk).select_related("history_user"))
    named = [
        _event(row, f"Named {row.name}", "changed") if before else _event(row, f"{row.name} made", "ok")
        for row, before in zip(rows, [*rows[1:], None], strict=True)
        if before is None or row.name != before.name
    ]
    live = mapping.versions.filter(activated_at__isnull=False).select_related("created_by")
    events = [
        {"state": "ok", "title": f"Version {each.number} live", "detail": _by(each.created_by), "at": each.activated_at}
        for each in live
    ]
    return sorted([*named, *events], key=lambda event: event["at"], reverse=True)


def history_of_value_map(value_map: ValueMap) -> list[dict[str, Any]]:
    """Every change of a map and its entries, newest first: {state, title, detail, at} for a timeline."""
    own = ValueMap.history.filter(id=value_map.pk).select_related("history_user")
    entries = ValueMapEntry.history.filter(value_map_id=value_map.pk).select_related("history_user")
    newest_first = sorted([*_entry_events(list(entries)), *_map_events(list(own))], key=lambda event: event["at"])
    return newest_first[::-1]


def _entry_events(rows: list[Any]) -> Iterator[dict[str, Any]]:
    """`rows` newest first."""
    for at, row in enumerate(rows):
        before = next((other for other in rows[at + 1 :] if other.id == row.id), None)
        if row.history_type == "~" and before is not None:
            title = f"{_entry_words(before)} is now {_entry_words(row)}"
        else:
            title = f"{_entry_words(row)} {'added' if row.history_type == '+' else 'removed'}"
        yield _event(row, title, {"+": "ok", "-": "muted"}.get(row.history_type, "changed"))


def _entry_words(row: Any) -> str:
    since = f" from {row.valid_from}" if row.valid_from else ""
    until = f" to {row.valid_to}" if row.valid_to else ""
    return f"{row.source} → {row.target or 'empty'}{since}{until}"


def _map_events(rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row, before in zip(rows, [*rows[1:], None], strict=True):
        if before is None:
            yield _event(row, "Value map made", "ok")
        elif changed := [name for name in _SETTINGS if getattr(row, name) != getattr(before, name)]:
            yield _event(row, f"Settings changed: {', '.join(_SETTINGS[name] for name in changed)}", "changed")


_SETTINGS = {
    "name": "name",
    "description": "description",
    "domain_id": "domain",
    "on_unmapped": "what happens to unlisted values",
    "default": "default value",
}


def _event(row: Any, title: str, state: str) -> dict[str, Any]:
    return {"state": state, "title": title, "detail": _by(row.history_user), "at": row.history_date}


def _by(user: Any) -> str:
    return f"by {user}" if user else "by the configuration"
