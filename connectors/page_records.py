"""From the items of an answer to records: exact keys and declared numbers, and what cannot be a record set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.exact_json import find_doubled, number_text
from connectors.paths import get, split_path
from hub.common.errors import RecordError
from hub.common.records import BadRecord, Record, joined_key

DEFAULT_MAX_RECORD_BYTES = 10_000_000
_RAW_LIMIT = 2_000
_KEY_LIMIT = 500
_NUL = "\x00"


class RecordReader:
    """Turns items into records.

    Fields of the key, and those declared as string or decimal, become text without losing a digit.
    """

    def __init__(
        self, key: Sequence[str], fields: Mapping[str, Any], max_bytes: int = DEFAULT_MAX_RECORD_BYTES
    ) -> None:
        declared = (name for name, field in fields.items() if _kind(field) in ("string", "decimal"))
        exact = dict.fromkeys((*key, *declared))
        self._key = tuple(key)
        self._flat = tuple(parts[0] for parts in map(split_path, exact) if len(parts) == 1)
        self._nested = tuple(path for path in exact if len(split_path(path)) > 1)
        self._max_bytes = max_bytes

    def read(
        self, items: Sequence[Any], *, size: int, suspicious: bool = False
    ) -> tuple[list[Record], list[BadRecord]]:
        """Records and bad records of a page of `size` bytes; `suspicious` asks to look at every text."""
        records: list[Record] = []
        bad: list[BadRecord] = []
        careful = suspicious or size > self._max_bytes
        for position, item in enumerate(items):
            error = self._error(item) if careful or not isinstance(item, dict) else None
            if error:
                bad.append(BadRecord(position, error, raw_text(item), bad_key(item, self._key)))
                continue
            for name in self._flat:
                value = item.get(name)
                if value.__class__ is not str and value is not None:
                    item[name] = exact_text(value)
            for path in self._nested:
                _make_exact(item, path)
            records.append(item)
        return records, bad

    def _error(self, item: Any) -> RecordError | None:
        if not isinstance(item, dict):
            return RecordError(f"A record must be an object with fields, not {type(item).__name__}.", code="SHAPE")
        try:
            size = len(orjson.dumps(item, option=orjson.OPT_NON_STR_KEYS))
        except (orjson.JSONEncodeError, TypeError):
            return RecordError(
                "The record holds half a character (a lone surrogate).",
                fix="Correct the text at the source.",
                code="TEXT",
            )
        if size > self._max_bytes:
            return RecordError(
                f"The record is {size:,} bytes long; the limit is {self._max_bytes:,}.",
                fix="Leave out large fields, or raise `limits.max_record_bytes`.",
                code="TOO_LARGE",
            )
        doubled = find_doubled(item)
        if doubled is not None:
            return RecordError(
                f"The field {doubled!r} stands twice in the record, with two values.",
                field=doubled,
                fix="Correct the record at the source: nobody can know which value is meant.",
                code="DOUBLED",
            )
        place = find_nul(item)
        if place is not None:
            return RecordError(
                "The text holds a NUL character, which no database keeps.",
                field=place,
                fix="Remove it at the source.",
                code="TEXT",
            )
        return None


def _kind(field: Any) -> str:
    return str(field if isinstance(field, str) else field["type"])


def find_nul(value: Any, path: str = "") -> str | None:
    """The dotted path of the first text with a NUL character, None when there is none."""
    if isinstance(value, str):
        return path if _NUL in value else None
    if isinstance(value, dict):
        if any(_NUL in str(key) for key in value):
            return path
        children = [(f"{path}.{key}".lstrip("."), child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}.{index}".lstrip("."), child) for index, child in enumerate(value)]
    else:
        return None
    return next((place for name, child in children if (place := find_nul(child, name)) is not None), None)


def raw_text(item: Any) -> str:
    """The beginning of an item as text, for a person to look at; half characters are shown as question marks."""
    return repr(item)[:_RAW_LIMIT].encode("utf-8", "replace").decode().replace(_NUL, "\\0")


def bad_key(item: Any, key: Sequence[str]) -> str:
    """The id of an item that is no record: empty where its key is missing, or itself unfit to be kept."""
    values = [exact_text(get(item, name)) for name in key] if isinstance(item, dict) else []
    if not values or not all(isinstance(value, str) and value for value in values):
        return ""
    found = joined_key(values)
    return found if len(found) <= _KEY_LIMIT and _NUL not in found and _is_whole(found) else ""


def _is_whole(text: str) -> bool:
    """Whether the text holds no half character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def exact_text(value: Any) -> Any:
    """A number or truth value as its exact text; everything else as it is."""
    kind = value.__class__
    if kind is int:
        return str(value)
    if kind is float:
        return number_text(value)
    return ("true" if value else "false") if kind is bool else value


def _make_exact(record: Record, path: str) -> None:
    if path in record:
        value = record[path]
        if value.__class__ is not str and value is not None:
            record[path] = exact_text(value)
        return
    *parents, leaf = split_path(path)
    holder = get(record, ".".join(parents)) if parents else None
    if isinstance(holder, dict) and leaf in holder:
        holder[leaf] = exact_text(holder[leaf])
