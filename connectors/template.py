"""`${name}` templates: plain substitution from named values, with a fixed list of filters. Nothing is executed."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import orjson

from connectors.paths import get
from hub.common.errors import ConfigError

_TOKEN = re.compile(r"\$(?:\$(?=\{)|\{([^{}]*)\})")
_TEXTS = uuid.UUID("5d0f6c52-7a0e-5b7c-9d0f-3f6f0d1c9a21")
_REFERENCE = re.compile(r'[A-Za-z_][\w-]*(?:\.(?:"[^"]*"|[\w@#*-]+))*(?:\|[a-z0-9_]+)*')


class Missing:
    """Stands for a value that is not there, so that an option that needs it can be left out."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def to_text(value: Any) -> str:
    """The text of a value in an address, a header or a longer text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return "" if value is None else str(value)


def _join(value: Any) -> str:
    return ",".join(map(to_text, value)) if isinstance(value, list | tuple) else to_text(value)


def _typed_date(value: Any) -> dict[str, Any]:
    day = date.fromisoformat(to_text(value)[:10])
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def _typed_datetime(value: Any) -> dict[str, Any]:
    moment = datetime.fromisoformat(to_text(value))
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(moment, name) for name in names}}


FILTERS: dict[str, Callable[[Any], Any]] = {
    "base64": lambda value: base64.b64encode(to_text(value).encode()).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(to_text(value).encode()).decode(),
    "json": lambda value: orjson.dumps(value).decode(),
    "join": _join,
    "lower": lambda value: to_text(value).lower(),
    "upper": lambda value: to_text(value).upper(),
    "odata": lambda value: to_text(value).replace("'", "''"),
    "soql": lambda value: to_text(value).replace("\\", "\\\\").replace("'", "\\'"),
    # a text as an id for systems that take nothing else: the same text is always the same id
    "uuid": lambda value: str(uuid.uuid5(_TEXTS, to_text(value))),
    "integer": lambda value: int(to_text(value)),
    # the way in which Tryton writes dates and times in JSON
    "typed_date": _typed_date,
    "typed_datetime": _typed_datetime,
    # keeps the slashes of a value that is itself a path
    "path": lambda value: quote(to_text(value), safe="/-._~"),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${name|filter}`: `root` is the first part of the name, `path` the rest."""

    name: str
    root: str
    path: str
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """Text and references in order."""

    text: str
    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(part for part in self.parts if isinstance(part, Reference))


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Read a template; raises ConfigError for a reference or a filter that cannot be read."""
    parts: list[str | Reference] = []
    position = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[position : match.start()])
        parts.append("$" if match[1] is None else _reference(match[1], text))
        position = match.end()
    rest = text[position:]
    if "${" in rest and not rest.startswith("{"):
        raise ConfigError(f"The template {text!r} opens a `${{` that is never closed.", fix="Close it with `}`.")
    return Template(text, tuple(part for part in (*parts, rest) if part != ""))


def _reference(source: str, text: str) -> Reference:
    source = source.strip()
    if not _REFERENCE.fullmatch(source):
        raise ConfigError(
            f"`${{{source}}}` in the template {text!r} cannot be read.",
            fix="Only names such as `${config.site}` and filters such as `${key|odata}` are allowed.",
        )
    name, *filters = source.split("|")
    for unknown in (f for f in filters if f not in FILTERS):
        raise ConfigError(f"There is no filter {unknown!r} ({text!r}).", fix=f"Use one of: {', '.join(FILTERS)}.")
    root, _, path = name.partition(".")
    return Reference(name, root, path, tuple(filters))


class Scope:
    """The values that templates may name. `named` holds templates that are read as `${values.NAME}` when needed."""

    __slots__ = ("_named", "_values")

    def __init__(self, values: Mapping[str, Any], named: Mapping[str, Any] | None = None) -> None:
        self._values, self._named = values, named or {}

    def extend(self, **values: Any) -> Scope:
        """A scope with more values; these hide others of the same name."""
        return Scope({**self._values, **values}, self._named)

    def value(self, reference: Reference) -> Any:
        """The value of a reference with its filters applied, MISSING when it is absent or null.

        A field of `body` that is null stays None: a null that is written means "empty this field".
        """
        if reference.root == "values":
            found = render(self._named.get(reference.path, MISSING), self)
        else:
            found = self._values.get(reference.root)
            if reference.root == "body" and isinstance(found, dict) and found.get(reference.path, MISSING) is None:
                return None
            found = get(found, reference.path) if reference.path else found
        if found is None or found is MISSING:
            return MISSING
        for name in reference.filters:
            try:
                found = FILTERS[name](found)
            except ValueError as error:
                raise ConfigError(f"`${{{reference.name}|{name}}}` cannot be filled: {error}.") from error
        return found


def render(node: Any, scope: Scope) -> Any:
    """Fill the templates of a JSON-like value.

    A text that is one reference keeps the value's type. Object entries without a value are left out, list entries
    without one become null.
    """
    if isinstance(node, str):
        return _render_text(node, scope)
    if isinstance(node, Mapping):
        filled = ((key, render(value, scope)) for key, value in node.items())
        return {key: value for key, value in filled if value is not MISSING}
    if isinstance(node, list | tuple):
        return [None if value is MISSING else value for value in (render(item, scope) for item in node)]
    return node


def _render_text(text: str, scope: Scope) -> Any:
    if "$" not in text:
        return text
    template = compile_template(text)
    if len(template.parts) == 1 and isinstance(template.parts[0], Reference):
        return scope.value(template.parts[0])
    return _fill(template, scope, to_text)


def _fill(template: Template, scope: Scope, convert: Callable[[Any], str]) -> Any:
    filled = []
    for part in template.parts:
        if isinstance(part, str):
            filled.append(part)
            continue
        value = scope.value(part)
        if value is MISSING or value is None:
            return MISSING
        filled.append(to_text(value) if part.filters[-1:] == ("path",) else convert(value))
    return "".join(filled)


def render_text(text: str, scope: Scope, *, where: str = "") -> str:
    """Fill a template that must have all its values; raises ConfigError that names the one that is missing."""
    filled = _fill(compile_template(text), scope, to_text)
    return _demand(filled, text, scope, where)


def render_path(text: str, scope: Scope, *, where: str = "") -> str:
    """Fill the template of an address: values are percent-encoded, so that none can leave its place in the path."""
    filled = _fill(compile_template(text), scope, _path_segment)
    return _demand(filled, text, scope, where)


def _path_segment(value: Any) -> str:
    text = to_text(value)
    # a segment of dots would climb in the path even when it is encoded
    return text.replace(".", "%2E") if text.strip(".") == "" else quote(text, safe="-._~")


def _demand(filled: Any, text: str, scope: Scope, where: str) -> str:
    if filled is not MISSING:
        return str(filled)
    missing = next(r.name for r in compile_template(text).references if scope.value(r) in (MISSING, None))
    raise ConfigError(f"{text!r} needs a value for {missing!r}, which has none.", where=where, fix="Fill it in.")


def texts(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of a JSON-like value that holds a template, with its path."""
    if isinstance(node, str) and "${" in node:
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(value, (*path, str(key)))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from texts(value, (*path, index))
