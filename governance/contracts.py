"""Checking records against a contract version. Pure: no ORM, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from governance.schemas import Markers, Schema, markers_of
from hub.common.errors import RecordError
from hub.common.json_schemas import validator
from hub.common.money import CURRENCY_DIGITS

SHOWN = 60

DECIMAL = r"^-?[0-9]{1,30}(\.[0-9]{1,20})?$"
PERIOD = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
CURRENCY = f"^({'|'.join(sorted(CURRENCY_DIGITS))})$"
# Our formats as patterns: the validator matches them itself, a callback for each value would cost more than the rest.
PATTERNS = {
    "decimal": (DECIMAL, "a decimal number such as 1250.00"),
    "period": (PERIOD, "a period such as 2026-11"),
    "currency": (CURRENCY, "a currency code of ISO 4217 such as EUR"),
}
_FORMATS = {
    "date": "a date such as 2026-11-27",
    "date-time": "a date and time such as 2026-11-27T10:15:00Z",
    "email": "an e-mail address",
}
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a structure",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule of a schema that a record breaks: where, which keyword, by which value, and as a sentence.

    `unknown` names the fields that the schema does not know below `path`; `is_format` says that the value has not the form
    that its type has in a contract (decimal, date, …).
    """

    path: tuple[Any, ...]
    rule: str
    value: Any
    error: RecordError
    unknown: tuple[str, ...] = ()
    is_format: bool = False

    @property
    def field(self) -> str:
        return ".".join(map(str, self.paths()[0])) if self.unknown else self.error.field

    def paths(self) -> list[tuple[Any, ...]]:
        """The places of the values that break the rule."""
        return [(*self.path, name) for name in self.unknown] or [self.path]


class ContractCheck:
    """A compiled contract: `passes` is the fast answer, `explain` the sentences for a record that does not pass."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.markers: Markers = markers_of(schema)
        self._compiled = portable_schema(schema)
        self._validator = validator(self._compiled, validate_formats=True)
        self.passes = self._validator.is_valid

    def explain(self, body: dict[str, Any]) -> list[RecordError]:
        return [_error(error, self._compiled) for error in self._validator.iter_errors(body)]

    def findings(self, body: dict[str, Any]) -> list[Finding]:
        return [_finding(error, self._compiled) for error in self._validator.iter_errors(body)]

    def first_error(self, body: dict[str, Any]) -> RecordError:
        found = self.explain(body)
        if not found:
            return RecordError("The record breaks its contract.", code="CONTRACT")
        if len(found) > 1:
            found[0].what += f" ({len(found) - 1} more {'problem' if len(found) == 2 else 'problems'}.)"
        return found[0]


def portable_schema(schema: Schema) -> Schema:
    """The schema as any validator of JSON Schema 2020-12 can use it: our own formats are written out as patterns."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_with_patterns(schema)}


def _with_patterns(spec: Any) -> Any:
    """A copy in which our formats are patterns; a property's own pattern is kept beside its format's."""
    if isinstance(spec, list):
        return [_with_patterns(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    copied = {name: _with_patterns(part) for name, part in spec.items()}
    if isinstance(spec.get("format"), str) and spec["format"] in PATTERNS:
        pattern, meaning = PATTERNS[copied.pop("format")]
        own = {"pattern": pattern, "x-expects": meaning}
        if "pattern" in copied:
            copied["allOf"] = [*copied.get("allOf", []), own]
        else:
            copied = own | copied
    return copied


def _finding(error: Any, compiled: Schema) -> Finding:
    rule = str(error.kind.name)
    unknown = tuple(map(str, error.kind.unexpected)) if rule == "additionalProperties" else ()
    is_format = rule == "format" or (rule == "pattern" and bool(_spec_of(error, compiled).get("x-expects")))
    value = {name: error.instance[name] for name in unknown} if unknown else error.instance
    return Finding(tuple(error.instance_path), rule, value, _error(error, compiled), unknown, is_format)


# Sentences --------------------------------------------------------------------------------------------------


def _error(error: Any, compiled: Schema) -> RecordError:
    missing = error.kind.property if error.kind.name == "required" else ""
    path = ".".join([*(str(part) for part in error.instance_path), *([missing] if missing else [])])
    sentence = f"The field {path} is missing." if missing else _sentence(error, path, compiled)
    fix = "Correct it at its source, or change the mapping."
    return RecordError(" ".join([sentence, *_rule(error, compiled)]), field=path, fix=fix, code="CONTRACT")


def _rule(error: Any, compiled: Schema) -> list[str]:
    """The rule across fields that the record breaks, in the contract's own words."""
    match error.schema_path:
        case ["allOf", int(position), *_] if title := compiled["allOf"][position].get("title"):
            return [str(title)]
    return []


def _sentence(error: Any, path: str, compiled: Schema) -> str:
    value = error.instance
    if path and (value is None or (value == "" and error.kind.name == "minLength")):
        return f"The field {path} is empty."
    subject = f"{path} is {_shown(value)}" if path else "The record"
    meaning = _MEANINGS.get(error.kind.name, _plain)(error, compiled)
    return f"{subject}, which {meaning}." if path else f"{subject} {meaning}."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _spec_of(error: Any, compiled: Schema) -> Schema:
    """The part of the schema that the value breaks."""
    spec: Any = compiled
    for part in error.schema_path[:-1]:
        spec = spec[part]
    return spec if isinstance(spec, dict) else {}


def _pattern(error: Any, compiled: Schema) -> str:
    expects = _spec_of(error, compiled).get("x-expects")
    return f"is not {expects}" if expects else f"does not match the pattern {error.kind.pattern}"


def _format(error: Any, compiled: Schema) -> str:
    return f"is not {_FORMATS.get(error.kind.format, error.kind.format)}"


def _type(error: Any, compiled: Schema) -> str:
    if expects := _spec_of(error, compiled).get("x-expects"):
        return f"is not {expects}, as text"
    return f"is not {' or '.join(_TYPES.get(name, name) for name in error.kind.types if name != 'null')}"


def _enum(error: Any, compiled: Schema) -> str:
    return f"is not one of {', '.join(str(option) for option in error.kind.options if option is not None)}"


def _max_length(error: Any, compiled: Schema) -> str:
    return f"is longer than {error.kind.limit} characters: it has {len(error.instance)}"


def _unknown(error: Any, compiled: Schema) -> str:
    return f"has fields that the contract does not know: {', '.join(error.kind.unexpected)}"


_MEANINGS: Mapping[str, Callable[[Any, Schema], str]] = {
    "pattern": _pattern,
    "format": _format,
    "type": _type,
    "enum": _enum,
    "maxLength": _max_length,
    "additionalProperties": _unknown,
}


def _plain(error: Any, compiled: Schema) -> str:
    """The validator's words without the value that they repeat."""
    for word in (" is ", " does ", " has "):
        if word in error.message:
            return word.strip() + " " + error.message.split(word, 1)[1].rstrip(".")
    return str(error.message).rstrip(".")


def unknown_fields(schema: Schema, targets: Iterable[str]) -> list[str]:
    """Mapped fields that the contract does not know (their first path segment)."""
    known = schema.get("properties") or {}
    return sorted({target.split(".", 1)[0] for target in targets} - set(known))
