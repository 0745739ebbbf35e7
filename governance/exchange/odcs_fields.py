"""One field of a contract as a property of ODCS, and back. Pure.

Nothing is lost by construction: a property is read back as soon as it is written, and what its fields did not carry is added as
custom properties.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from governance.exchange.words import (
    KEPT,
    SAME,
    Data,
    apply_custom,
    custom,
    json_type,
    logical,
    mapping,
    option_names,
    records,
)
from hub.common.errors import ConfigError

Spec = Mapping[str, Any]
# entity → its key field, which a relationship has to name.
Keys = Mapping[str, str]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READ = {
    "name", "logicalType", "physicalType", "logicalTypeOptions", "required", "primaryKey", "primaryKeyPosition", "properties",
    "items", "quality", "relationships", "customProperties", *SAME.values(),
}  # fmt: skip
# Values that say the same as nothing.
_DEFAULTS: dict[str, Any] = {
    "unique": False,
    "partitioned": False,
    "partitionKeyPosition": -1,
    "criticalDataElement": False,
}


def to_property(name: str, spec: Spec, keys: Keys, *, required: bool = False, position: int = 0) -> Data:
    """A field as ODCS says it; `position` is its place in the key, from 1."""
    return _complete({"name": name, **_own(spec, keys, required=required, position=position)}, spec, keys)


def _complete(written: Data, spec: Spec, keys: Keys) -> Data:
    """The property with all that its own fields could not say."""
    _, told, _ = from_property(written, set(keys) | {str(spec.get("x-ref"))})
    rest = {word: value for word, value in spec.items() if word != KEPT and told.get(word, KEPT) != value}
    kept = dict(spec.get(KEPT) or {})
    properties = [*custom(rest, [word for word in told if word not in spec]), *kept.pop("customProperties", [])]
    for word in ("quality", "relationships"):
        kept[word] = [*written.get(word, []), *kept.get(word, [])]
    options = {**written.get("logicalTypeOptions", {}), **kept.pop("logicalTypeOptions", {})}
    found = {**written, "logicalTypeOptions": options, **kept, "customProperties": properties}
    return {word: value for word, value in found.items() if value not in ({}, [], None)}


def _own(spec: Spec, keys: Keys, *, required: bool, position: int) -> Data:
    type_, format_ = _type_of(spec)
    logical_type, physical_type = logical(type_, format_)
    found: Data = {word: spec[name] for name, word in SAME.items() if name in spec}
    found |= {"logicalType": logical_type} if logical_type else {}
    found |= {"physicalType": physical_type} if physical_type else {}
    found["logicalTypeOptions"] = {name: spec[name] for name in option_names(logical_type, format_) if name in spec}
    found |= {"required": True} if required else {}
    found |= {"primaryKey": True, "primaryKeyPosition": position} if spec.get("x-key") and position else {}
    if values := [value for value in spec.get("enum") or () if value is not None]:
        found["quality"] = [_choice(values)]
    if target := _target(spec.get("x-ref"), keys):
        found["relationships"] = [{"type": "foreignKey", "to": target}]
    if logical_type == "object" and isinstance(spec.get("properties"), dict):
        found["properties"] = to_properties(spec, keys)
    if logical_type == "array" and isinstance(spec.get("items"), dict):
        found["items"] = _complete(_own(spec["items"], keys, required=True, position=0), spec["items"], keys)
    return {word: value for word, value in found.items() if value not in ({}, [])}


def to_properties(spec: Spec, keys: Keys) -> list[Data]:
    """The fields of an object; those of the key are numbered in their order."""
    required, fields = set(spec.get("required") or ()), spec["properties"].items()
    key = [name for name, part in fields if isinstance(part, dict) and part.get("x-key")]
    return [
        to_property(
            name,
            part if isinstance(part, dict) else {"allOf": [part]},
            keys,
            required=name in required,
            position=key.index(name) + 1 if name in key else 0,
        )
        for name, part in fields
    ]


def _type_of(spec: Spec) -> tuple[str, str]:
    declared = spec.get("type", "string" if _are_texts(spec.get("enum")) else "")
    types = [name for name in ([declared] if isinstance(declared, str) else declared) if name != "null"]
    return (types[0], str(spec.get("format", ""))) if len(types) == 1 else ("", "")


def _are_texts(values: Any) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values if value is not None)


def _choice(values: list[Any]) -> Data:
    return {"type": "library", "metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0}


def _target(ref: Any, keys: Keys) -> str:
    """`entity.key`, where both are names that ODCS allows."""
    key = keys.get(str(ref), "")
    return f"{ref}.{key}" if ref and _NAME.fullmatch(str(ref)) and _NAME.fullmatch(key) else ""


# Back --------------------------------------------------------------------------------------------------------
def from_property(given: Data, entities: Collection[str]) -> tuple[str, Data, bool]:
    """(name, property of the schema, whether it is required). `entities` are those that a field may refer to."""
    required = given.get("required") is True or given.get("primaryKey") is True
    type_, format_ = json_type(str(given.get("logicalType") or ""), str(given.get("physicalType") or ""))
    options = mapping(given, "logicalTypeOptions")
    kept = {word: value for word, value in given.items() if word not in _READ and _DEFAULTS.get(word, KEPT) != value}
    if given.get("physicalType") and format_ != "decimal":
        kept["physicalType"] = given["physicalType"]
    spec: Data = _typed(type_, format_ or str(options.pop("format", "")), is_optional=not required)
    names = option_names(str(given.get("logicalType") or ""), format_)
    spec |= {name: options.pop(name) for name in names if name in options}
    _read_choice(spec, records(given, "quality"), kept, is_optional=not required)
    spec |= {name: given[word] for name, word in SAME.items() if given.get(word) not in (None, [])}
    spec |= {"x-key": True} if given.get("primaryKey") is True else {}
    _read_reference(spec, records(given, "relationships"), kept, entities)
    _read_parts(spec, given, entities)
    others = apply_custom(spec, records(given, "customProperties"))
    kept |= {word: value for word, value in (("logicalTypeOptions", options), ("customProperties", others)) if value}
    return str(given.get("name") or ""), spec | ({KEPT: kept} if kept else {}), required


def _typed(type_: str, format_: str, *, is_optional: bool) -> Data:
    if not type_:
        return {}
    return {"type": [type_, "null"] if is_optional else type_} | ({"format": format_} if format_ else {})


def _read_choice(spec: Data, checks: list[Data], kept: Data, *, is_optional: bool) -> None:
    """A check for a list of values is a choice; every other check goes along unread."""
    others = []
    for check in checks:
        values = mapping(check, "arguments").get("validValues")
        if "enum" not in spec and isinstance(values, list) and check == _choice(values):
            spec["enum"] = [*values, *([None] if is_optional else [])]
        else:
            others.append(check)
    if others:
        kept["quality"] = others


def _read_reference(spec: Data, given: list[Data], kept: Data, entities: Collection[str]) -> None:
    others = []
    for each in given:
        ref, _, column = str(each.get("to")).partition(".")
        is_plain = each.keys() <= {"type", "to"} and bool(_NAME.fullmatch(column))
        if is_plain and ref in entities and "x-ref" not in spec:
            spec["x-ref"] = ref
        else:
            others.append(each)
    if others:
        kept["relationships"] = others


def _read_parts(spec: Data, given: Data, entities: Collection[str]) -> None:
    if "properties" in given:
        spec |= from_properties(records(given, "properties"), entities)
    if isinstance(given.get("items"), dict):
        spec["items"] = from_property({**given["items"], "required": True}, entities)[1]


def from_properties(given: list[Data], entities: Collection[str]) -> Data:
    """`properties` and `required` of an object; the parts of a key stand in the order of their positions."""
    found = [from_property(each, entities) for each in _in_key_order(given)]
    _refuse_twins([name for name, _, _ in found])
    required = [name for name, _, is_required in found if is_required]
    parts = {"properties": {name: spec for name, spec, _ in found}}
    return parts | ({"required": required} if required else {})


def _in_key_order(given: list[Data]) -> list[Data]:
    """Fields of the key change places among themselves; every other field stays where it is."""
    places = [at for at, each in enumerate(given) if each.get("primaryKey") is True]
    parts = sorted((given[at] for at in places), key=_position)
    moved = dict(zip(places, parts, strict=True))
    return [moved.get(at, each) for at, each in enumerate(given)]


def _position(given: Data) -> int:
    position = given.get("primaryKeyPosition")
    return position if isinstance(position, int) and position > 0 else 0


def _refuse_twins(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise ConfigError("A property has no name.", where="schema.properties", fix="Name it.", code="ODCS")
        if name in seen:
            raise ConfigError(f"The property {name!r} stands twice.", where="schema.properties", code="ODCS")
        seen.add(name)
