"""Declarations: systems described in YAML (`connectors/catalog/*.yaml`, the folder HUB_CATALOG, or inline)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from connectors.declaration_rules import Problem, find_problems, is_secret
from connectors.inheritance import with_base
from connectors.yaml_lines import read_shipped_yaml, read_yaml
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
    return validate_text(data) if isinstance(data, str) else _problems(data, lines or {}, (SHIPPED,))[1]


def validate_text(text: str, *, where: str = "", beside: Path | None = None) -> list[Problem]:
    """What is wrong with the text of a declaration, unreadable YAML included; `beside` is the folder of its file."""
    try:
        data, lines = read_yaml(text, where=where)
    except HubError as error:
        line = error.where.rpartition(":")[2]
        return [Problem("", int(line) if line.isdigit() else 0, f"{error.what} {error.fix}".strip())]
    return _problems(data, lines, _folders(beside))[1]


def _folders(beside: Path | None) -> tuple[Path, ...]:
    """Where the declarations are that another one may extend: the shipped ones first."""
    return (SHIPPED, beside) if beside else (SHIPPED,)


def parse(data: Any, *, source: str = "inline", beside: Path | None = None) -> Declaration:
    """A declaration from data or YAML text; raises ConfigError that lists every problem."""
    lines: Mapping[tuple[str | int, ...], int] = {}
    if isinstance(data, str):
        data, lines = read_yaml(data, where=source)
    data, problems = _problems(data, lines, _folders(beside))
    if problems:
        listed = " ".join(f"{f'line {p.line}, ' if p.line else ''}{p}" for p in problems[:10])
        more = f" And {len(problems) - 10} more." if len(problems) > 10 else ""
        raise ConfigError(f"The declaration is not valid. {listed}{more}", where=source, code="DECLARATION")
    return _build(data, source)


def load_file(path: Path | str) -> Declaration:
    """The declaration in a file; raises ConfigError."""
    return parse(_read_text(Path(path)), source=str(path), beside=Path(path).parent)


def load_folder(*folders: Path) -> Catalogue:
    """All declarations of the folders; a name that is taken already is a problem of the later file."""
    declarations: dict[str, Declaration] = {}
    problems: dict[str, list[Problem]] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        found = _load_into(path, declarations, folders)
        if found:
            problems[str(path)] = found
    return Catalogue(MappingProxyType(declarations), MappingProxyType(problems))


def _problems(
    data: Any, lines: Mapping[tuple[str | int, ...], int], folders: Sequence[Path]
) -> tuple[Any, list[Problem]]:
    """The declaration with what it extends filled in, and what is wrong with it."""
    try:
        data = with_base(data, lambda name: _written(name, folders), lambda: _names(folders))
    except HubError as error:
        return data, [Problem("extends", lines.get(("extends",), 0), f"{error.what} {error.fix}".strip())]
    return data, find_problems(data, lines)


def _written(name: str, folders: Sequence[Path]) -> Mapping[str, Any] | None:
    """The declaration of a file NAME.yaml as it was written; None when no folder has one."""
    path = next((path for folder in folders if (path := folder / f"{name}.yaml").is_file()), None)
    data = _data(path, _stamp(path))[0] if path else None
    return data if isinstance(data, Mapping) else None


def _names(folders: Sequence[Path]) -> list[str]:
    return sorted(path.stem for folder in folders for path in folder.glob("*.yaml"))


def _load_into(path: Path, declarations: dict[str, Declaration], folders: Sequence[Path]) -> list[Problem]:
    try:
        declaration, problems, line = _checked(path, _stamp(path), tuple(folders), _stamps(path, folders))
    except HubError as error:
        return [Problem("", 0, str(error))]
    if declaration is None:
        return list(problems)
    if declaration.name != path.stem:
        return [Problem("name", line, f"The file is called {path.name}, so the name must be {path.stem!r}.")]
    if declaration.name in declarations:
        taken = declarations[declaration.name].source
        return [Problem("name", line, f"The name {declaration.name!r} is taken by {taken}. Choose another one.")]
    declarations[declaration.name] = declaration
    return []


# Files are read once for as long as they are as they were: the catalogue has some ten thousand lines.
Stamp = tuple[int, int]


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigError(f"The declaration cannot be read: {error.strerror}.", where=str(path)) from error
    return stat.st_mtime_ns, stat.st_size


def _stamps(path: Path, folders: Sequence[Path]) -> tuple[Stamp, ...]:
    """What else decides over a file: every other one, where it extends another; nothing for the most of them."""
    data = _data(path, _stamp(path))[0]
    if not isinstance(data, Mapping) or "extends" not in data:
        return ()
    return tuple(_stamp(each) for folder in (SHIPPED, *folders) for each in sorted(folder.glob("*.yaml")))


@lru_cache(maxsize=1024)
def _data(path: Path, stamp: Stamp) -> tuple[Any, Mapping[tuple[str | int, ...], int]]:
    read = read_shipped_yaml if path.parent == SHIPPED else read_yaml
    return read(_read_text(path), where=str(path))


@lru_cache(maxsize=1024)
def _checked(
    path: Path, stamp: Stamp, folders: tuple[Path, ...], others: tuple[Stamp, ...]
) -> tuple[Declaration | None, tuple[Problem, ...], int]:
    """The declaration of a file, or what is wrong with it, and the line of its name."""
    data, lines = _data(path, stamp)
    data, problems = _problems(data, lines, (SHIPPED, *folders))
    return None if problems else _build(data, str(path)), tuple(problems), lines.get(("name",), 0)


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
