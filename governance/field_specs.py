"""Between a field as a form shows it and the JSON Schema property that stands for it. Pure.

A spec that is shown and saved untouched comes back as it was, whatever else its author wrote into it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.contracts import ContractCheck
from governance.schemas import example_text, field_type, is_nullable

Spec = dict[str, Any]

# What a form may choose; each as (JSON Schema type, format).
TYPES: dict[str, tuple[str, str]] = {
    "string": ("string", ""),
    "decimal": ("string", "decimal"),
    "integer": ("integer", ""),
    "number": ("number", ""),
    "boolean": ("boolean", ""),
    "date": ("string", "date"),
    "date-time": ("string", "date-time"),
    "period": ("string", "period"),
    "currency": ("string", "currency"),
    "email": ("string", "email"),
    "array": ("array", ""),
    "object": ("object", ""),
}
_ORDER = ("type", "format", "enum", "pattern", "minLength", "maxLength", "title", "description", "examples")
_MANAGED = {"type", "format", "enum", "title", "description", "examples", "x-classification", "x-ref", "x-money"}


@dataclass(frozen=True, slots=True)
class FieldInput:
    """A field as people see it; `reference` is an entity, `money` the field that holds the amount's currency."""

    title: str
    type: str = "string"
    required: bool = False
    description: str = ""
    example: str = ""
    values: tuple[str, ...] = field(default=())
    max_length: int | None = None
    reference: str = ""
    money: str = ""
    classification: str = "internal"


def shown(spec: Mapping[str, Any], required: bool) -> FieldInput:
    """What the form shows for a property."""
    return FieldInput(
        title=spec.get("title", ""),
        type=field_type(spec),
        required=required,
        description=spec.get("description", ""),
        example=example_text((spec.get("examples") or [""])[0]),
        values=tuple(str(value) for value in spec.get("enum") or () if value is not None),
        max_length=spec.get("maxLength") if _is_text(spec) else None,
        reference=spec.get("x-ref", ""),
        money=str(spec.get("x-money") or ""),
        classification=spec.get("x-classification", "internal"),
    )


def build(given: FieldInput, before: Mapping[str, Any] | None = None, was_required: bool = False) -> Spec:
    """The property for what was given; what the form does not show is kept from `before` while the type stays."""
    before = before or {}
    nullable = is_nullable(before) if before and given.required == was_required else not given.required
    spec = _kept(given, before) | _typed(given, before, nullable)
    texts = {"title": given.title, "description": given.description, "x-ref": given.reference, "x-money": given.money}
    spec |= {name: value for name, value in texts.items() if value}
    if given.example:
        spec["examples"] = [parse_example(given.example, given.type), *(before.get("examples") or [])[1:]]
    if given.classification != "internal" or "x-classification" in before or not before:
        spec["x-classification"] = given.classification
    _bound_length(spec, given, before, was_required)
    return {name: spec[name] for name in (*before, *_ORDER, *spec) if name in spec}


def _kept(given: FieldInput, before: Mapping[str, Any]) -> Spec:
    same = bool(before) and field_type(before) == given.type
    return {
        name: value
        for name, value in before.items()
        if name not in _MANAGED and (same or (name.startswith("x-") and name != "x-expects"))
    }


def _typed(given: FieldInput, before: Mapping[str, Any], nullable: bool) -> Spec:
    if given.values:
        spec: Spec = {"enum": [*_values(given, before), *([None] if nullable else [])]}
        return spec | ({"type": before["type"]} if "type" in before and "enum" in before else {})
    type_, format_ = TYPES.get(given.type, ("string", given.type))
    if before and "enum" not in before and field_type(before) == given.type and is_nullable(before) == nullable:
        spec = {name: before[name] for name in ("type", "format") if name in before}
    else:
        spec = {"type": [type_, "null"] if nullable else type_} | ({"format": format_} if format_ else {})
    return spec


def _values(given: FieldInput, before: Mapping[str, Any]) -> list[Any]:
    """Listed values; those that were numbers stay numbers."""
    known = {str(value): value for value in before.get("enum") or ()}
    return [known.get(value, value) for value in given.values]


def _bound_length(spec: Spec, given: FieldInput, before: Mapping[str, Any], was_required: bool) -> None:
    """A text that is newly required may not be blank either."""
    if not _is_text(spec):
        return
    spec.pop("maxLength", None)
    if given.max_length:
        spec["maxLength"] = given.max_length
    if given.required and not (before and was_required):
        spec.setdefault("minLength", 1)
    if not given.required and was_required and spec.get("minLength") == 1:
        del spec["minLength"]


def _is_text(spec: Mapping[str, Any]) -> bool:
    return field_type(spec) == "string" and "enum" not in spec


def parse_example(text: str, type_: str) -> Any:
    """The example as the value that a record would hold; left as text where it cannot be read, for `problem` to name."""
    if type_ in ("integer", "number", "boolean", "array", "object"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def problem(spec: Mapping[str, Any]) -> str:
    """Why the first example would not pass; empty when it does, or when there is none."""
    for example in (spec.get("examples") or [])[:1]:
        errors = ContractCheck({"type": "object", "properties": {"The example": dict(spec)}}).explain(
            {"The example": example}
        )
        if errors:
            return errors[0].what
    return ""
