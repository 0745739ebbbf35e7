"""A list as a file: streamed, with times in UTC, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import orjson
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from hub.common.money import decimal_text
from hub.common.times import format_instant

Format = Literal["csv", "json"]
CHUNK = 2_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: key in JSON, heading in CSV, and how a row gives the value: an attribute path or a function."""

    key: str
    label: str
    value: str | Callable[[Any], Any] = ""

    def of(self, row: Any) -> Any:
        if callable(self.value):
            return self.value(row)
        for step in (self.value or self.key).split("."):
            row = row.get(step) if isinstance(row, dict) else getattr(row, step, None)
            if row is None:
                return None
        return row


def export_response(rows: Iterable[Any], columns: Sequence[Column], fmt: str, *, name: str) -> StreamingHttpResponse:
    """All rows of the filtered list as a download `name.csv` or `name.json`; a queryset is read in chunks."""
    source = rows.iterator(chunk_size=CHUNK) if isinstance(rows, QuerySet) else iter(rows)
    write, kind = (_json_lines, "application/json") if fmt == "json" else (_csv_lines, "text/csv; charset=utf-8")
    response = StreamingHttpResponse(write(source, columns), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}.{"json" if fmt == "json" else "csv"}"'
    response["Cache-Control"] = "no-store"
    return response


class _Echo:
    """Lets csv.writer hand back each line instead of writing it."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(rows: Iterator[Any], columns: Sequence[Column]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([column.label for column in columns])
    for row in rows:
        yield writer.writerow([csv_cell(column.of(row)) for column in columns])


def _json_lines(rows: Iterator[Any], columns: Sequence[Column]) -> Iterator[bytes]:
    """One array; a row a line."""
    comma = b"[\n"
    for row in rows:
        yield comma + orjson.dumps({column.key: _plain(column.of(row)) for column in columns}, default=str)
        comma = b",\n"
    yield b"[]\n" if comma == b"[\n" else b"\n]\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return format_instant(value) if isinstance(value, datetime) else value


def csv_cell(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers."""
    value = _plain(value)
    if value is None or isinstance(value, int):
        return "" if value is None else value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    digits = text[1:].replace(".", "", 1)
    return text[0] in "+-" and digits.isascii() and digits.isdigit()
