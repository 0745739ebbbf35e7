"""Checking records against a contract version. Pure: no ORM, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from governance.schemas import Markers, Schema, markers_of
from hub.common.errors import RecordError

SHOWN = 60


DECIMAL = r"^-?[0-9]{1,30}(\.[0-9]{1,20})?$"
PERIOD = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
# Our formats as patterns: the validator matches them itself, a callback for each value would cost more than the rest.
PATTERNS = {"decimal": (DECIMAL, "a decimal number such as 1250.00"), "period": (PERIOD, "a period such as 2026-11")}


class ContractCheck:
    """A compiled contract: `passes` is the fast answer, `explain` the sentences for a record that does not pass."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.markers: Markers = markers_of(schema)
        compiled = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_with_patterns(schema)}
        self._validator = jsonschema_rs.validator_for(compiled, validate_formats=True)
        self.passes = self._validator.is_valid

    def explain(self, body: dict[str, Any]) -> list[RecordError]:
        return [_error(error) for error in self._validator.iter_errors(body)]

    def first_error(self, body: dict[str, Any]) -> RecordError:
        found = self.explain(body)
        if not found:
            return RecordError("The record breaks its contract.", code="CONTRACT")
        if len(found) > 1:
            found[0].what += f" ({len(found) - 1} more problems.)"
        return found[0]


def _with_patterns(spec: Any) -> Any:
    if isinstance(spec, list):
        return [_with_patterns(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    copied = {name: _with_patterns(part) for name, part in spec.items()}
    if spec.get("format") in PATTERNS and isinstance(spec.get("format"), str):
        copied["pattern"] = PATTERNS[copied.pop("format")][0]
    return copied


def _error(error: Any) -> RecordError:
    missing = getattr(error.kind, "property", "") if error.kind.name == "required" else ""
    path = ".".join([*(str(part) for part in error.instance_path), *([missing] if missing else [])])
    sentence = f"The field {path} is missing." if missing else _sentence(error, path)
    fix = "Correct it at its source, or change the mapping."
    return RecordError(sentence, field=path, fix=fix, code="CONTRACT")


def _sentence(error: Any, path: str) -> str:
    value = repr(error.instance)
    shown = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
    return f"{path or 'The record'} is {shown}, which {_plain(error.message)}."


def _plain(message: str) -> str:
    """The validator's words without the value that they repeat."""
    for pattern, meaning in PATTERNS.values():
        if pattern in message or pattern.replace("\\", "\\\\") in message:
            return f"is not {meaning}"
    for word in (" is ", " does ", " has ", " has "):
        if word in message:
            return word.strip() + " " + message.split(word, 1)[1].rstrip(".")
    return message.rstrip(".")


def unknown_fields(schema: Schema, targets: Iterable[str]) -> list[str]:
    """Mapped fields that the contract does not know (their first path segment)."""
    known = schema.get("properties") or {}
    return sorted({target.split(".", 1)[0] for target in targets} - set(known))
