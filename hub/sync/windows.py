"""Which records of a page belong to a backfill. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors import paths
from connectors.cursors import CursorFormat
from hub.common.errors import ConfigError, RecordError
from hub.common.records import Record
from hub.sync.prepare import external_id

Value = datetime | Decimal | str


def value_of(raw: Any) -> Value:
    """A cursor value by its meaning: a number, a moment (without an offset: UTC), else its text."""
    text = str(raw)
    try:
        return Decimal(text)
    except InvalidOperation:
        pass
    try:
        return CursorFormat().instant(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Window:
    """From one cursor value to another, both included; an end that is None is open. A date as the end is that whole day."""

    cursor: str
    start: Value | None
    end: Value | None

    @classmethod
    def of(cls, cursor: str, start: str, end: str) -> Window:
        """Raises ConfigError for ends that cannot be compared, or stand the wrong way round."""
        first, last = value_of(start) if start else None, value_of(end_of_day(end)) if end else None
        if first is not None and last is not None and (type(first) is not type(last) or first > last):  # type: ignore[operator]
            raise ConfigError(
                f"The window from {start!r} to {end!r} is none.",
                fix="Write both as the source does, the earlier first.",
            )
        return cls(cursor, first, last)

    def select(self, records: Sequence[Record]) -> list[Record]:
        """Those inside; one without a value that can be compared is taken, because nobody can say that it is outside."""
        return [record for record in records if self._holds(paths.get(record, self.cursor))]

    def _holds(self, raw: Any) -> bool:
        if raw in (None, ""):
            return True
        value = value_of(raw)
        return not (_is_before(value, self.start) or _is_before(self.end, value))

    def is_past(self, cursor: str | None) -> bool:
        """Whether pages in cursor order that have come this far hold nothing more of the window."""
        return bool(cursor) and _is_before(self.end, value_of(cursor))


def end_of_day(text: str) -> str:
    """The last moment of a date; anything else as it is."""
    return f"{text}T23:59:59.999999" if len(text) == 10 and text[4] == text[7] == "-" else text


def _is_before(one: Value | None, other: Value | None) -> bool:
    return one is not None and other is not None and type(one) is type(other) and one < other  # type: ignore[operator]


def having(records: Sequence[Record], key: Sequence[str], wanted: Collection[str]) -> list[Record]:
    """Records whose id at the source is wanted."""
    return [record for record in records if id_of(record, key) in wanted]


def id_of(record: Record, key: Sequence[str]) -> str | None:
    """The record's id at its source; None where its key cannot be read."""
    try:
        return external_id(record, key)
    except RecordError:
        return None
