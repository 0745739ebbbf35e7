"""Workbooks read cell by cell: numbers exactly as a spreadsheet shows them, dates by their format, formulas by their value.

Whatever comes from outside is bounded first: the sizes that the archive declares, then the bytes that really come out of
it. A document type, which bombs of entities need, is refused.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO
from xml.parsers import expat

from hub.common.errors import ConfigError

MOST_BYTES = 400 * 1024 * 1024
MOST_TEXT_BYTES = 100 * 1024 * 1024
MOST_RATIO = 200
MOST_COLUMNS = 1_000
MOST_PARTS = 2_000
_PIECE = 256 * 1024
# Archives below this may be as dense as they like.
_SMALL = 1024 * 1024
# ECMA-376 part 1, 18.8.30: the formats of dates, of times of day and of spans that need no definition.
_DATE_IDS = frozenset({*range(14, 18), 22, *range(27, 37), *range(50, 59)})
_TIME_IDS = frozenset({18, 19, 20, 21, 45, 46, 47})
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_UNSAVED = "The formula has no stored value: open and save the file in a spreadsheet"
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class CellProblem:
    """A cell without a usable value, in words."""

    sentence: str


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """A sheet as the workbook lists it."""

    name: str
    is_hidden: bool
    part: str


@dataclass(slots=True)
class Row:
    """One row: its number on screen, its cells from column A on, and whether the sheet hides it."""

    number: int
    values: list[Any] = field(default_factory=list)
    is_hidden: bool = False


class WorkbookReader:
    """An open workbook. Cells are None, str, bool, Decimal, date, datetime (no zone), timedelta or CellProblem."""

    def __init__(self, file: BinaryIO, *, name: str) -> None:
        """Raises ConfigError for what is no workbook or would unpack to more than is allowed."""
        self.name = name
        self._archive = _open(file, name)
        self._budget = MOST_BYTES
        self._is_1904 = False
        self.sheets: list[SheetInfo] = []
        self._read_book()
        self._styles = self._read_styles()
        self._strings = self._read_strings()

    def sheet(self, wanted: str = "") -> SheetInfo:
        """The sheet of that name, or the first that is not hidden; raises ConfigError."""
        for each in self.sheets:
            if each.name == wanted or (not wanted and not each.is_hidden):
                return each
        names = ", ".join(each.name for each in self.sheets) or "none"
        raise ConfigError(
            f"The workbook {self.name} has no sheet {wanted!r}; it has: {names}."
            if wanted
            else f"The workbook {self.name} has no sheet that is not hidden.",
            where=self.name,
            fix="Name the sheet as it is called in the workbook.",
            code="SHEET",
        )

    def merged(self, sheet: SheetInfo) -> list[tuple[str, int, int]]:
        """The merged ranges of a sheet: as written (`B3:C5`), first and last row."""
        found: list[tuple[str, int, int]] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "mergeCell" and len(rows := _REFERENCE.findall(attributes.get("ref", ""))) == 2:
                found.append((attributes["ref"], int(rows[0][1]), int(rows[1][1])))

        self._parse(sheet.part, start, lambda tag: None, None)
        return found

    def rows(self, sheet: SheetInfo) -> Iterator[Row]:
        """The rows that hold something, as the sheet is read."""
        parser = _SheetParser(self)
        for _ in self._feed(sheet.part, parser.start, parser.end, parser.text):
            yield from parser.take()
        yield from parser.take()

    # --- parts -----------------------------------------------------------------------------------------------------

    def _read_book(self) -> None:
        targets: dict[str, str] = {}
        listed: list[tuple[str, bool, str]] = []

        def relation(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship":
                targets[attributes.get("Id", "")] = attributes.get("Target", "")

        def book(tag: str, attributes: dict[str, str]) -> None:
            if tag == "workbookPr":
                self._is_1904 = attributes.get("date1904", "0") in ("1", "true")
            if tag == "sheet":
                hidden = attributes.get("state", "visible") != "visible"
                listed.append((attributes.get("name", ""), hidden, attributes.get("id", "")))

        self._parse("xl/workbook.xml", book, None, None)
        self._parse("xl/_rels/workbook.xml.rels", relation, None, None)
        for name, hidden, relation_id in listed:
            target = targets.get(relation_id, "")
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            if "worksheets/" in part:
                self.sheets.append(SheetInfo(name, hidden, part))

    def _read_styles(self) -> list[str]:
        """What each cell format shows: `number`, `date`, `time` (of day, or a span)."""
        codes: dict[int, str] = {}
        kinds: list[str] = []
        inside: list[str] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "numFmt":
                codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
            elif tag == "cellXfs":
                inside.append(tag)
            elif tag == "xf" and inside:
                number = int(attributes.get("numFmtId", "0"))
                kinds.append(_kind_of(number, codes.get(number, "")))

        def end(tag: str) -> None:
            if tag == "cellXfs":
                inside.clear()

        if "xl/styles.xml" in self._archive.namelist():
            self._parse("xl/styles.xml", start, end, None)
        return kinds

    def _read_strings(self) -> list[str]:
        """The texts that cells share. Readings in small type above (phonetic runs) are no part of a text."""
        found: list[str] = []
        state: dict[str, Any] = {"text": [], "on": False, "skip": False, "size": 0}

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "si":
                state["text"] = []
            state["skip"] = state["skip"] or tag == "rPh"
            state["on"] = tag == "t" and not state["skip"]

        def text(piece: str) -> None:
            if state["on"]:
                state["size"] += len(piece)
                if state["size"] > MOST_TEXT_BYTES:
                    raise _too_much(self.name)
                state["text"].append(piece)

        def end(tag: str) -> None:
            state["on"] = False
            if tag == "rPh":
                state["skip"] = False
            if tag == "si":
                found.append(_unescape("".join(state["text"])))

        if "xl/sharedStrings.xml" in self._archive.namelist():
            self._parse("xl/sharedStrings.xml", start, end, text)
        return found

    def _parse(self, part: str, start: Any, end: Any, text: Any) -> None:
        for _ in self._feed(part, start, end, text):
            pass

    def _feed(
        self,
        part: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None,
        text: Callable[[str], None] | None,
    ) -> Iterator[None]:
        """Parse a part piece by piece; yields after each piece. Names come without their namespace."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = lambda tag, attributes: start(
            tag.rpartition(":")[2], {name.rpartition(":")[2]: value for name, value in attributes.items()}
        )
        if end is not None:
            parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
        if text is not None:
            parser.CharacterDataHandler = text
        try:
            with self._archive.open(part) as source:
                while piece := source.read(_PIECE):
                    self._budget -= len(piece)
                    if self._budget < 0:
                        raise _too_much(self.name)
                    parser.Parse(piece, False)
                    yield
                parser.Parse(b"", True)
        except KeyError as error:
            raise _no_workbook(self.name, f"the part {part} is missing") from error
        except (expat.ExpatError, zipfile.BadZipFile, ValueError, EOFError, OSError, RuntimeError) as error:
            raise _no_workbook(self.name, f"{part}: {error}") from error

    def _refuse_doctype(self, *_: Any) -> None:
        raise _no_workbook(self.name, "it declares a document type, which no spreadsheet writes")

    # --- cells -----------------------------------------------------------------------------------------------------

    def value(self, kind: str, style: int, text: str, *, is_formula: bool) -> Any:
        """A cell from the type and text that stand in it."""
        if not text and kind not in ("str", "inlineStr", "s"):
            return (
                CellProblem("The formula has no stored value: open and save the file in a spreadsheet")
                if is_formula
                else None
            )
        if kind == "s":
            return self._shared(text)
        if kind in ("inlineStr", "str"):
            return _unescape(text) or None
        if kind == "b":
            return text.strip() == "1"
        if kind == "e":
            return CellProblem(f"The cell shows the error {text}")
        if kind == "d":
            return _iso(text)
        return self._number(style, text)

    def _shared(self, text: str) -> Any:
        position = int(text) if text.isascii() and text.isdigit() else -1
        if not 0 <= position < len(self._strings):
            return CellProblem("The cell names a text that the file does not hold")
        return self._strings[position] or None

    def _number(self, style: int, text: str) -> Any:
        try:
            number = Decimal(text.strip())
            if not number.is_finite() or abs(number.adjusted()) > 400:
                raise InvalidOperation
        except InvalidOperation:
            return CellProblem(f"{text[:40]!r} is no number")
        kind = self._styles[style] if style < len(self._styles) else "number"
        if kind == "number":
            return _as_shown(number)
        try:
            return moment(number, is_1904=self._is_1904, is_time=kind == "time")
        except (OverflowError, ValueError):
            return CellProblem(f"{text} is no day of the calendar")


class _SheetParser:
    """Collects the rows of one sheet as the parser meets them."""

    def __init__(self, book: WorkbookReader) -> None:
        self.book = book
        self.ready: list[Row] = []
        self.row: Row | None = None
        self.number = 0
        self.column = 0
        self.kind, self.style, self.is_formula = "n", 0, False
        self.pieces: list[str] = []
        self.is_reading = False
        self.is_phonetic = False

    def take(self) -> list[Row]:
        ready, self.ready = self.ready, []
        return ready

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self.number = int(attributes.get("r", self.number + 1))
            self.row = Row(self.number, is_hidden=attributes.get("hidden", "0") in ("1", "true"))
            self.column = 0
        elif tag == "c":
            self._start_cell(attributes)
        elif tag == "f":
            self.is_formula = True
        elif tag == "rPh":
            self.is_phonetic = True
        self.is_reading = tag in ("v", "t") and not self.is_phonetic

    def _start_cell(self, attributes: dict[str, str]) -> None:
        place = _REFERENCE.fullmatch(attributes.get("r", ""))
        if place:
            self.column = column_number(place[1])
        if self.column >= MOST_COLUMNS:
            raise ConfigError(
                f"Row {self.number} of {self.book.name} has more than {MOST_COLUMNS} columns.",
                where=self.book.name,
                fix="Delete what stands far to the right of the table.",
                code="SIZE",
            )
        self.kind, self.style = attributes.get("t", "n"), int(attributes.get("s", "0"))
        self.is_formula, self.pieces = False, []

    def text(self, piece: str) -> None:
        if self.is_reading:
            self.pieces.append(piece)

    def end(self, tag: str) -> None:
        self.is_reading = False
        if tag == "rPh":
            self.is_phonetic = False
        elif tag == "c" and self.row is not None:
            value = self.book.value(self.kind, self.style, "".join(self.pieces), is_formula=self.is_formula)
            if value is not None:
                self.row.values += [None] * (self.column + 1 - len(self.row.values))
                self.row.values[self.column] = value
            self.column += 1
        elif tag == "row" and self.row is not None:
            if self.row.values:
                self.ready.append(self.row)
            self.row = None


def column_number(letters: str) -> int:
    """0 for A, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def column_letters(number: int) -> str:
    """A for 0, AA for 26."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def moment(serial: Decimal, *, is_1904: bool, is_time: bool = False) -> date | datetime | timedelta:
    """The day, instant or span that a spreadsheet's number stands for, to the second.

    The calendar from 1900 counts a 29 February 1900 that never was, so days before it are one less.
    """
    span = timedelta(seconds=round(float(serial) * 86_400))
    if is_time:
        return span
    if serial < 0:
        raise ValueError(serial)
    if is_1904:
        base = datetime(1904, 1, 1)
    else:
        if serial == 60:
            raise ValueError(serial)
        base = datetime(1899, 12, 31) if serial < 60 else datetime(1899, 12, 30)
    found = base + span
    return found.date() if serial == serial.to_integral_value() else found


def _as_shown(number: Decimal) -> Decimal:
    """A number with the fifteen digits that a spreadsheet keeps: 0.1 + 0.2 is stored as 0.30000000000000004."""
    if len(number.as_tuple().digits) <= 15:
        return number
    rounded = Decimal(f"{number:.14e}")
    return rounded.normalize() if rounded else Decimal(0)


def _kind_of(number: int, code: str) -> str:
    if number in _DATE_IDS:
        return "date"
    if number in _TIME_IDS:
        return "time"
    plain = _QUOTED.sub("", code.split(";", 1)[0]).lower()
    if "general" in plain or not code:
        return "number"
    if "y" in plain or "d" in plain:
        return "date"
    return "time" if "h" in plain or "s" in plain else "date" if "mmm" in plain else "number"


def _iso(text: str) -> Any:
    try:
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    except ValueError:
        return CellProblem(f"{text[:40]!r} is no date")


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _open(file: BinaryIO, name: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _no_workbook(name, "it is not in the XLSX format, or it is protected by a password") from error
    parts = archive.infolist()
    unpacked, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    dense = unpacked > _SMALL and unpacked > packed * MOST_RATIO
    if len(parts) > MOST_PARTS or unpacked > MOST_BYTES or dense:
        raise _too_much(name)
    if any(part.flag_bits & 1 for part in parts):
        raise _no_workbook(name, "it is protected by a password")
    return archive


def _no_workbook(name: str, reason: str) -> ConfigError:
    return ConfigError(
        f"The file {name} cannot be read as a workbook: {reason}.",
        where=name,
        fix="Save it as an Excel workbook (.xlsx), without a password.",
        code="WORKBOOK",
    )


def _too_much(name: str) -> ConfigError:
    return ConfigError(
        f"The workbook {name} unpacks to more than is read: {MOST_BYTES // 1024**2} MB, {MOST_RATIO} times its size.",
        where=name,
        fix="Split it, or remove what is not part of the table.",
        code="SIZE",
    )
