"""A contract as JSON Schema 2020-12 that any validator can use, and back. Pure."""

from __future__ import annotations

from typing import Any

from governance.contracts import PATTERNS, portable_schema
from governance.schemas import Schema

_FORMATS = {pattern: (name, meaning) for name, (pattern, meaning) in PATTERNS.items()}


# How a schema of ours says which contract it is of; an identifier and no address, so nobody goes to fetch it.
URN = "urn:syncline:contract:"


def to_json_schema(schema: Schema, slug: str) -> Schema:
    portable = portable_schema(schema)
    return {"$schema": portable.pop("$schema"), "$id": f"{URN}{slug}", **portable}


def from_json_schema(document: Schema) -> tuple[str, Schema]:
    """(contract that it names, or nothing; the schema with our own formats where they were written out as patterns)."""
    name = str(document.get("$id", ""))
    schema = {word: value for word, value in document.items() if word not in ("$schema", "$id")}
    return name.removeprefix(URN) if name.startswith(URN) else "", dict(_with_formats(schema))


def _with_formats(spec: Any) -> Any:
    if isinstance(spec, list):
        return [_with_formats(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    copied = {name: _with_formats(part) for name, part in spec.items()}
    pattern = copied.get("pattern")
    if isinstance(pattern, str) and pattern in _FORMATS:
        return _restored({name: part for name, part in copied.items() if name != "pattern"}, pattern)
    return _unwrapped(copied)


def _restored(spec: Schema, pattern: str) -> Schema:
    name, meaning = _FORMATS[pattern]
    if spec.get("x-expects") == meaning:
        del spec["x-expects"]
    return spec | {"format": name}


def _unwrapped(spec: Schema) -> Schema:
    """A property with a pattern of its own carries its format's as the last of its rules; read back, that is `{format: …}`."""
    rules = spec.get("allOf")
    if "pattern" not in spec or not isinstance(rules, list) or not rules or "format" in spec:
        return spec
    if rules[-1] in [{"format": name} for name in PATTERNS]:
        rest = {name: part for name, part in spec.items() if name != "allOf"} | rules[-1]
        return rest | ({"allOf": rules[:-1]} if rules[:-1] else {})
    return spec
