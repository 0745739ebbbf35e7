"""The JSON Schema of declarations, and what breaks it in sentences that a person can act upon."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import jsonschema_rs
import orjson

SCHEMA_FILE = FilePath(__file__).parent / "catalog" / "schema.json"
Path = tuple[str | int, ...]
# A protocol that is built on another one takes the options of both.
_FAMILIES = {"odata": {"odata", "rest"}}


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of declarations."""
    loaded: dict[str, Any] = orjson.loads(SCHEMA_FILE.read_bytes())
    return loaded


@cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema(), validate_formats=True)


def schema_problems(data: Any) -> Iterator[tuple[Path, str]]:
    odd = list(_odd_names(data, ()))
    yield from odd
    for error in () if odd else _validator().iter_errors(data):
        yield from _sentences(error, tuple(error.instance_path))


def _odd_names(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Names that YAML takes for numbers or nothing."""
    if isinstance(data, dict):
        for name, value in data.items():
            if not isinstance(name, str):
                yield (*path, str(name)), f"The name {name} is not a text here: write it in quotes."
            yield from _odd_names(value, (*path, str(name)))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _odd_names(value, (*path, index))


def _sentences(error: jsonschema_rs.ValidationError, path: Path) -> Iterator[tuple[Path, str]]:
    kind: Any = error.kind
    if kind.name == "additionalProperties":
        allowed = list(_subschema(error).get("properties", {}))
        for name in kind.unexpected:
            yield (*path, name), f"`{name}` is not an option here.{suggest(name, allowed)}"
    elif kind.name == "required":
        yield path, f"`{kind.property}` is missing."
    elif kind.name == "enum":
        options = [str(option) for option in kind.options]
        yield path, f"{error.instance!r} is not allowed.{suggest(str(error.instance), options, everything=True)}"
    elif kind.name == "type":
        yield path, f"A value of the type {' or '.join(kind.types)} belongs here, not {_short(error.instance)}."
    elif kind.name == "propertyNames":
        yield path, f"A name here cannot be read: {error.message}."
    else:
        yield path, f"{_short(error.instance)} does not fit: {_subschema(error).get('description') or error.message}"


def _subschema(error: jsonschema_rs.ValidationError) -> dict[str, Any]:
    """The part of the schema that holds the keyword that failed."""
    node: Any = schema()
    for part in error.schema_path[:-1]:
        node = node[part]
        if isinstance(node, dict) and str(node.get("$ref", "")).startswith("#/$defs/"):
            node = {**schema()["$defs"][node["$ref"].rsplit("/", 1)[1]], **{k: node[k] for k in node if k != "$ref"}}
    return node if isinstance(node, dict) else {}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def suggest(name: str, options: list[str], *, everything: bool = False) -> str:
    """` Did you mean …?`, or the whole list when nothing is near and it is asked for."""
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if near:
        return f" Did you mean `{near[0]}`?"
    return f" Use one of: {', '.join(options)}." if everything and options else ""


def misplaced_options(data: Any, node: dict[str, Any], path: Path, kind: str) -> Iterator[tuple[Path, str]]:
    """Options that belong to another protocol, or to another kind of sign-in or paging (`x-for` in the schema)."""
    name = node.get("$ref", "").rsplit("/", 1)[-1]
    if name:
        node = schema()["$defs"][name]
    if name == "field" and isinstance(data, dict):
        node = node["anyOf"][1]
    for key, value in data.items() if isinstance(data, dict) else ():
        option = node.get("properties", {}).get(key)
        inner = data["type"] if name in ("auth", "paging") else kind
        if option and not _FAMILIES.get(inner, {inner}) & set(option.get("x-for", [inner])):
            belongs = " and ".join(option["x-for"])
            yield (*path, key), f"`{key}` belongs to {belongs}, but this is {inner}."
        below = option or node.get("additionalProperties")
        if isinstance(below, dict):
            yield from misplaced_options(value, below, (*path, key), kind)
