"""A few records as a table: one column for each value that any of them holds, however deep it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from hub.common.records import Record

LONGEST = 200


@dataclass(frozen=True, slots=True)
class SampleTable:
    """Dotted paths, and a row of texts for each record; None where a record has nothing there."""

    columns: list[str]
    rows: list[list[str | None]]
    records: Sequence[Record]


def tabulate(records: Sequence[Record], *, first: Sequence[str] = ()) -> SampleTable:
    """The records as a table, the columns in `first` before the others."""
    flat = [dict(_leaves(record)) for record in records]
    found = dict.fromkeys(path for row in flat for path in row)
    columns = [path for path in dict.fromkeys(first) if path in found]
    columns += [path for path in found if path not in columns]
    return SampleTable(columns, [[_text(row.get(path)) for path in columns] for row in flat], records)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool | list | dict):
        value = orjson.dumps(value, default=str).decode()
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
