"""From the bytes of a file to rows for the contract: every cell that cannot be read is told with its row and column."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any
from zoneinfo import ZoneInfo

from connectors.files.xlsx_sheets import XlsxFormat
from governance.schemas import Field
from hub.common.errors import ConfigError, RecordError
from hub.common.records import Record
from hub.common.xlsx_reader import CellProblem, WorkbookReader, column_letters
from hub.spreadsheets.sheets import REFUSED_ROW, REFUSED_WHY, example_of, file_fields
from hub.sync.prepare import external_id

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 20_000
_IGNORED = {REFUSED_ROW.casefold(), REFUSED_WHY.casefold()}
_DELIMITERS = ",;\t"
Cells = tuple[int, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be read: the cells as they stand, and each thing that is wrong with its column."""

    row: int
    problems: Sequence[tuple[str, str]]  # (column, sentence)
    values: Mapping[str, str]

    @property
    def reason(self) -> str:
        return " ".join(sentence for _, sentence in self.problems)


@dataclass(slots=True)
class Table:
    """What stands in a file: (row, external id, record) of each row that can be read, and the rows that cannot."""

    columns: list[str]
    entries: list[tuple[int, str, Record]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.entries) + len(self.refused)


def read(
    data: bytes, *, name: str, fields: Sequence[Field], key: Sequence[str], zone: ZoneInfo, decimal: str = "."
) -> Table:
    """The rows of a workbook (its first sheet that is not hidden) or of a CSV file; raises ConfigError for neither."""
    if len(data) > MOST_BYTES:
        raise ConfigError(
            f"The file has {len(data) / 1024**2:.1f} MB; at most {MOST_BYTES // 1024**2} MB can be uploaded.",
            where=name,
            fix="Split it.",
            code="SIZE",
        )
    if not data.strip():
        raise ConfigError("The file is empty.", where=name, fix="Choose another one.", code="EMPTY")
    notes: list[str] = []
    rows = _sheet_rows(data, name, notes) if data[:2] == b"PK" or _is_old(data, name) else _csv_rows(data, name)
    return _table(rows, name, fields, key, XlsxFormat({"decimal": decimal}, file_fields(fields), zone), notes)


def _is_old(data: bytes, name: str) -> bool:
    """A name or content of another kind of workbook, which the reader refuses in words."""
    return data[:4] == b"\xd0\xcf\x11\xe0" or PurePath(name).suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods")


def _sheet_rows(data: bytes, name: str, notes: list[str]) -> Iterator[Cells]:
    book = WorkbookReader(io.BytesIO(data), name=name)
    sheet = book.sheet()
    merged = [(text, first, last) for text, first, last in book.merged(sheet) if last > first]
    if merged:
        notes.append(f"Merged cells hold one value for several rows: {', '.join(text for text, _, _ in merged[:5])}.")
    hidden = 0
    for row in book.rows(sheet):
        hidden += row.is_hidden
        spread = next((text for text, first, last in merged if first <= row.number <= last), None)
        problem = CellProblem(f"The row is part of the merged cells {spread}: unmerge them and fill every row")
        yield row.number, [problem, *row.values[1:]] if spread else row.values
    if hidden:
        notes.append(f"{hidden} hidden {'row is' if hidden == 1 else 'rows are'} read too.")


def _csv_rows(data: bytes, name: str) -> Iterator[Cells]:
    text = _decoded(data)
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise ConfigError(
            f"Line {reader.line_num} cannot be taken apart: {error}.",
            where=name,
            fix="Save the file as CSV again, or upload the workbook.",
            code="CSV",
        ) from error


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _table(
    rows: Iterator[Cells], name: str, fields: Sequence[Field], key: Sequence[str], form: XlsxFormat, notes: list[str]
) -> Table:
    head = next(rows, None)
    if head is None:
        raise ConfigError("The file has no row.", where=name, fix="Fill in the template.", code="EMPTY")
    columns = _columns(head[1], name, fields, key)
    found = Table([column for column in columns if column], notes=notes)
    example = {each.name: example_of(each) for each in fields}
    seen: dict[str, int] = {}
    for number, cells in rows:
        if found.rows == MOST_ROWS:
            raise ConfigError(f"The file has more than {MOST_ROWS:,} rows.", where=name, fix="Split it.", code="SIZE")
        if number == head[0] + 1 and _is_example(columns, cells, example):
            found.notes.append("The example row of the template was left out.")
        elif any(value not in (None, "") for value in cells):
            _take(found, number, columns, cells, form, key, seen)
    return found


def _columns(head: Sequence[Any], name: str, fields: Sequence[Field], key: Sequence[str]) -> list[str]:
    """The field of each column; empty text for one that is not read. Raises ConfigError for a head that does not fit."""
    known = {each.name.casefold(): each.name for each in fields} | {each.title.casefold(): each.name for each in fields}
    columns: list[str] = []
    for at, value in enumerate(head):
        heading = str(value or "").strip()
        if not heading or heading.casefold() in _IGNORED:
            columns.append("")
            continue
        found = known.get(heading.casefold())
        if found is None:
            near = difflib.get_close_matches(heading.casefold(), known, 1)
            hint = f"Did you mean {near[0].capitalize()!r}?" if near else "Download the template to see the columns."
            what = f"Column {column_letters(at)} is headed {heading!r}, which is no field."
            raise ConfigError(what, where=name, fix=hint, code="HEADER")
        if found in columns:
            raise ConfigError(f"Two columns are headed {heading!r}.", where=name, fix="Delete one.", code="HEADER")
        columns.append(found)
    missing = [each.title for each in fields if each.name in key and each.name not in columns]
    if missing:
        raise ConfigError(
            f"The column {missing[0]!r} is missing, by which records are told apart.",
            where=name,
            fix="The first row must hold the headings of the template.",
            code="HEADER",
        )
    return columns


def _is_example(columns: Sequence[str], cells: Sequence[Any], example: Mapping[str, Any]) -> bool:
    def shown(value: Any) -> str:
        return "" if value is None else str(value)[:10] if isinstance(value, date) else str(value)

    told = {name: value for name, value in zip(columns, cells, strict=False) if name}
    return bool(told) and all(shown(told.get(name)) == shown(example.get(name)) for name in columns if name)


def _take(
    table: Table,
    row: int,
    columns: Sequence[str],
    cells: Sequence[Any],
    form: XlsxFormat,
    key: Sequence[str],
    seen: dict[str, int],
) -> None:
    """Sort one row in. An empty cell says nothing: what the hub holds there stays."""
    record: Record = {}
    problems: list[tuple[str, str]] = []
    for at, value in enumerate(cells):
        name = columns[at] if at < len(columns) else ""
        if not name:
            if value not in (None, "") and at >= len(columns):
                problems.append(("", f"The cell {column_letters(at)}{row} has no heading."))
            elif isinstance(value, CellProblem):
                problems.append(("", f"{value.sentence}."))
            continue
        try:
            typed = form.typed(name, value)
        except RecordError as error:
            problems.append((name, f"{column_letters(at)}{row}: {error.what}"))
            continue
        if typed is not None:
            record[name] = typed
    if not problems:
        problems += _key_problems(record, row, key, seen)
    if problems:
        values = {name: _text(value) for name, value in zip(columns, cells, strict=False) if name}
        table.refused.append(Refusal(row, problems, values))
        return
    table.entries.append((row, external_id(record, key), record))


def _key_problems(record: Record, row: int, key: Sequence[str], seen: dict[str, int]) -> list[tuple[str, str]]:
    try:
        found = external_id(record, key)
    except RecordError as error:
        return [(error.field, error.what)]
    if (first := seen.setdefault(found, row)) != row:
        return [(key[0], f"Row {first} is about the same record, {found}.")]
    return []


def _text(value: Any) -> str:
    if isinstance(value, CellProblem) or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        minutes = int(value.total_seconds() // 60)
        return f"{minutes // 60}:{minutes % 60:02d}"
    return value.isoformat() if isinstance(value, date) else str(value)
