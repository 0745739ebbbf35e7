"""Documents side by side: their hash, what differs in them, and two edits of one document put together. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from hub.common.registry import Document

# By which of its entries an item of a list is known, so that a list is compared item by item and not as a whole.
_IDENTITIES = (("target",), ("name",), ("slug",), ("path",), ("id",), ("source", "valid_from"))
ABSENT = object()
# The path of a removal: every field of the object.
WHOLE = "*"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two documents differ; None where one of them has nothing there."""

    path: str
    before: Any
    after: Any

    @property
    def word(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def content_hash(document: Any) -> str:
    """SHA-256 of plain data in the order in which it is written; empty for None."""
    return "" if document is None else hashlib.sha256(orjson.dumps(document, default=str)).hexdigest()


def differences(before: Document | None, after: Document) -> list[Difference]:
    """What differs, as deep as both have something to compare; kind and slug are names and not content."""
    return [
        each
        for name in dict.fromkeys([*(before or {}), *after])
        if name not in ("kind", "slug")
        for each in _differ(name, (before or {}).get(name), after.get(name))
    ]


def _differ(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    old, new = dict(_parts(before)), dict(_parts(after))
    if not old or not new or type(before) is not type(after):
        yield Difference(path, before, after)
        return
    found = [
        each for name in dict.fromkeys([*old, *new]) for each in _differ(f"{path}.{name}", old.get(name), new.get(name))
    ]
    # Nothing but the order differs.
    yield from found or [Difference(path, before, after)]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of everything below: entries of a mapping, and items of a list that have names of their own."""
    if isinstance(value, dict):
        yield from ((str(name).replace(".", "·"), inner) for name, inner in value.items())
    elif isinstance(value, list) and (names := _names(value)):
        yield from zip(names, value, strict=True)


def _names(items: Sequence[Any]) -> list[str]:
    """What the items of a list are known by; empty where they are not known apart."""
    if not items or not all(isinstance(item, dict) for item in items):
        return []
    for identity in _IDENTITIES:
        names = [" ".join(str(item[part]) for part in identity if item.get(part)) for item in items]
        if all(identity[0] in item for item in items) and len(set(names)) == len(names):
            return [name.replace(".", "·") for name in names]
    return []


def leaves(found: Difference) -> Iterator[str]:
    """The path of a difference and of everything that comes or goes with it."""
    yield found.path
    for value in (found.before, found.after):
        yield from _below(found.path, value)


def _below(path: str, value: Any) -> Iterator[str]:
    for name, inner in _parts(value):
        yield f"{path}.{name}"
        yield from _below(f"{path}.{name}", inner)


# Patterns -----------------------------------------------------------------------------------------------------------


def covers(pattern: str, path: str) -> bool:
    """Whether a pattern speaks of a path or of something above it: `**.rate` covers `schema.properties.rate.type`."""
    return _compiled(pattern).match(f"{path}.") is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = [r"(?:[^.]+\.)*" if part == "**" else _part(part) + r"\." for part in pattern.split(".")]
    return re.compile("".join(parts))


def _part(part: str) -> str:
    return "[^.]*".join(re.escape(piece) for piece in part.split("*"))


# Putting two edits together -----------------------------------------------------------------------------------------


def merge(base: Any, earlier: Any, later: Any) -> Any:
    """What `later` changed of `base`, done to `earlier`; where both changed the same place, the later edit counts."""
    if later == base:
        return earlier
    if earlier == base or ABSENT in (earlier, later):
        return later
    if isinstance(earlier, dict) and isinstance(later, dict):
        return _merge_parts(base if isinstance(base, dict) else {}, earlier, later)
    if isinstance(earlier, list) and isinstance(later, list):
        return _merge_lists(base if isinstance(base, list) else [], earlier, later)
    return later


def _merge_parts(base: dict[str, Any], earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    merged = {}
    for name in [*(name for name in later), *(name for name in earlier if name not in later)]:
        value = merge(base.get(name, ABSENT), earlier.get(name, ABSENT), later.get(name, ABSENT))
        if value is not ABSENT:
            merged[name] = value
    return merged


def _merge_lists(base: list[Any], earlier: list[Any], later: list[Any]) -> list[Any]:
    """Items with names are merged one by one, plain values as a set in order; any other list is taken whole."""
    named = [_names(items) for items in (base, earlier, later)]
    if all(names or not items for names, items in zip(named, (base, earlier, later), strict=True)):
        parts = [
            dict(zip(names, items, strict=True)) for names, items in zip(named, (base, earlier, later), strict=True)
        ]
        return list(_merge_parts(*parts).values())
    if any(isinstance(item, dict | list) for item in [*base, *earlier, *later]):
        return later
    gone = [item for item in base if item not in later]
    return [item for item in earlier if item not in gone] + [
        item for item in later if item not in base and item not in earlier
    ]
