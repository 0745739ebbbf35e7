"""What every connector that follows a declaration shares: its form fields, its values and its streams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from connectors.base import Connector
from connectors.catalog import Declaration
from connectors.declaration_rules import is_time_zone
from connectors.declaration_schema import suggest
from connectors.template import Scope, render, render_text, to_text
from hub.common.errors import ConfigError
from hub.common.records import FieldInfo, StreamSpec

_TRUE_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


DECLARATION_FIELD: Mapping[str, Any] = MappingProxyType(
    {
        "title": "Declaration",
        "help": "YAML that describes the system; docs/connect-any-api.md explains every option.",
        "type": "text",
        "format": "",
        "required": True,
        "secret": False,
        "default": None,
        "example": "",
        "enum": [],
        "pattern": "",
    }
)


class DeclaredConnector(Connector):
    """A connector whose declaration says what differs from one system to the next.

    `config` may hold, beside the declared fields: `allowed_networks` (list of CIDR: private networks that this
    connection may reach), `time_zone` and `limits` (both override the declaration).
    """

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], declaration: Declaration) -> None:
        self.declaration = declaration
        super().__init__(read_config(declaration.config, config), read_secrets(declaration.config, secrets))
        self.allowed_networks: tuple[str, ...] = tuple(config.get("allowed_networks") or ())

    @classmethod
    def own_declaration(cls) -> Declaration | None:
        """The declaration of a connection that brings none; None where the protocol cannot do without."""
        return None

    @classmethod
    def spec(cls) -> dict[str, dict[str, Any]]:
        own = cls.own_declaration()
        return own.fields() if own else {"declaration": dict(DECLARATION_FIELD)}

    @cached_property
    def scope(self) -> Scope:
        """The values of the connection that templates may name."""
        return Scope({"config": self.config, "secret": self.secrets}, self.declaration.body.get("values"))

    @cached_property
    def limits(self) -> dict[str, Any]:
        """The declaration's limits with the connection's own laid over."""
        return {**self.declaration.body.get("limits", {}), **(self.config.get("limits") or {})}

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of times that come without offset."""
        name = self.config.get("time_zone") or render_text(self.declaration.time_zone, self.scope, where="time_zone")
        if not is_time_zone(name):
            raise ConfigError(f"{name!r} is not a time zone.", where="time_zone", fix="Write it as Europe/London.")
        return ZoneInfo(name)

    def zone_of(self, incremental: Mapping[str, Any]) -> ZoneInfo:
        """The zone of a stream's cursor."""
        return ZoneInfo(render_text(incremental["time_zone"], self.scope)) if "time_zone" in incremental else self.zone

    def section(self, name: str) -> dict[str, Any]:
        """A section of the declaration with its templates filled in."""
        filled: dict[str, Any] = render(self.declaration.body.get(name, {}), self.scope)
        return filled

    def declared_stream(self, spec: StreamSpec) -> Mapping[str, Any]:
        """What the declaration says about a stream; raises ConfigError for one that it does not know."""
        streams = self.declaration.streams
        if spec.name not in streams:
            raise ConfigError(
                f"{self.declaration.label} has no stream {spec.name!r}.{suggest(spec.name, list(streams))}",
                where=self.declaration.source,
                code="STREAM",
            )
        return streams[spec.name]


def stream_label(name: str, stream: Mapping[str, Any]) -> str:
    return stream.get("label") or re.sub(r"[_.-]+", " ", name).strip().capitalize()


def key_fields(stream: Mapping[str, Any], spec: StreamSpec | None = None) -> tuple[str, ...]:
    """The key of a stream: what the engine says, else what the declaration says."""
    if spec is not None and spec.key:
        return tuple(spec.key)
    key = stream.get("key", ())
    return (key,) if isinstance(key, str) else tuple(key)


def field_infos(stream: Mapping[str, Any]) -> tuple[FieldInfo, ...]:
    """The declared fields of a stream."""
    return tuple(_field_info(name, declared) for name, declared in stream.get("fields", {}).items())


def _field_info(name: str, declared: str | Mapping[str, Any]) -> FieldInfo:
    if isinstance(declared, str):
        return FieldInfo(name, declared)
    return FieldInfo(
        name,
        declared["type"],
        declared.get("title", ""),
        bool(declared.get("required")),
        str(declared.get("example", "")),
        declared.get("max_length", 0),
        tuple(map(to_text, declared.get("enum", ()))),
    )


# --- configuration values ------------------------------------------------------------------------------------------


def read_config(fields: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with defaults and types; raises ConfigError for a value that is missing or does not fit."""
    values = dict(config)
    for name, field in fields.items():
        if not field["secret"]:
            values[name] = _read_value(name, field, config.get(name))
    return values


def read_secrets(fields: Mapping[str, Mapping[str, Any]], secrets: Mapping[str, str]) -> dict[str, str]:
    for name, field in fields.items():
        if field["secret"] and field["required"] and not secrets.get(name):
            raise ConfigError(f"{field['title']} is missing.", where=name, fix="Enter it in the connection.")
    return dict(secrets)


def _read_value(name: str, field: Mapping[str, Any], value: Any) -> Any:
    if value in (None, ""):
        value = field["default"]
    if value in (None, ""):
        if field["required"]:
            raise ConfigError(f"{field['title']} is missing.", where=name, fix="Enter it in the connection.")
        return None
    value = _typed(name, field, value)
    if field["enum"] and value not in field["enum"]:
        options = ", ".join(map(str, field["enum"]))
        raise ConfigError(f"{field['title']} may not be {value!r}.", where=name, fix=f"Use one of: {options}.")
    if field["pattern"] and not re.fullmatch(field["pattern"], str(value)):
        raise ConfigError(
            f"{field['title']} may not be {value!r}.", where=name, fix=f"It must match {field['pattern']}."
        )
    wrong = _format_problem(field["format"], str(value))
    if wrong:
        raise ConfigError(f"{field['title']} may not be {value!r}.", where=name, fix=wrong)
    return value


def _format_problem(form: str, value: str) -> str:
    """What a value of a format must look like, empty text when it does."""
    if form == "uri" and not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", value):
        return "Write it as https://name/path."
    if form == "hostname" and not re.fullmatch(r"[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", value):
        return "Write the name alone, such as db.example.com."
    if form == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        return "Write it as name@example.com."
    if form == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return "Write it as 2026-12-31."
    if form == "time-zone" and not is_time_zone(value):
        return "Write it as Europe/London."
    return ""


def _typed(name: str, field: Mapping[str, Any], value: Any) -> Any:
    kind = field["type"]
    try:
        if kind == "boolean":
            return value if isinstance(value, bool) else _TRUE_WORDS[str(value).strip().lower()]
        if kind == "integer":
            return int(str(value))
        if kind == "number":
            return value if isinstance(value, int | float) else float(value)
    except (KeyError, ValueError):
        raise ConfigError(f"{field['title']} must be of the type {kind}, not {value!r}.", where=name) from None
    # a pasted address or key often brings blanks along
    return value.strip() if isinstance(value, str) and kind == "string" else value
