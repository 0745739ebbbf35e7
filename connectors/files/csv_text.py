"""CSV as declared: text to typed values and back, a bad line set aside and the rest kept."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import orjson

from connectors.cursors import CursorFormat
from connectors.exact_json import exact_float
from connectors.page_records import exact_text, find_nul
from hub.common.errors import ConfigError, RecordError
from hub.common.records import BadRecord, Record

# The longest value; the csv module's own limit is far below what a record may hold.
MAX_VALUE = 10_000_000
csv.field_size_limit(MAX_VALUE)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_TRUE = frozenset({"true", "yes", "y", "1", "t"})
_OPPOSITES = {"Y": "N", "y": "n", "J": "N", "1": "0", "T": "F", "X": "", "yes": "no", "true": "false"}
_FALSE = frozenset({"false", "no", "n", "0", "f"})


@dataclass(frozen=True, slots=True)
class BadPlace:
    """Where a record stands: its number in the file from 0, and file and line for people."""

    position: int
    where: str

    def bad(self, error: RecordError, raw: str = "") -> BadRecord:
        error.where = f"{self.where} {error.field}".strip()
        return BadRecord(self.position, error, raw)


class CsvFormat:
    """The `csv` section and the `fields` of a stream. `zone` is that of times without offset."""

    def __init__(self, section: Mapping[str, Any], fields: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.section, self.zone = section, zone
        self.encoding: str = section.get("encoding", "utf-8-sig")
        self.columns: Sequence[str] = section.get("columns", ())
        self.fields = {name: {"type": field} if isinstance(field, str) else field for name, field in fields.items()}
        self.trim: bool = section.get("trim", True)
        self._decimal: str = section.get("decimal", ".")
        self._true: Sequence[str] = section.get("true_values", ())

    @property
    def dialect(self) -> dict[str, Any]:
        quote = self.section.get("quote", '"')
        quoting = {"quotechar": quote, "quoting": csv.QUOTE_MINIMAL} if quote else {"quoting": csv.QUOTE_NONE}
        return {"delimiter": self.section.get("delimiter", ","), "strict": True, **quoting}

    # --- reading ---------------------------------------------------------------------------------------------------

    def rows(self, file: BinaryIO, *, name: str) -> Iterator[Record | BadRecord]:
        """The records of a file in order; raises ConfigError when its head does not fit.

        A bad record says the line; its position is that in the file, from 0.
        """
        # one wrong byte spoils its line, not the file; utf-16 has no such thing
        errors = "strict" if self.encoding == "utf-16" else "surrogateescape"
        text = io.TextIOWrapper(file, encoding=self.encoding, errors=errors, newline="")
        try:
            reader = csv.reader(text, **self.dialect)
            names = self._names(reader, name)
            for position, line in enumerate(self._lines(reader)):
                yield self._record(names, line, BadPlace(position, f"{name}:{reader.line_num}"))
        except UnicodeError as error:
            raise ConfigError(
                f"The file {name} is not written in {self.encoding}.", where=name, fix="Correct `csv.encoding`."
            ) from error
        finally:
            text.detach()

    def _lines(self, reader: Any) -> Iterator[list[str] | csv.Error]:
        """The lines that are not empty; a line that cannot be taken apart comes as its error."""
        while True:
            try:
                line = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield error
                continue
            if line:
                yield line

    def _names(self, reader: Any, name: str) -> Sequence[str]:
        if not self.section.get("header", True):
            return self.columns
        names = [column.strip() for column in next(reader, [])]
        if not names:
            raise ConfigError(f"The file {name} is empty: it has no header.", where=name, code="HEADER")
        double = next((column for at, column in enumerate(names) if not column or column in names[:at]), None)
        if double is not None:
            raise ConfigError(
                f"The header of {name} names {double!r} twice." if double else f"The header of {name} has a gap.",
                where=name,
                fix="Correct the file, or the delimiter in `csv.delimiter`.",
                code="HEADER",
            )
        missing = next((column for column in self.columns if column not in names), None)
        if missing is not None:
            raise ConfigError(
                f"The file {name} has no column {missing!r}; it has: {', '.join(names)}.",
                where=name,
                fix="Correct the file, or `csv.columns`; a wrong `csv.delimiter` looks like this too.",
                code="HEADER",
            )
        return names

    def _record(self, names: Sequence[str], line: list[str] | csv.Error, place: BadPlace) -> Record | BadRecord:
        if isinstance(line, csv.Error):
            return place.bad(RecordError(f"The line cannot be taken apart: {line}.", code="CSV"))
        raw = (
            self.section.get("delimiter", ",")
            .join(line)[:2000]
            .encode("utf-8", "replace")
            .decode()
            .replace("\x00", "\\0")
        )
        if len(line) != len(names):
            what = f"The line has {len(line)} values for {len(names)} columns."
            return place.bad(RecordError(what, fix="Look for a delimiter in a value.", code="CSV"), raw)
        try:
            return self._typed(dict(zip(names, line, strict=True)))
        except RecordError as error:
            return place.bad(error, raw)

    def _typed(self, record: dict[str, str]) -> Record:
        typed: Record = {}
        for name, text in record.items():
            value = text.strip() if self.trim else text
            # the text of a file knows no difference between nothing and null
            typed[name] = self._value(name, value) if value else None
        self._refuse_odd_text(typed)
        return typed

    def _refuse_odd_text(self, record: Record) -> None:
        place = find_nul(record)
        if place is not None:
            raise RecordError("The text holds a NUL character, which no database keeps.", field=place, code="TEXT")
        for name, value in record.items():
            if isinstance(value, str) and not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise RecordError(
                        f"The text is not written in {self.encoding}.",
                        field=name,
                        fix="Correct `csv.encoding`.",
                        code="TEXT",
                    ) from None

    def _value(self, name: str, text: str) -> Any:
        field = self.fields.get(name)
        if field is None:
            return text
        kind, pattern = field["type"], field.get("format", "")
        try:
            if kind in ("decimal", "number", "integer"):
                return self._number(text, kind)
            if kind == "boolean":
                return self._boolean(text)
            if kind in ("date", "date-time") and pattern:
                return self._moment(text, kind, pattern)
            return orjson.loads(text) if kind in ("object", "array") else text
        except ValueError:
            raise RecordError(
                f"{text[:60]!r} is not a value of the type {kind}.", field=name, fix="Correct the file, or the format."
            ) from None

    def _number(self, text: str, kind: str) -> Any:
        grouping = "." if self._decimal == "," else ","
        plain = text.replace(grouping, "").replace("\u00a0", "").replace(" ", "").replace(self._decimal, ".")
        if not _NUMBER.fullmatch(plain):
            raise ValueError(text)
        if kind == "integer":
            return int(plain)
        return plain.lstrip("+") if kind == "decimal" else exact_float(plain)

    def _boolean(self, text: str) -> bool:
        if self._true:
            return text in self._true
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError(text)

    def _moment(self, text: str, kind: str, pattern: str) -> str:
        moment = datetime.strptime(text, pattern)
        if kind == "date":
            return moment.date().isoformat()
        instant = CursorFormat(pattern, self.zone).instant(text)
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

    # --- writing ---------------------------------------------------------------------------------------------------

    def write(self, records: Sequence[Record], columns: Sequence[str]) -> str:
        """The text of a file with these columns."""
        line_end = "\r\n" if self.section.get("line_end") == "crlf" else "\n"
        head = [columns] if self.section.get("header", True) else []
        rows = ([self.cell(name, record.get(name)) for name in columns] for record in records)
        return "".join([self._line(row) + line_end for row in (*head, *rows)])

    def _line(self, row: Sequence[str]) -> str:
        """One line; the writer quotes only those line ends that it writes itself, so it is told both."""
        text = io.StringIO(newline="")
        csv.writer(text, **{**self.dialect, "strict": False}, lineterminator="\r\n").writerow(row)
        return text.getvalue().removesuffix("\r\n")

    def cell(self, name: str, value: Any) -> str:
        """A value as it is written; raises RecordError for what the file cannot hold."""
        text = self._cell_text(name, value)
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError as error:
            sign = text[error.start]
            raise RecordError(f"{sign!r} cannot be written in {self.encoding}.", field=name, code="TEXT") from None
        if "\x00" in text or (not self.section.get("quote", '"') and self._needs_quote(text)):
            raise RecordError("The text cannot be written without quotes.", field=name, code="TEXT")
        return text

    def _needs_quote(self, text: str) -> bool:
        return any(sign in text for sign in (self.section.get("delimiter", ","), "\n", "\r"))

    def _cell_text(self, name: str, value: Any) -> str:
        field = self.fields.get(name, {"type": "string"})
        if value is None:
            return ""
        if isinstance(value, bool):
            return (self._true[0] if self._true else "true") if value else self._false_text()
        if isinstance(value, dict | list):
            return orjson.dumps(value).decode()
        text = str(exact_text(value))
        if field["type"] in ("decimal", "number") and self._decimal == ",":
            return text.replace(".", ",")
        if field["type"] in ("date", "date-time") and field.get("format"):
            return _reformat(text, field["format"], self.zone)
        return text

    def _false_text(self) -> str:
        return _OPPOSITES.get(self._true[0], "") if self._true else "false"


def _reformat(text: str, pattern: str, zone: ZoneInfo) -> str:
    moment = CursorFormat("iso", zone).instant(text) if "T" in text else datetime.fromisoformat(text)
    return (moment.astimezone(zone) if moment.tzinfo else moment).strftime(pattern)
