"""Declarations: systems described in YAML (`connectors/catalog/*.yaml`, the folder HUB_CATALOG, or inline)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from connectors.declaration_rules import Problem, find_problems, is_secret
from connectors.yaml_lines import read_yaml
from hub.common.errors import ConfigError, HubError

__all__ = ["Catalogue", "Declaration", "Problem", "load_file", "load_folder", "parse", "validate", "validate_text"]

SHIPPED = Path(__file__).parent / "catalog"
_FIELD_DEFAULTS: dict[str, Any] = {
    "title": "",
    "help": "",
    "type": "string",
    "format": "",
    "required": True,
    "secret": False,
    "default": None,
    "example": "",
    "enum": [],
    "pattern": "",
}


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A valid declaration.

    `config` holds the form fields in form order with every key of `_FIELD_DEFAULTS`; `streams` have the declaration's
    defaults merged in; `body` is the whole declaration as it was written.
    """

    name: str
    label: str
    category: str
    protocol: str
    description: str
    docs: str
    time_zone: str
    config: Mapping[str, Mapping[str, Any]]
    streams: Mapping[str, Mapping[str, Any]]
    body: Mapping[str, Any]
    source: str

    def fields(self) -> dict[str, dict[str, Any]]:
        """The form fields as `Connector.spec()` gives them."""
        return {name: dict(field) for name, field in self.config.items()}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The declarations of one or more folders by name, and what is wrong with the files that could not be taken."""

    declarations: Mapping[str, Declaration] = field(default_factory=dict)
    problems: Mapping[str, list[Problem]] = field(default_factory=dict)


def validate(data: Any, lines: Mapping[tuple[str | int, ...], int] | None = None) -> list[Problem]:
    """What is wrong with a declaration; `lines` gives the line of each path. YAML text is parsed first."""
    return validate_text(data) if isinstance(data, str) else find_problems(data, lines or {})


def validate_text(text: str, *, where: str = "") -> list[Problem]:
    """What is wrong with the text of a declaration, unreadable YAML included."""
    try:
        data, lines = read_yaml(text, where=where)
    except HubError as error:
        line = error.where.rpartition(":")[2]
        return [Problem("", int(line) if line.isdigit() else 0, f"{error.what} {error.fix}".strip())]
    return find_problems(data, lines)


def parse(data: Any, *, source: str = "inline") -> Declaration:
    """A declaration from data or YAML text; raises ConfigError that lists every problem."""
    lines: Mapping[tuple[str | int, ...], int] = {}
    if isinstance(data, str):
        data, lines = read_yaml(data, where=source)
    problems = find_problems(data, lines)
    if problems:
        listed = " ".join(f"{f'line {p.line}, ' if p.line else ''}{p}" for p in problems[:10])
        more = f" And {len(problems) - 10} more." if len(problems) > 10 else ""
        raise ConfigError(f"The declaration is not valid. {listed}{more}", where=source, code="DECLARATION")
    return _build(data, source)


def load_file(path: Path | str) -> Declaration:
    """The declaration in a file; raises ConfigError."""
    return parse(_read_text(Path(path)), source=str(path))


def load_folder(*folders: Path) -> Catalogue:
    """All declarations of the folders; a name that is taken already is a problem of the later file."""
    declarations: dict[str, Declaration] = {}
    problems: dict[str, list[Problem]] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        found = _load_into(path, declarations)
        if found:
            problems[str(path)] = found
    return Catalogue(MappingProxyType(declarations), MappingProxyType(problems))


def _load_into(path: Path, declarations: dict[str, Declaration]) -> list[Problem]:
    try:
        data, lines = read_yaml(_read_text(path), where=str(path))
    except HubError as error:
        return [Problem("", 0, str(error))]
    problems = find_problems(data, lines)
    if problems:
        return problems
    declaration = _build(data, str(path))
    line = lines.get(("name",), 0)
    if declaration.name != path.stem:
        return [Problem("name", line, f"The file is called {path.name}, so the name must be {path.stem!r}.")]
    if declaration.name in declarations:
        taken = declarations[declaration.name].source
        return [Problem("name", line, f"The name {declaration.name!r} is taken by {taken}. Choose another one.")]
    declarations[declaration.name] = declaration
    return []


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"The declaration cannot be read: {reason}.", where=str(path)) from error


def _build(data: dict[str, Any], source: str) -> Declaration:
    defaults = data.get("defaults", {})
    return Declaration(
        name=data["name"],
        label=data["label"],
        category=data["category"],
        protocol=data["protocol"],
        description=data.get("description", ""),
        docs=data.get("docs", ""),
        time_zone=data["time_zone"],
        config=MappingProxyType(_form_fields(data.get("config", {}))),
        streams=MappingProxyType({name: {**defaults, **stream} for name, stream in data["streams"].items()}),
        body=MappingProxyType(data),
        source=source,
    )


def _form_fields(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    ordered = sorted(config.items(), key=lambda item: item[1].get("order", math.inf))
    return {name: MappingProxyType(_form_field(field)) for name, field in ordered}


def _form_field(declared: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in declared.items() if key != "order"}
    secret = is_secret(declared)
    required = declared.get("required", "default" not in declared)
    kind = "string" if declared.get("type") == "secret" else declared.get("type", "string")
    return {**_FIELD_DEFAULTS, **given, "type": kind, "secret": secret, "required": required}
