"""Which words of ODCS stand for which of a contract's schema. What has no word of its own travels as a custom property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.common.errors import ConfigError

Data = dict[str, Any]

API_VERSION = "v3.1.0"
READABLE = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")

# Fields of ODCS that say exactly what a keyword of the schema says.
SAME = {"title": "businessName", "description": "description", "examples": "examples", "x-classification": "classification",
        "x-tags": "tags"}  # fmt: skip
# Keywords of ours that ODCS has no field for, under names in its spelling.
CUSTOM = {
    "x-unit": "unit",
    "x-money": "currencyField",
    "x-currency": "isCurrency",
    "x-rounding": "rounding",
    "x-meaning": "meaning",
    "x-term": "term",
    "x-time-zone": "timeZone",
    "x-legal-entity": "isLegalEntity",
    "x-customer": "isCustomer",
    "x-project": "isProject",
    "x-period": "isPeriod",
    "x-updated-at": "isUpdatedAt",
    "x-expects": "expects",
    "x-aliases": "aliases",
    "x-renamed-from": "renamedFrom",
}
KEYWORD = {word: name for name, word in CUSTOM.items()}
# One custom property holds the keywords of JSON Schema that are left, and which that the fields would bring are absent.
SCHEMA_WORD = "jsonSchema"
ABSENT = "absent"
# What an imported file said that the hub has no use for; it goes out again as it came.
KEPT = "x-odcs"

# (JSON Schema type, format) → (logicalType, physicalType); formats that are missing here stay text with that format.
_LOGICAL = {
    ("string", "date"): ("date", ""),
    ("string", "date-time"): ("timestamp", ""),
    ("string", "time"): ("time", ""),
    ("string", "decimal"): ("number", "decimal"),
}
_TYPES = {
    "date": ("string", "date"),
    "timestamp": ("string", "date-time"),
    "time": ("string", "time"),
}
_DECIMAL = ("decimal", "numeric", "money")
_LIMITS = ("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum")
# Options that ODCS defines for a logical type and JSON Schema under the same name.
OPTIONS = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": _LIMITS,
    "number": _LIMITS,
    "array": ("minItems", "maxItems", "uniqueItems"),
    "object": ("minProperties", "maxProperties"),
}


def logical(type_: str, format_: str) -> tuple[str, str]:
    """What ODCS calls a type; ("", "") for one that it has no word for."""
    if (type_, format_) in _LOGICAL:
        return _LOGICAL[type_, format_]
    return (type_, "") if type_ in ("string", "integer", "number", "boolean", "array", "object") else ("", "")


def json_type(logical_type: str, physical_type: str) -> tuple[str, str]:
    """The JSON Schema type and format behind ODCS' own; amounts with a decimal column are decimal texts, never floats."""
    if logical_type == "number" and physical_type.lower().startswith(_DECIMAL):
        return "string", "decimal"
    return _TYPES.get(logical_type, (logical_type, ""))


def option_names(logical_type: str, format_: str) -> tuple[str, ...]:
    return () if format_ == "decimal" else OPTIONS.get(logical_type, ())


def custom(values: Mapping[str, Any], absent: list[str]) -> list[Data]:
    """Custom properties for keywords of a schema, ours by name, those of JSON Schema together."""
    own = {name: value for name, value in values.items() if name.startswith("x-")}
    rest = {name: value for name, value in values.items() if name not in own} | ({ABSENT: absent} if absent else {})
    found = [{"property": CUSTOM.get(name, name), "value": value} for name, value in own.items()]
    return [*found, *([{"property": SCHEMA_WORD, "value": rest}] if rest else [])]


def apply_custom(spec: Data, properties: list[Data]) -> list[Data]:
    """Set the keywords that custom properties carry; those of other people come back."""
    others = []
    for each in properties:
        word, value = str(each.get("property")), each.get("value")
        if word == SCHEMA_WORD and isinstance(value, dict):
            spec |= {name: part for name, part in value.items() if name != ABSENT}
            for name in value.get(ABSENT) or ():
                spec.pop(name, None)
        elif word in KEYWORD or (word.startswith("x-") and word != KEPT):
            spec[KEYWORD.get(word, word)] = value
        else:
            others.append(each)
    return others


def records(given: Data, word: str) -> list[Data]:
    """The list of mappings that ODCS has under a word; empty when it says nothing. Raises ConfigError for another shape."""
    found = given.get(word)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ConfigError(f"`{word}` has to be a list of mappings.", where=str(given.get("name") or word), code="ODCS")
    return found


def mapping(given: Data, word: str) -> Data:
    found = given.get(word)
    if found is not None and not isinstance(found, dict):
        raise ConfigError(f"`{word}` has to be a mapping.", where=str(given.get("name") or word), code="ODCS")
    return dict(found or {})
