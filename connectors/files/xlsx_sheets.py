"""The sheet of a workbook as records: cells of their kind, a bad row set aside with the place of the cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from connectors.exact_json import exact_float, plain_decimal
from connectors.files.values import BadPlace, TextValues, refuse_odd_text
from connectors.page_records import exact_text
from hub.common.errors import ConfigError, RecordError
from hub.common.records import BadRecord, Record
from hub.common.xlsx import MOST_CHARACTERS, Sheet, workbook
from hub.common.xlsx_reader import CellProblem, Row, WorkbookReader, column_letters


class XlsxFormat:
    """The `xlsx` section and the `fields` of a stream. `zone` is that of the times in the cells, which have none."""

    ending = ".xlsx"
    is_judged_whole = False

    def __init__(self, section: Mapping[str, Any], fields: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.section, self.values = section, TextValues(section, fields, zone)
        self.columns: Sequence[str] = section.get("columns", ())
        self.header_row: int = section.get("header_row", 1)

    # --- reading ---------------------------------------------------------------------------------------------------

    def rows(self, file: BinaryIO, *, name: str) -> Iterator[Record | BadRecord]:
        for _, found in self.numbered(file, name=name):
            yield found

    def numbered(self, file: BinaryIO, *, name: str) -> Iterator[tuple[int, Record | BadRecord]]:
        """The records with the number of the row that each stands in."""
        book = WorkbookReader(file, name=name)
        sheet = book.sheet(self.section.get("sheet", ""))
        merged = book.merged(sheet)
        names: Sequence[str] = ()
        position = 0
        for row in book.rows(sheet):
            if row.number < self.header_row or (row.is_hidden and self.section.get("hidden_rows") == "skip"):
                continue
            if not names:
                names = self._names(row, f"{name} ({sheet.name})")
                continue
            place = BadPlace(position, f"{name}:{sheet.name}!{row.number}")
            yield row.number, self._record(names, row, place, merged)
            position += 1
        if not names:
            raise ConfigError(
                f"The sheet {sheet.name} of {name} is empty: it has no header.", where=name, code="HEADER"
            )

    def _names(self, row: Row, name: str) -> Sequence[str]:
        names = ["" if value is None else str(value).strip() for value in row.values]
        double = next((column for at, column in enumerate(names) if column and column in names[:at]), None)
        if double is not None:
            raise ConfigError(f"The header of {name} names {double!r} twice.", where=name, code="HEADER")
        missing = next((column for column in self.columns if column not in names), None)
        if missing is not None:
            has = ", ".join(filter(None, names)) or "nothing"
            raise ConfigError(
                f"The sheet {name} has no column {missing!r}; row {row.number} has: {has}.",
                where=name,
                fix="Correct the file, or `xlsx.columns` and `xlsx.header_row`.",
                code="HEADER",
            )
        return names

    def _record(
        self, names: Sequence[str], row: Row, place: BadPlace, merged: Sequence[tuple[str, int, int]]
    ) -> Record | BadRecord:
        raw = "\t".join("" if value is None else str(value) for value in row.values)[:2000]
        spread = next((text for text, first, last in merged if first <= row.number <= last and last > first), None)
        if spread:
            what = f"The row is part of the merged cells {spread}, of which only the first holds the value."
            return place.bad(RecordError(what, fix="Unmerge them and fill every row.", code="MERGED"), raw)
        record: Record = {name: None for name in names if name}
        try:
            for at, value in enumerate(row.values):
                column = names[at] if at < len(names) else ""
                if not column and value is not None:
                    cell = f"{column_letters(at)}{row.number}"
                    raise RecordError(
                        f"The cell {cell} stands under no heading.", fix="Name its column or clear it.", code="HEADER"
                    )
                if column:
                    record[column] = self.typed(column, value)
            refuse_odd_text(record, "UTF-8")
        except RecordError as error:
            return place.bad(error, raw)
        return record

    def typed(self, name: str, value: Any) -> Any:
        """The value of a cell as its declared type; raises RecordError."""
        if isinstance(value, CellProblem):
            raise RecordError(f"{value.sentence}.", field=name, code="CELL")
        kind = self.values.kind(name)
        if isinstance(value, str):
            text = value.strip() if self.values.trim else value
            return self.values.value(name, text) if text else None
        if isinstance(value, bool):
            return self._boolean(name, kind, value)
        if isinstance(value, date):
            return self._moment(name, kind, value)
        if isinstance(value, timedelta):
            return self._span(name, kind, value)
        return self._number(name, kind, value) if isinstance(value, Decimal) else None

    def _boolean(self, name: str, kind: str, value: bool) -> Any:
        if kind in ("boolean", ""):
            return value
        if kind == "string":
            return "true" if value else "false"
        raise _other_type(name, kind, f"{value}".upper())

    def _number(self, name: str, kind: str, number: Decimal) -> Any:
        text = plain_decimal(number)
        if kind == "boolean" and text in ("0", "1"):
            return text == "1"
        if kind in ("date", "date-time", "boolean", "object", "array"):
            raise _other_type(name, kind, text)
        if kind == "integer" and number != number.to_integral_value():
            raise _other_type(name, kind, text)
        if kind == "integer":
            return int(number)
        return exact_float(text) if kind == "number" else text

    def _moment(self, name: str, kind: str, value: date) -> Any:
        if kind in ("decimal", "number", "integer", "boolean", "object", "array"):
            raise _other_type(name, kind, value.isoformat())
        if kind == "date-time":
            at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
            return at.replace(tzinfo=self.values.zone).astimezone(UTC).isoformat().replace("+00:00", "Z")
        if kind == "date" and isinstance(value, datetime):
            return value.date().isoformat()
        return value.isoformat()

    def _span(self, name: str, kind: str, value: timedelta) -> Any:
        """Hours where a number is wanted, as 7:30 in a time sheet means 7.5; else the text hours:minutes."""
        seconds = Decimal(int(value.total_seconds()))
        if kind in ("decimal", "number"):
            return plain_decimal((seconds / 3600).quantize(Decimal("0.0001")).normalize())
        if kind in ("string", ""):
            minutes = int(seconds // 60)
            return f"{minutes // 60:02d}:{minutes % 60:02d}"
        raise _other_type(name, kind, str(value))

    # --- writing ---------------------------------------------------------------------------------------------------

    def content(self, records: Sequence[Record], columns: Sequence[str]) -> bytes:
        rows = ([self.cell(name, record.get(name)) for name in columns] for record in records)
        return workbook([Sheet(self.section.get("sheet", "Data"), list(columns), rows)])

    def check(self, name: str, value: Any) -> None:
        cell = self.cell(name, value)
        if isinstance(cell, str) and (len(cell) > MOST_CHARACTERS or "\x00" in cell):
            raise RecordError(
                f"The text does not fit into a cell of {MOST_CHARACTERS} characters.", field=name, code="TEXT"
            )

    def cell(self, name: str, value: Any) -> Any:
        """A value as the writer of workbooks takes it."""
        kind = self.values.kind(name)
        if value is None or isinstance(value, bool):
            return value
        try:
            if kind in ("decimal", "number", "integer"):
                return Decimal(str(exact_text(value)))
            if kind == "date" and isinstance(value, str):
                return date.fromisoformat(value)
            if kind == "date-time" and isinstance(value, str):
                return self._local(value)
        except (InvalidOperation, ValueError):
            raise _other_type(name, kind, str(value)) from None
        return self.values.text(name, value)

    def _local(self, text: str) -> datetime:
        """An instant as the wall clock of the zone shows it: a cell holds no zone."""
        at = datetime.fromisoformat(text)
        wall = at.astimezone(self.values.zone) if at.tzinfo else at
        return wall.replace(tzinfo=UTC)


def _other_type(name: str, kind: str, shown: str) -> RecordError:
    fix = "Format the column as its type and enter the value again."
    return RecordError(f"{shown[:60]!r} is not a value of the type {kind}.", field=name, fix=fix, code="TYPE")
