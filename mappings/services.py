"""Every change to mappings and value maps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.utils import timezone

from connectors.models import Stream
from governance.models import Entity
from hub.common import facts, saving
from hub.common.errors import ConfigError
from mappings.models import Mapping, MappingVersion, ValueMap, ValueMapEntry
from mappings.rules import dump_rules, parse_rules

Status = MappingVersion.Status


@transaction.atomic
def create_mapping(*, name: str, slug: str, direction: str, stream: Stream, entity: Entity, by: Any) -> Mapping:
    """A new mapping with an empty draft. ValidationError for a slug that is taken or no slug."""
    mapping = Mapping(name=name, slug=slug, direction=direction, stream=stream, entity=entity)
    mapping.full_clean()
    mapping.save()
    edit_draft(mapping=mapping, by=by)
    return mapping


@transaction.atomic
def rename_mapping(*, mapping: Mapping, name: str, by: Any) -> Mapping:
    """Give a mapping another name; its slug, by which everything refers to it, stays."""
    mapping.name = name
    mapping.full_clean()
    mapping.save(update_fields=["name"])
    return mapping


@transaction.atomic
def activate_rules(*, mapping: Mapping, rules: list[dict[str, Any]], by: Any, note: str = "") -> MappingVersion:
    """Make these rules the mapping's active version; the same rules again are no new version."""
    normal = dump_rules(parse_rules(rules))
    Mapping.objects.select_for_update().get(pk=mapping.pk)
    active = mapping.versions.filter(status=Status.ACTIVE).first()
    if active and active.rules == normal:
        return active
    if active:
        active.status = Status.SUPERSEDED
        active.save(update_fields=["status"])
    version = _next_version(mapping, status=Status.ACTIVE, rules=normal, by=by, note=note, activated_at=timezone.now())
    facts.publish("mapping_activated", version=version)
    return version


def _next_version(mapping: Mapping, *, by: Any, **fields: Any) -> MappingVersion:
    newest = mapping.versions.order_by("-number").first()
    number = newest.number + 1 if newest else 1
    return mapping.versions.create(number=number, created_by=by, **fields)


@transaction.atomic
def edit_draft(*, mapping: Mapping, by: Any) -> MappingVersion:
    """The mapping's draft; made from the active version when there is none."""
    Mapping.objects.select_for_update().get(pk=mapping.pk)
    draft = mapping.versions.filter(status=Status.DRAFT).first()
    if draft:
        return draft
    active = mapping.versions.filter(status=Status.ACTIVE).first()
    return _next_version(mapping, status=Status.DRAFT, rules=active.rules if active else [], by=by)


@transaction.atomic
def save_draft_rules(*, mapping: Mapping, rules: list[dict[str, Any]], by: Any) -> MappingVersion:
    draft = edit_draft(mapping=mapping, by=by)
    draft.rules = dump_rules(parse_rules(rules))
    draft.save(update_fields=["rules", "updated_at"])
    return draft


@transaction.atomic
def activate_draft(*, mapping: Mapping, by: Any, note: str = "") -> MappingVersion:
    draft = mapping.versions.filter(status=Status.DRAFT).first()
    if draft is None:
        raise ConfigError("There is no draft to activate.", where=mapping.slug, fix="Change a field first.")
    rules = draft.rules
    draft.delete()
    return activate_rules(mapping=mapping, rules=rules, by=by, note=note)


def delete_mapping(*, mapping: Mapping, by: Any) -> None:
    """Only one that no sync uses: InUse names them. Held where reviewers have to agree."""
    saving.remove("Mapping", mapping.slug, act="mapping.deleted", by=by, domain=mapping.entity.domain)


@transaction.atomic
def discard_draft(*, mapping: Mapping) -> None:
    mapping.versions.filter(status=Status.DRAFT).delete()


# Value maps ------------------------------------------------------------------------------------------------


def dump_entries(value_map: ValueMap) -> list[dict[str, Any]]:
    entries = value_map.entries.order_by("source", "valid_from")
    return normal_entries(
        {"source": e.source, "target": e.target, "valid_from": e.valid_from, "valid_to": e.valid_to} for e in entries
    )


def normal_entries(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries in stable order, dates as text, empty dates left out."""
    rows = [{k: str(v) for k, v in entry.items() if v not in (None, "")} for entry in entries]
    rows = [{"source": row.get("source", ""), "target": row.get("target", ""), **row} for row in rows]
    return sorted(rows, key=lambda row: (row["source"], row.get("valid_from", "")))


def entry_problems(entries: Any) -> list[tuple[str, str]]:
    """(path, sentence) for entries that cannot be meant: no source, wrong dates, overlapping periods."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return [("entries", "Entries are a list of {source, target, valid_from, valid_to}.")]
    problems = []
    by_source: dict[str, list[tuple[date, date, int]]] = {}
    for index, entry in enumerate(entries):
        where = f"entries.{index}"
        if entry.get("source") in (None, ""):
            problems.append((where, "An entry needs a source value."))
        problems += [(where, f"There is no {name!r} here.") for name in entry if name not in ENTRY_FIELDS]
        try:
            period = (_day(entry.get("valid_from"), date.min), _day(entry.get("valid_to"), date.max), index)
        except ValueError:
            problems.append((where, "Dates are written YYYY-MM-DD."))
            continue
        if period[0] > period[1]:
            problems.append((where, "The period ends before it starts."))
        by_source.setdefault(str(entry.get("source")), []).append(period)
    return problems + [p for source, periods in by_source.items() for p in _overlaps(source, periods)]


ENTRY_FIELDS = ("source", "target", "valid_from", "valid_to")


def _day(value: Any, default: date) -> date:
    return default if value in (None, "") else value if isinstance(value, date) else date.fromisoformat(str(value))


def _overlaps(source: str, periods: list[tuple[date, date, int]]) -> Iterable[tuple[str, str]]:
    ordered = sorted(periods)
    for earlier, later in pairwise(ordered):
        if later[0] <= earlier[1]:
            yield (
                f"entries.{later[2]}",
                f"Two entries for {source!r} are valid on {later[0]}: end the first one before.",
            )


@transaction.atomic
def replace_entries(*, value_map: ValueMap, entries: list[dict[str, Any]], by: Any) -> int:
    """Make these the map's entries; returns how many were added, changed or removed. Untouched ones keep their history."""
    if problems := entry_problems(entries):
        path, sentence = problems[0]
        raise ConfigError(sentence, where=f"{value_map.slug}: {path}")
    wanted = {(e["source"], e.get("valid_from")): e for e in normal_entries(entries)}
    present = {(e.source, str(e.valid_from) if e.valid_from else None): e for e in value_map.entries.all()}
    changed = 0
    for key in present.keys() - wanted.keys():
        present[key].delete()
        changed += 1
    for key, entry in wanted.items():
        changed += _save_entry(value_map, present.get(key), entry)
    if changed:
        touch(value_map)
    return changed


def _save_entry(value_map: ValueMap, found: ValueMapEntry | None, entry: dict[str, Any]) -> int:
    row = found or ValueMapEntry(value_map=value_map, source=entry["source"])
    valid_from = _day(entry.get("valid_from"), date.min) if entry.get("valid_from") else None
    valid_to = _day(entry.get("valid_to"), date.max) if entry.get("valid_to") else None
    if found and (row.target, row.valid_to) == (entry["target"], valid_to):
        return 0
    row.target, row.valid_from, row.valid_to = entry["target"], valid_from, valid_to
    row.full_clean()
    row.save()
    return 1


def touch(value_map: ValueMap) -> None:
    """Every change raises the revision, so that records mapped with the old table count as changed."""
    ValueMap.objects.filter(pk=value_map.pk).update(revision=value_map.revision + 1, updated_at=timezone.now())
    value_map.revision += 1
    facts.publish("value_map_changed", value_map=value_map)
