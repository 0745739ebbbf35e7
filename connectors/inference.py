"""The fields of a stream, guessed from a few of its records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hub.common.records import FieldInfo, Record

MAX_DEPTH = 4
MAX_EXAMPLE = 80
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([.,]\d+)?\s?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def infer_fields(records: Sequence[Record]) -> tuple[FieldInfo, ...]:
    """One field for each path that occurs, in the order of first sight; objects are taken apart, lists are not."""
    return tuple(_field(path, values, len(records)) for path, values in values_by_path(records).items())


def values_by_path(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Every value under its path, empty ones included, in the order of first sight."""
    seen: dict[str, list[Any]] = {}
    for record in records:
        for path, value in _leaves(record, "", 0):
            seen.setdefault(path, []).append(value)
    return seen


def _leaves(record: Record, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        path = f"{prefix}{name}" if "." not in name else f'{prefix}"{name}"'
        if isinstance(value, dict) and value and depth < MAX_DEPTH:
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, value


def _field(path: str, values: list[Any], total: int) -> FieldInfo:
    present = [value for value in values if value not in (None, "")]
    example = str(present[0])[:MAX_EXAMPLE] if present and not isinstance(present[0], dict | list) else ""
    return FieldInfo(path, _common_type(present), required=len(present) == total, example=example)


def _common_type(values: Iterable[Any]) -> str:
    kinds = {type_of(value) for value in values}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {"integer", "decimal"}:
        return "decimal"
    return "date-time" if kinds == {"date", "date-time"} else "string"


def type_of(value: Any) -> str:
    """The type of a value in the words of a contract; a number with decimals is a decimal, as amounts must be exact."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "decimal"
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    if isinstance(value, str) and _DATE.match(value):
        return "date" if _DATE.fullmatch(value) else "date-time" if _INSTANT.fullmatch(value) else "string"
    return "string"
