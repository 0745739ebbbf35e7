"""Reading a contract's schema: is it sound, what are its fields, and what do its markers mean."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.common.json_schemas import schema_error

Schema = dict[str, Any]

# What becomes of a value of the wrong type, or one that is not listed; see governance.treatment.
MODES = ("evolve", "freeze", "discard_row", "discard_value")
CLASSIFICATIONS = ("public", "internal", "confidential", "restricted")
# Values of these fields are shown only to people who may reveal them; such an amount never leaves a record's body.
MASKED = ("confidential", "restricted")
# Formats that are checked; any other would be a promise that nobody keeps.
FORMATS = ("decimal", "period", "currency", "date", "date-time", "time", "duration", "email", "uri", "uuid", "regex")
TYPE_WORDS = {
    "string": "text",
    "decimal": "decimal number",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "date": "date",
    "date-time": "date and time",
    "period": "period",
    "currency": "currency",
    "email": "e-mail address",
    "array": "list",
    "object": "structure",
}
# Markers whose value is promoted to a column of CanonicalRecord.
PROMOTED = {
    "x-legal-entity": "legal_entity",
    "x-customer": "customer",
    "x-project": "project",
    "x-period": "period",
    "x-updated-at": "source_updated_at",
}
_ROLE_WORDS = {marker: column.replace("_", " ") for marker, column in PROMOTED.items()} | {
    "x-currency": "currency",
    "x-updated-at": "changed at source",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a contract, as pages and mappings see it."""

    name: str
    type: str
    title: str
    required: bool
    description: str = ""
    example: str = ""
    enum: tuple[str, ...] = ()
    is_key: bool = False
    ref: str = ""
    classification: str = "internal"
    spec: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def type_word(self) -> str:
        """The type as people say it: `choice of 4` where the values are listed."""
        return type_word(self.type, self.enum)

    @property
    def currency(self) -> str:
        """The field that holds the currency of this amount; empty when it is no amount."""
        return str(self.spec.get("x-money") or "")

    @property
    def currency_note(self) -> str:
        return f"money in {self.currency}"

    @property
    def roles(self) -> list[str]:
        """What else the field stands for beside its reference: the key's project, the currency of amounts, …"""
        told = self.ref.replace("_", " ")
        return [word for marker, word in _ROLE_WORDS.items() if self.spec.get(marker) and word != told]

    @property
    def is_masked(self) -> bool:
        return self.classification in MASKED


@dataclass(frozen=True, slots=True)
class Markers:
    """The meaning of a schema for the engine."""

    key: tuple[str, ...]
    refs: tuple[tuple[str, str], ...]  # (field, entity)
    promoted: tuple[tuple[str, str], ...]  # (column, field)
    amount: str = ""
    currency: str = ""
    fields: tuple[str, ...] = ()


def fields_of(schema: Schema) -> list[Field]:
    required = set(schema.get("required") or ())
    return [_field(name, spec, name in required) for name, spec in (schema.get("properties") or {}).items()]


def _field(name: str, spec: Mapping[str, Any], required: bool) -> Field:
    examples = spec.get("examples") or []
    return Field(
        name=name,
        type=field_type(spec),
        title=spec.get("title") or name.replace("_", " ").capitalize(),
        required=required or bool(spec.get("x-key")),
        description=spec.get("description", ""),
        example=example_text(examples[0]) if examples else "",
        enum=tuple(str(value) for value in spec.get("enum") or () if value is not None),
        is_key=bool(spec.get("x-key")),
        ref=spec.get("x-ref", ""),
        classification=spec.get("x-classification", "internal"),
        spec=spec,
    )


def field_type(spec: Mapping[str, Any]) -> str:
    """The word for a property's type: its format where that says more (decimal, date, date-time, email, period)."""
    declared = spec.get("type", "string")
    types = [t for t in ([declared] if isinstance(declared, str) else declared) if t != "null"]
    base = types[0] if types else "string"
    return str(spec.get("format") or base) if base == "string" else base


def example_text(value: Any) -> str:
    """An example as it is written in JSON, texts without their quotes."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def type_word(type_: str, enum: Collection[Any] | None = None) -> str:
    return f"choice of {sum(value is not None for value in enum)}" if enum else TYPE_WORDS.get(type_, type_)


def is_nullable(spec: Mapping[str, Any]) -> bool:
    """Whether a record may send null for the property."""
    if "enum" in spec:
        return None in spec["enum"]
    declared = spec.get("type", ["null"])
    return "null" in ([declared] if isinstance(declared, str) else declared)


def markers_of(schema: Schema) -> Markers:
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties") or {}
    money = next(((n, s["x-money"]) for n, s in properties.items() if s.get("x-money") and not _is_masked(s)), ("", ""))
    return Markers(
        key=tuple(name for name, spec in properties.items() if spec.get("x-key")),
        refs=tuple((name, spec["x-ref"]) for name, spec in properties.items() if spec.get("x-ref")),
        promoted=tuple(
            (column, name)
            for marker, column in PROMOTED.items()
            for name, spec in properties.items()
            if spec.get(marker)
        ),
        amount=money[0],
        currency=money[1] if isinstance(money[1], str) else "",
        fields=tuple(properties),
    )


def _is_masked(spec: Mapping[str, Any]) -> bool:
    return spec.get("x-classification") in MASKED


def rules_of(schema: Schema) -> list[str]:
    """The rules across several fields (`allOf`), in the words of their titles."""
    return [str(rule.get("title") or rule) for rule in schema.get("allOf") or () if isinstance(rule, dict)]


def schema_problems(schema: Any) -> list[tuple[str, str]]:
    """(path, sentence) for everything that makes a schema unusable as a contract; empty when it is sound."""
    if error := schema_error(schema, may_contain_itself=False):
        return [error]
    return list(_marker_problems(schema))


def _marker_problems(schema: Schema) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        yield "properties", "A contract needs at least one property."
        return
    if plain := [name for name, spec in properties.items() if not isinstance(spec, dict)]:
        yield f"properties.{plain[0]}", "Write what the field looks like, for example `type: string`."
        return
    if not any(spec.get("x-key") for spec in properties.values()):
        yield "properties", "No property is marked `x-key: true`, so records could not be told apart."
    for name, spec in properties.items():
        yield from _property_problems(name, spec, properties)
    yield from _agreement_problems(schema)
    for name in schema.get("required") or ():
        if name not in properties:
            yield "required", f"There is no property {name!r}."


def _agreement_problems(schema: Schema) -> Iterator[tuple[str, str]]:
    """Owner, tags and service levels, which the whole contract has."""
    if not isinstance(schema.get("x-owner", ""), str):
        yield "x-owner", "Write who owns the contract: a name or an address."
    tags, levels = schema.get("x-tags", []), schema.get("x-sla", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        yield "x-tags", "Tags are a list of texts."
    if not isinstance(levels, list) or not all(isinstance(each, dict) and each.get("property") for each in levels):
        yield "x-sla", "Service levels are a list such as {property: latency, value: 4, unit: h}."


def _property_problems(name: str, spec: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    where = f"properties.{name}"
    if spec.get("x-classification", "internal") not in CLASSIFICATIONS:
        yield f"{where}.x-classification", f"Use one of: {', '.join(CLASSIFICATIONS)}."
    if spec.get("x-mode", MODES[0]) not in MODES:
        yield f"{where}.x-mode", f"Use one of: {', '.join(MODES)}."
    if spec.get("x-key") and _is_masked(spec):
        yield f"{where}.x-classification", "A key is shown wherever its record is named, so it cannot be masked."
    money = spec.get("x-money")
    if money and (not isinstance(money, str) or money not in properties):
        yield f"{where}.x-money", f"There is no property {money!r} that could hold the currency."
    if not isinstance(spec.get("x-ref", ""), str):
        yield f"{where}.x-ref", "Write the short name of the entity that the field refers to."
    if spec.get("format", "date") not in FORMATS:
        yield f"{where}.format", f"There is no format {spec['format']!r}. Use one of: {', '.join(FORMATS)}."
