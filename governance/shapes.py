"""The shape of a source: what was recorded when its object was chosen, against what it offers or sends now. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connectors.inference import type_of, values_by_path
from governance.compatibility.verdict import Mode, Verdict, judge
from governance.schemas import Schema
from hub.common.records import Record

# [{path, type, title, required, example}] as on Stream.fields.
Fields = Sequence[Mapping[str, Any]]
SAMPLE = 200
# A field is missed, or has another type, only when so many records say so: one odd record is no drift.
ENOUGH = 20
ENOUGH_VALUES = 5
# Kinds of change after which who reads the path gets nothing, or something else.
BREAKING = frozenset({"field_removed", "required_field_removed", "field_renamed", "type_changed", "type_narrowed"})
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_SPECS: Mapping[str, Mapping[str, Any]] = {
    "decimal": {"type": "string", "format": "decimal"},
    "date": {"type": "string", "format": "date"},
    "date-time": {"type": "string", "format": "date-time"},
    **{name: {"type": name} for name in ("string", "integer", "number", "boolean", "array", "object")},
}


def _is_text(value: Any) -> bool:
    return not isinstance(value, bool | int | dict | list)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return not isinstance(value, bool | dict | list)


def _is_yes_or_no(value: Any) -> bool:
    return value in (True, False) or str(value).lower() in ("true", "false", "yes", "no")


# Sources write dates and numbers in many ways, which their mappings read: only what no reading could save is another type.
_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": _is_text,
    "integer": _is_number,
    "number": _is_number,
    "decimal": _is_number,
    "boolean": _is_yes_or_no,
    "date": lambda value: not isinstance(value, bool | dict | list),
    "date-time": lambda value: not isinstance(value, bool | dict | list),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def schema_of(fields: Fields) -> Schema:
    """A shape as a schema, so that the engine for contracts can compare two of them."""
    return {
        "type": "object",
        "required": [str(each["path"]) for each in fields if each.get("required")],
        "properties": {
            str(each["path"]): dict(_SPECS.get(str(each.get("type")), {"type": "string"})) for each in fields
        },
    }


def compare(before: Fields, after: Fields) -> Verdict:
    """What the new shape breaks for those who read by the old one."""
    return judge(schema_of(before), schema_of(after), mode=Mode.FORWARD)


def observed(recorded: Fields, records: Sequence[Record], *, seen: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The recorded shape as these records show it: with fields that are new, without those that vanished, retyped.

    `seen` are paths beside the recorded ones that are no news.
    """
    sample = records[:SAMPLE]
    values = {path: [v for v in found if v not in (None, "")] for path, found in values_by_path(sample).items()}
    kept = [dict(each) for each in recorded if not _has_vanished(each, values, len(sample))]
    for each in kept:
        each["type"] = _type_now(each, values.get(str(each["path"]), []), _parts(str(each["path"]), values))
    known = {*seen, *(str(each["path"]) for each in recorded)}
    new = [path for path, found in values.items() if found and not _is_within(path, known)]
    return [*kept, *({"path": path, "type": _common(values[path]), "required": False} for path in new)]


def _has_vanished(field: Mapping[str, Any], values: Mapping[str, Any], total: int) -> bool:
    """Whether a field that every record had is in none of enough records, not even empty."""
    path = str(field["path"])
    return bool(field.get("required")) and total >= ENOUGH and not any(_overlap(path, other) for other in values)


def _parts(path: str, values: Mapping[str, Sequence[Any]]) -> int:
    """How many records hold a structure at the path: its parts stand under paths of their own."""
    return max((len(found) for other, found in values.items() if other.startswith(f"{path}.")), default=0)


def _type_now(field: Mapping[str, Any], values: Sequence[Any], parts: int) -> str:
    recorded = str(field.get("type") or "string")
    if not values and parts >= ENOUGH_VALUES:
        return "object"
    fits = _FITS.get(recorded, _is_text)
    if len(values) < ENOUGH_VALUES or any(map(fits, values)):
        return recorded
    return _common(values)


def _common(values: Iterable[Any]) -> str:
    kinds = {type_of(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "string"


def _is_within(path: str, known: Iterable[str]) -> bool:
    return any(_overlap(path, other) for other in known)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def added(recorded: Fields, proposed: Fields) -> list[str]:
    """Paths of the proposed shape that are not recorded."""
    known = {str(each["path"]) for each in recorded}
    return [str(each["path"]) for each in proposed if each["path"] not in known]


def broken_paths(verdict: Verdict, used: Iterable[str]) -> list[str]:
    """Paths that somebody uses and that no longer hold what they held."""
    wanted = list(used)
    gone = [judged.change.path for judged in verdict.changes if judged.change.kind.name in BREAKING]
    return sorted({path for path in gone if any(_overlap(path, other) for other in wanted)})
