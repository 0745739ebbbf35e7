"""Every change to value maps and their entries by people: one at a time, or a file at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from hub.common import governed, saving
from hub.common.errors import ConfigError
from mappings.drafts import ChangedMeanwhile
from mappings.models import ValueMap, ValueMapEntry
from mappings.queries import users_of_value_maps
from mappings.services import dump_entries, entry_problems, normal_entries, replace_entries, touch


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person says of one entry; both dates are inclusive, None is open."""

    source: str
    target: str
    valid_from: date | None = None
    valid_to: date | None = None

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("source", "target", "valid_from", "valid_to")}


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table of entries would change in a map."""

    added: tuple[dict[str, Any], ...]
    changed: tuple[tuple[dict[str, Any], dict[str, Any]], ...]
    removed: tuple[dict[str, Any], ...]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


def entry_mark(entry: ValueMapEntry) -> str:
    """What an entry looked like when it was shown; sent back with a change."""
    text = "\x1f".join(map(str, (entry.source, entry.target, entry.valid_from, entry.valid_to)))
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()


@governed.governs(lambda given: [("ValueMap", given["slug"])])
@transaction.atomic
def create_value_map(*, slug: str, by: Any, **fields: Any) -> ValueMap:
    """A new map without entries. ValidationError for a slug that is taken."""
    value_map = ValueMap(slug=slug, **fields)
    value_map.full_clean()
    value_map.save()
    return value_map


@governed.governs(lambda given: [("ValueMap", given["value_map"].slug)])
@transaction.atomic
def save_value_map(*, value_map: ValueMap, by: Any, **fields: Any) -> ValueMap:
    """Change the map's own settings; what happens to unlisted values counts as a change of the table."""
    _lock(value_map)
    matters = any(fields[name] != getattr(value_map, name) for name in ("on_unmapped", "default") if name in fields)
    for name, value in fields.items():
        setattr(value_map, name, value)
    value_map.full_clean()
    value_map.save()
    if matters:
        touch(value_map)
    return value_map


def delete_value_map(*, value_map: ValueMap, by: Any) -> None:
    """Remove a map that no mapping names: ConfigError names those that do. Held where reviewers have to agree."""
    saving.remove("ValueMap", value_map.slug, act="value_map.deleted", by=by, domain=value_map.domain)


def refuse_named(value_map: ValueMap) -> None:
    """Raises ConfigError that says which mappings look values up in it."""
    if users := users_of_value_maps().get(value_map.slug):
        names = ", ".join(mapping.name for mapping in users)
        raise ConfigError(
            f"{value_map.name} is used by {names}.", fix="Choose another value map there first.", code="IN_USE"
        )


@governed.governs(lambda given: [("ValueMap", given["value_map"].slug)])
@transaction.atomic
def add_entry(*, value_map: ValueMap, entry: Entry, by: Any) -> ValueMapEntry:
    """ConfigError when another entry of the same source is valid on the same day."""
    _lock(value_map)
    _check([*dump_entries(value_map), entry.document()], value_map)
    row = value_map.entries.create(**entry.document())
    touch(value_map)
    return row


@governed.governs(lambda given: [("ValueMap", given["row"].value_map.slug)])
@transaction.atomic
def save_entry(*, row: ValueMapEntry, entry: Entry, seen: str, by: Any) -> ValueMapEntry:
    """Change one entry, if it still looks as it was `seen`."""
    row = _lock_entry(row, seen)
    others = [_document(each) for each in row.value_map.entries.exclude(pk=row.pk)]
    _check([*others, entry.document()], row.value_map)
    for name, value in entry.document().items():
        setattr(row, name, value)
    row.full_clean()
    row.save()
    touch(row.value_map)
    return row


@governed.governs(lambda given: [("ValueMap", given["row"].value_map.slug)])
@transaction.atomic
def remove_entry(*, row: ValueMapEntry, seen: str, by: Any) -> None:
    """Remove one entry, if it still looks as it was `seen`."""
    row = _lock_entry(row, seen)
    row.delete()
    touch(row.value_map)


def plan_table(value_map: ValueMap, entries: Sequence[dict[str, Any]], *, remove_others: bool) -> TablePlan:
    """What `apply_table` would do; `entries` are free of problems."""
    present = {_key(entry): entry for entry in dump_entries(value_map)}
    wanted = {_key(entry): entry for entry in normal_entries(entries)}
    return TablePlan(
        added=tuple(entry for key, entry in wanted.items() if key not in present),
        changed=tuple((present[key], new) for key, new in wanted.items() if key in present and present[key] != new),
        removed=tuple(entry for key, entry in present.items() if key not in wanted) if remove_others else (),
        unchanged=sum(present.get(key) == entry for key, entry in wanted.items()),
    )


@governed.governs(lambda given: [("ValueMap", given["value_map"].slug)])
@transaction.atomic
def apply_table(
    *,
    value_map: ValueMap,
    entries: Sequence[dict[str, Any]],
    remove_others: bool,
    by: Any,
    seen_revision: int | None = None,
) -> int:
    """Bring a whole table in, all or nothing; returns how many entries changed.

    With `seen_revision`, ChangedMeanwhile when the map was changed since the plan was shown.
    """
    _lock(value_map)
    if seen_revision is not None and value_map.revision != seen_revision:
        raise ChangedMeanwhile(f"{value_map.name} was changed meanwhile.", fix="Look at the preview again.")
    table = merged(value_map, entries, remove_others=remove_others)
    return replace_entries(value_map=value_map, entries=table, by=by)


def merged(value_map: ValueMap, entries: Sequence[dict[str, Any]], *, remove_others: bool) -> list[dict[str, Any]]:
    """The table as it would be: these entries, and the others unless they go."""
    wanted = {_key(entry) for entry in entries}
    kept = [] if remove_others else [entry for entry in dump_entries(value_map) if _key(entry) not in wanted]
    return [*kept, *entries]


# ---------------------------------------------------------------------------------------------------------------------


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    return str(entry["source"]), str(entry.get("valid_from") or "")


def _document(row: ValueMapEntry) -> dict[str, Any]:
    return Entry(row.source, row.target, row.valid_from, row.valid_to).document()


def _lock(value_map: ValueMap) -> None:
    """One change of a map at a time, so that overlaps are seen and each change has a revision of its own."""
    value_map.revision = ValueMap.objects.select_for_update().get(pk=value_map.pk).revision


def _lock_entry(row: ValueMapEntry, seen: str) -> ValueMapEntry:
    value_map = row.value_map
    _lock(value_map)
    found = value_map.entries.filter(pk=row.pk).first()
    if found is None or entry_mark(found) != seen:
        who = _last_changed_by(row)
        raise ChangedMeanwhile(f"This entry was changed by {who} meanwhile.", fix="Look at it, then change it again.")
    found.value_map = value_map
    return found


def _last_changed_by(row: ValueMapEntry) -> str:
    newest = ValueMapEntry.history.filter(id=row.pk).select_related("history_user").first()
    return str(newest.history_user) if newest and newest.history_user else "somebody"


def _check(entries: Sequence[dict[str, Any]], value_map: ValueMap) -> None:
    if problems := entry_problems(list(entries)):
        raise ConfigError(problems[0][1], where=value_map.name, code="OVERLAP")
