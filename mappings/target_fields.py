"""The fields that a mapping may fill, read from the JSON Schema of its target."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from governance.schemas import field_type, is_nullable
from mappings.convert import FieldType
from mappings.paths import Path, format_path

_TYPES: Mapping[str, FieldType] = {
    "decimal": "decimal",
    "number": "decimal",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "date-time": "datetime",
    "array": "json",
    "object": "json",
}


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of the target. `format` is the schema's word for a text (email, currency, period, …), else empty."""

    path: str
    name: str
    title: str
    type: FieldType
    format: str = ""
    is_required: bool = False
    is_nullable: bool = True
    has_default: bool = False
    is_key: bool = False
    enum: tuple[str, ...] = ()
    max_length: int | None = None
    entity: str = ""
    currency_field: str = ""
    classification: str = "internal"


def target_fields(schema: Mapping[str, Any]) -> tuple[TargetField, ...]:
    """Every field of a schema in its order; objects with properties of their own give their parts instead."""
    return tuple(_fields(schema, (), is_needed=True))


def _fields(schema: Mapping[str, Any], above: Path, *, is_needed: bool) -> Iterator[TargetField]:
    required: Collection[str] = schema.get("required") or ()
    for name, spec in (schema.get("properties") or {}).items():
        path = (*above, name)
        needed = is_needed and (name in required or bool(spec.get("x-key")))
        if spec.get("properties"):
            yield from _fields(spec, path, is_needed=needed)
        else:
            yield _field(path, spec, is_required=needed)


def _field(path: Path, spec: Mapping[str, Any], *, is_required: bool) -> TargetField:
    word = field_type(spec)
    kind = _TYPES.get(word, "string")
    money = spec.get("x-money")
    return TargetField(
        path=format_path(path),
        name=path[-1],
        title=str(spec.get("title") or path[-1].replace("_", " ")),
        type=kind,
        format="" if word == "string" or kind != "string" else word,
        is_required=is_required,
        is_nullable=is_nullable(spec),
        has_default="default" in spec,
        is_key=bool(spec.get("x-key")),
        enum=tuple(str(value) for value in spec.get("enum") or () if value is not None),
        max_length=spec.get("maxLength"),
        entity=str(spec.get("x-ref") or ""),
        currency_field=money if isinstance(money, str) else "",
        classification=str(spec.get("x-classification") or "internal"),
    )
