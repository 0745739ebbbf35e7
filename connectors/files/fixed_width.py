"""Fixed width as declared: columns by place, numbers with implied decimals, signs of every kind, a trailer that counts.

A value that does not fit its column is never cut: its record fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from connectors.exact_json import exact_float, plain_decimal
from connectors.files.values import BadPlace, TextValues, check_encodable, refuse_odd_text
from hub.common.errors import ConfigError, RecordError
from hub.common.records import BadRecord, Record

MOST_LINE = 100_000
_NUMBERS = frozenset({"decimal", "number", "integer"})
# The last digit of a signed number as COBOL zones it: { and A to I are +0 to +9, } and J to R are -0 to -9.
_PLUS, _MINUS = "{ABCDEFGHI", "}JKLMNOPQR"
_ENDS = {"lf": "\n", "crlf": "\r\n", "none": ""}


@dataclass(frozen=True, slots=True)
class Column:
    """A place in the line: `start` counts from 0, `decimals` are the digits after the point that is not written."""

    name: str
    start: int
    width: int
    align: str
    pad: str
    decimals: int
    sign: str

    @property
    def end(self) -> int:
        return self.start + self.width


class FixedWidthFormat:
    """The `fixed_width` section and the `fields` of a stream. `zone` is that of times without offset."""

    ending = ".txt"

    def __init__(self, section: Mapping[str, Any], fields: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.section, self.values = section, TextValues(section, fields, zone)
        self.encoding: str = section.get("encoding", "utf-8")
        self.places = list(_columns(section["columns"], self.values))
        self.columns: Sequence[str] = [column.name for column in self.places]
        self.width: int = section.get("line_length") or max(column.end for column in self.places)
        self.end = _ENDS[section.get("line_end", "lf")]
        self.types: Mapping[str, Any] = section.get("record_types", {})
        self.trailer: Mapping[str, Any] = section.get("trailer", {})
        # the trailer stands at the end, and nothing of a file that it contradicts is read
        self.is_judged_whole = bool(self.trailer)
        self._by_name = {column.name: column for column in self.places}

    # --- reading ---------------------------------------------------------------------------------------------------

    def rows(self, file: BinaryIO, *, name: str) -> Iterator[Record | BadRecord]:
        position, total, trailer = 0, Decimal(0), ""
        for number, line in enumerate(self._lines(file, name), start=1):
            if trailer and line.strip("\x1a \x00"):
                raise _trailer_problem(name, f"line {number} stands after it")
            kind = self._kind(line)
            if kind == "trailer":
                trailer = line
            elif kind == "detail":
                found = self._record(line, BadPlace(position, f"{name}:{number}"))
                total += self._summed(line)
                position += 1
                yield found
            elif kind:
                yield BadPlace(position, f"{name}:{number}").bad(
                    RecordError(f"The line is of the type {kind!r}, which is not declared.", code="RECORD_TYPE"),
                    line[:2000],
                )
                position += 1
        if self.trailer:
            self._verify(trailer, position, total, name)

    def _lines(self, file: BinaryIO, name: str) -> Iterator[str]:
        if not self.end:
            while block := file.read(self.width):
                text = self._decode(block)
                if len(text) < self.width and text.strip("\x1a \x00\r\n"):
                    raise ConfigError(
                        f"The file {name} does not end with a whole line of {self.width} characters.",
                        where=name,
                        fix="Have it delivered again, or correct `fixed_width.line_length`.",
                        code="LENGTH",
                    )
                if len(text) == self.width:
                    yield text
            return
        end = "\n".encode(self.encoding)
        for line in _split(file, end):
            yield self._decode(line).rstrip("\r\n\x1a")

    def _decode(self, data: bytes) -> str:
        # a wrong byte spoils its line, not the file, and the columns behind it stay in place
        return data.decode(self.encoding, "surrogateescape")

    def _kind(self, line: str) -> str:
        """`detail`, `header`, `trailer`, nothing for an empty line, else the type that stands in the line."""
        if not line.strip():
            return ""
        if not self.types:
            return "detail"
        start = self.types["start"] - 1
        told = line[start : start + self.types["width"]]
        for kind in ("detail", "header", "trailer"):
            if told == self.types.get(kind):
                return "" if kind == "header" else kind
        return told

    def _record(self, line: str, place: BadPlace) -> Record | BadRecord:
        raw = line[:2000].replace("\x00", "\\0")
        if len(line) > self.width or len(line) < self._least:
            what = f"The line has {len(line)} characters in place of {self.width}."
            return place.bad(
                RecordError(what, fix="Look for a line end in a value, or a wrong encoding.", code="LENGTH"), raw
            )
        try:
            typed: Record = {
                column.name: self._value(column, line[column.start : column.end]) for column in self.places
            }
            refuse_odd_text(typed, self.encoding)
        except RecordError as error:
            return place.bad(error, raw)
        return typed

    @property
    def _least(self) -> int:
        """The shortest line that holds something of the last column: blanks at the end are often cut off."""
        return max(column.start for column in self.places) if self.section.get("short_lines", True) else self.width

    def _value(self, column: Column, text: str) -> Any:
        if self.values.kind(column.name) in _NUMBERS:
            return self._number(column, text)
        plain = text.lstrip(column.pad) if column.align == "right" else text.rstrip(column.pad)
        plain = plain.strip() if self.values.trim else plain
        return self.values.value(column.name, plain) if plain else None

    def _number(self, column: Column, text: str) -> Any:
        if not text.strip():
            return None
        kind = self.values.kind(column.name)
        try:
            number = Decimal(_plain_digits(column, text.strip(), self.values.decimal))
        except (InvalidOperation, ValueError):
            raise RecordError(
                f"{text.strip()[:60]!r} is not a number as the column declares it.",
                field=column.name,
                fix="Correct the file, or `decimals` and `sign` of the column.",
            ) from None
        number = number.scaleb(-column.decimals) if column.decimals else number
        if kind == "integer":
            return int(number)
        return plain_decimal(number) if kind == "decimal" else exact_float(plain_decimal(number))

    def _summed(self, line: str) -> Decimal:
        name = self.trailer.get("total_field", "")
        if not name:
            return Decimal(0)
        try:
            column = self._by_name[name]
            return Decimal(str(self._value(column, line[column.start : column.end]) or 0))
        except RecordError:
            return Decimal(0)

    def _verify(self, trailer: str, count: int, total: Decimal, name: str) -> None:
        if not trailer:
            raise _trailer_problem(name, "it is missing, so the file may be cut off")
        for what, real in (("count", Decimal(count)), ("total", total)):
            place = self.trailer.get(what)
            if place is None:
                continue
            column = _column({"sign": "leading", **place, "name": what}, 0, is_number=True)
            text = trailer[column.start : column.end]
            try:
                told = Decimal(_plain_digits(column, text.strip(), ".")).scaleb(-column.decimals)
            except (InvalidOperation, ValueError):
                raise _trailer_problem(name, f"its {what} is {text!r}") from None
            if told != real:
                raise _trailer_problem(
                    name, f"it says {what} {plain_decimal(told)}, but the lines have {plain_decimal(real)}"
                )

    # --- writing ---------------------------------------------------------------------------------------------------

    def content(self, records: Sequence[Record], columns: Sequence[str]) -> bytes:
        lines = [self._line(record) for record in records]
        if "header" in self.types:
            lines.insert(0, self._typed_line("header", {}))
        if self.trailer:
            summed = self.trailer.get("total_field", "")
            total = sum((Decimal(str(record.get(summed) or 0)) for record in records), Decimal(0))
            lines.append(self._typed_line("trailer", {"count": Decimal(len(records)), "total": total}))
        return "".join(line + self.end for line in lines).encode(self.encoding)

    def _line(self, record: Record) -> str:
        signs = [" "] * self.width
        if self.types:
            _put(signs, self.types["start"] - 1, self.types["detail"])
        for column in self.places:
            _put(signs, column.start, self._cell(column, record.get(column.name)))
        return "".join(signs)

    def _typed_line(self, kind: str, sums: Mapping[str, Decimal]) -> str:
        signs = [" "] * self.width
        if self.types:
            _put(signs, self.types["start"] - 1, self.types.get(kind, ""))
        for what, number in sums.items():
            if what in self.trailer:
                column = _column({"sign": "leading", **self.trailer[what], "name": what}, 0, is_number=True)
                _put(signs, column.start, _digits(column, number, "."))
        return "".join(signs)

    def check(self, name: str, value: Any) -> None:
        column = self._by_name.get(name)
        if column is not None:
            check_encodable(name, self._cell(column, value), self.encoding)

    def _cell(self, column: Column, value: Any) -> str:
        if value is None or value == "":
            return " " * column.width
        if self.values.kind(column.name) in _NUMBERS:
            return self._number_cell(column, value)
        text = self.values.text(column.name, value)
        if any(sign in text for sign in "\r\n\x00"):
            raise RecordError("The text holds a line end, which a line cannot.", field=column.name, code="TEXT")
        if len(text) > column.width:
            raise _too_wide(column, text)
        return text.rjust(column.width, column.pad) if column.align == "right" else text.ljust(column.width, column.pad)

    def _number_cell(self, column: Column, value: Any) -> str:
        try:
            return _digits(column, Decimal(str(value)), self.values.decimal)
        except InvalidOperation:
            raise RecordError(f"{str(value)[:60]!r} is no number.", field=column.name, code="NUMBER") from None


def _split(file: BinaryIO, end: bytes) -> Iterator[bytes]:
    """The lines of a file by the line end of its encoding (EBCDIC has another than ASCII)."""
    rest = b""
    while piece := file.read(256 * 1024):
        *lines, rest = (rest + piece).split(end)
        yield from lines
        if len(rest) > MOST_LINE:
            raise ConfigError(
                f"A line is longer than {MOST_LINE} characters.",
                fix="Correct `fixed_width.line_end`: a file without line ends is declared as `none`.",
                code="LENGTH",
            )
    if rest:
        yield rest


def _columns(declared: Sequence[Mapping[str, Any]], values: TextValues) -> Iterator[Column]:
    start = 0
    for each in declared:
        column = _column(each, start, is_number=values.kind(each["name"]) in _NUMBERS)
        start = column.end
        yield column


def _column(declared: Mapping[str, Any], start: int, *, is_number: bool) -> Column:
    return Column(
        name=declared["name"],
        start=declared["start"] - 1 if "start" in declared else start,
        width=declared["width"],
        align=declared.get("align", "right" if is_number else "left"),
        pad=declared.get("pad", "0" if is_number else " "),
        decimals=declared.get("decimals", 0),
        sign=declared.get("sign", "leading"),
    )


def _plain_digits(column: Column, text: str, point: str) -> str:
    """The number of a column as Python reads it; raises ValueError."""
    sign, digits = "", text
    if column.sign == "overpunch" and text[-1] in _PLUS + _MINUS:
        minus = text[-1] in _MINUS
        sign, digits = "-" if minus else "", text[:-1] + str((_MINUS if minus else _PLUS).index(text[-1]))
    elif column.sign == "trailing" and text[-1] in "+-":
        sign, digits = text[-1], text[:-1]
    elif column.sign == "leading" and text[0] in "+-":
        sign, digits = text[0], text[1:]
    digits = digits.strip(" " if column.pad == "0" else column.pad + " ") or "0"
    digits = digits if column.decimals else digits.replace(point, ".")
    if not digits.isascii() or not digits.replace(".", "", 0 if column.decimals else 1).isdigit():
        raise ValueError(text)
    return sign + digits


def _digits(column: Column, number: Decimal, point: str) -> str:
    """A number as its column holds it; raises RecordError where it does not fit or loses a digit."""
    scaled = number.scaleb(column.decimals) if column.decimals else number
    if column.decimals and scaled != scaled.to_integral_value():
        what = f"{plain_decimal(number)} has more than {column.decimals} decimals."
        raise RecordError(what, field=column.name, fix="Round it in the mapping.", code="NUMBER")
    text = plain_decimal(abs(scaled.to_integral_value() if column.decimals else scaled)).replace(".", point)
    is_minus = number < 0
    if is_minus and column.sign == "none":
        raise RecordError(
            f"{plain_decimal(number)} is negative, and the column has no sign.", field=column.name, code="NUMBER"
        )
    if column.sign == "overpunch":
        text = text[:-1] + (_MINUS if is_minus else _PLUS)[int(text[-1])]
        return _filled(column, text)
    if column.sign == "trailing":
        return _filled(column, text, width=column.width - 1) + ("-" if is_minus else "+" if column.pad == "0" else " ")
    if not is_minus:
        return _filled(column, text)
    if column.pad == "0" and column.align == "right":
        return "-" + _filled(column, text, width=column.width - 1)
    return _filled(column, f"-{text}")


def _filled(column: Column, text: str, *, width: int | None = None) -> str:
    width = column.width if width is None else width
    if len(text) > width:
        raise _too_wide(column, text)
    return text.rjust(width, column.pad) if column.align == "right" else text.ljust(width, column.pad)


def _put(signs: list[str], start: int, text: str) -> None:
    signs[start : start + len(text)] = text


def _too_wide(column: Column, text: str) -> RecordError:
    return RecordError(
        f"{text[:60]!r} has {len(text)} characters, and the column has {column.width}.",
        field=column.name,
        fix="Shorten it in the mapping: a value is never cut.",
        code="WIDTH",
    )


def _trailer_problem(name: str, what: str) -> ConfigError:
    return ConfigError(
        f"The trailer of {name} does not agree: {what}. Nothing of it was read.",
        where=name,
        fix="Have the file delivered again, whole.",
        code="TRAILER",
    )
