"""The options of a declaration as a page for people, read from the schema that checks declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from connectors.declaration_schema import schema


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what may stand there, and an example as YAML would show it."""

    name: str
    title: str
    text: str
    kind: str
    is_required: bool
    example: str
    # the section that describes what stands here, as an anchor
    section: str


@dataclass(frozen=True, slots=True)
class Section:
    """Options that stand beside one another."""

    anchor: str
    title: str
    text: str
    options: list[Option]


@cache
def sections() -> list[Section]:
    """The top level first, then every part that it refers to."""
    whole = schema()
    top = Section("top", "The whole declaration", str(whole.get("description", "")), list(_options(whole)))
    parts = [
        Section(name, part.get("title") or name, part.get("description", ""), found)
        for name, part in whole["$defs"].items()
        if (found := list(_options(part)))
    ]
    return [top, *parts]


def _options(part: Mapping[str, Any]) -> Iterator[Option]:
    required = part.get("required", [])
    for name, each in _objects(part).get("properties", {}).items():
        section = _section_of(each)
        described = {**schema()["$defs"].get(section, {}), **each} if section else each
        yield Option(
            name,
            described.get("title", name),
            described.get("description", ""),
            _kind(described),
            name in required,
            _example(described),
            section if section and _objects(schema()["$defs"][section]).get("properties") else "",
        )


def _objects(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part itself, or the alternative of it that has options."""
    if "properties" in part:
        return part
    return next((each for each in part.get("anyOf", ()) if "properties" in each), {})


def _section_of(each: Mapping[str, Any]) -> str:
    """The name of the part that an option, each of its items, or each of its values refers to."""
    for holder in (each, each.get("items"), each.get("additionalProperties")):
        if isinstance(holder, dict) and str(holder.get("$ref", "")).startswith("#/$defs/"):
            return str(holder["$ref"]).rsplit("/", 1)[1]
    return ""


def _kind(each: Mapping[str, Any]) -> str:
    if "enum" in each:
        return ", ".join(map(str, each["enum"]))
    found = each.get("type", "")
    return " or ".join(found) if isinstance(found, list) else str(found)


def _example(each: Mapping[str, Any]) -> str:
    examples = each.get("examples") or []
    if not examples:
        return ""
    return examples[0] if isinstance(examples[0], str) else orjson.dumps(examples[0]).decode()
