"""CSV as declared: text to typed values and back, a bad line set aside and the rest kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from connectors.files.values import BadPlace, TextValues, check_encodable
from hub.common.errors import ConfigError, RecordError
from hub.common.records import BadRecord, Record

# The longest value; the csv module's own limit is far below what a record may hold.
MAX_VALUE = 10_000_000
csv.field_size_limit(MAX_VALUE)


class CsvFormat:
    """The `csv` section and the `fields` of a stream. `zone` is that of times without offset."""

    ending = ".csv"
    is_judged_whole = False

    def __init__(self, section: Mapping[str, Any], fields: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.section, self.values = section, TextValues(section, fields, zone)
        self.encoding: str = section.get("encoding", "utf-8-sig")
        self.columns: Sequence[str] = section.get("columns", ())

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
            return self.values.typed(dict(zip(names, line, strict=True)), self.encoding)
        except RecordError as error:
            return place.bad(error, raw)

    # --- writing ---------------------------------------------------------------------------------------------------

    def content(self, records: Sequence[Record], columns: Sequence[str]) -> bytes:
        line_end = "\r\n" if self.section.get("line_end") == "crlf" else "\n"
        head = [columns] if self.section.get("header", True) else []
        rows = ([self.cell(name, record.get(name)) for name in columns] for record in records)
        text = "".join([self._line(row) + line_end for row in (*head, *rows)])
        return text.encode("utf-8" if self.encoding == "utf-8-sig" else self.encoding)

    def _line(self, row: Sequence[str]) -> str:
        """One line; the writer quotes only those line ends that it writes itself, so it is told both."""
        text = io.StringIO(newline="")
        csv.writer(text, **{**self.dialect, "strict": False}, lineterminator="\r\n").writerow(row)
        return text.getvalue().removesuffix("\r\n")

    def check(self, name: str, value: Any) -> None:
        self.cell(name, value)

    def cell(self, name: str, value: Any) -> str:
        """A value as it is written; raises RecordError for what the file cannot hold."""
        text = self.values.text(name, value)
        check_encodable(name, text, self.encoding)
        if "\x00" in text or (not self.section.get("quote", '"') and self._needs_quote(text)):
            raise RecordError("The text cannot be written without quotes.", field=name, code="TEXT")
        return text

    def _needs_quote(self, text: str) -> bool:
        return any(sign in text for sign in (self.section.get("delimiter", ","), "\n", "\r"))
