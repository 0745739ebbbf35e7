"""The part of SuiteQL that reading a table needs.

SELECT columns FROM table [WHERE …] [ORDER BY …]. A column may be `TO_CHAR(column, 'format') AS name` or
`BUILTIN.DF(column) AS name`; conditions know = != <> < <= > >=, IN, IS [NOT] NULL, AND, OR, NOT, brackets, and as values
'text', numbers and TO_TIMESTAMP('…', '…') or TO_DATE('…', '…'). Names of columns are not case-sensitive.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.simulators.conditions import ConditionParser, Row, Test, aligned, ordered
from connectors.simulators.messages import parse_instant

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
# Oracle's letters for a moment, longest first, and Python's.
_FORMATS = (("YYYY", "%Y"), ("HH24", "%H"), ("MM", "%m"), ("DD", "%d"), ("MI", "%M"), ("SS", "%S"))
Columns = Mapping[str, str]  # lower-case name -> field


class SuiteQLError(Exception):
    """The sentence that the real service would say."""


@dataclass(frozen=True, slots=True)
class Column:
    """A selected column: `shown` is its name in the answer, `form` a format of Python for a moment."""

    field: str
    shown: str
    form: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    columns: tuple[Column, ...]
    table: str
    where: Test
    order: tuple[tuple[str, bool], ...]

    def run(self, rows: list[Row]) -> list[Row]:
        found = [row for row in rows if self.where(row)]
        for name, descending in reversed(self.order):
            found.sort(key=lambda row: (row.get(name) is not None, _sortable(row.get(name))), reverse=descending)
        return found

    def shown(self, row: Row) -> Row:
        """Columns without a value are left out, all others come as text, as the real service does it."""
        values = {column.shown: _shown(row.get(column.field), column.form) for column in self.columns}
        return {"links": [], **{name: value for name, value in values.items() if value is not None}}


def parse(text: str, tables: Mapping[str, Columns]) -> Query:
    """`tables` gives the columns of each table by its lower-case name; SuiteQLError says what is wrong."""
    return _Parser(text, tables).query()


def _sortable(value: Any) -> Any:
    return (0, int(value)) if isinstance(value, str) and value.isdecimal() else (1, value)


def _shown(value: Any, form: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "T" if value else "F"
    if form:
        return _instant(str(value)).strftime(form)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _instant(text: str) -> datetime:
    return parse_instant(text) if "T" in text else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _python_format(text: str) -> str:
    for theirs, ours in _FORMATS:
        text = text.replace(theirs, ours)
    return text


class _Parser(ConditionParser):
    pattern = re.compile(
        r"\s*(?:(?P<text>'(?:[^']|'')*')"
        r"|(?P<number>-?\d+(?:\.\d+)?)"
        r"|(?P<word>[A-Za-z_][\w.]*)"
        r"|(?P<sign><=|>=|!=|<>|[=<>(),]))"
    )
    and_word, or_word, not_word = "AND", "OR", "NOT"

    def __init__(self, text: str, tables: Mapping[str, Columns]) -> None:
        super().__init__(text)
        self._tables = tables
        self._columns: Columns = {}

    def failure(self, message: str) -> Exception:
        return SuiteQLError(f"Invalid search query. Detailed unprocessed description follows. {message}.")

    def folded(self, text: str) -> str:
        return text.upper()

    def query(self) -> Query:
        self.expect("SELECT")
        selected = [self._selected()]
        while self.take(","):
            selected.append(self._selected())
        self.expect("FROM")
        table = self._word()
        if table.lower() not in self._tables:
            raise self.failure(f"Record '{table}' was not found")
        self._columns = self._tables[table.lower()]
        columns = tuple(Column(self._field(name), shown, form) for name, shown, form in selected)
        where: Test = self.conditions() if self.take("WHERE") else lambda row: True
        order = self.order(lambda: self._field(self._word())) if self.take("ORDER") else ()
        self.end()
        return Query(columns, table.lower(), where, order)

    def _selected(self) -> tuple[str, str, str]:
        word, form = self._word(), ""
        if word.upper() in ("TO_CHAR", "BUILTIN.DF"):
            self.expect("(")
            name = self._word()
            if self.take(","):
                form = _python_format(self._text())
            self.expect(")")
        else:
            name = word
        shown = self._word() if self.take("AS") else name
        return name, shown.lower(), form

    def _field(self, name: str) -> str:
        if name.lower() not in self._columns:
            raise self.failure(f"Field '{name}' was not found. Unknown identifier")
        return self._columns[name.lower()]

    def comparison(self) -> Test:
        name = self._field(self._word())
        if self.take("IS"):
            is_empty = not self.take("NOT")
            self.expect("NULL")
            return lambda row: (row.get(name) in (None, "")) is is_empty
        if self.take("IN"):
            values = self.listed(self._value)
            return lambda row: any(_equal(row.get(name), value) for value in values)
        sign, value = self.next()[1], self._value()
        if sign in ("=", "!=", "<>"):
            return lambda row: _equal(row.get(name), value) is (sign == "=")
        if sign not in _COMPARE:
            raise self.failure(f"'{sign}' is no operator")
        return lambda row: _less_or_more(row.get(name), sign, value)

    def _value(self) -> Any:
        kind, text = self.next()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return Decimal(text)
        if kind == "word" and text.upper() in ("TO_TIMESTAMP", "TO_DATE"):
            self.expect("(")
            value = self._text()
            self.expect(",")
            form = _python_format(self._text())
            self.expect(")")
            return self._moment(value, form, is_date=text.upper() == "TO_DATE")
        raise self.failure(f"'{text}' is no value")

    def _moment(self, value: str, form: str, *, is_date: bool) -> Any:
        try:
            moment = datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            raise self.failure(f"'{value}' does not match the format") from None
        return moment.date().isoformat() if is_date else moment

    def _word(self) -> str:
        kind, text = self.next()
        if kind != "word":
            raise self.failure(f"a name is expected, not '{text}'")
        return text

    def _text(self) -> str:
        kind, text = self.next()
        if kind != "text":
            raise self.failure(f"a text is expected, not '{text}'")
        return text[1:-1].replace("''", "'")


def _equal(value: Any, literal: Any) -> bool:
    if isinstance(value, bool):
        return bool(("T" if value else "F") == literal)
    if isinstance(literal, Decimal):
        return (value is not None and str(value) == str(literal)) or value == literal
    return bool(aligned(value, literal) == literal)


def _less_or_more(value: Any, sign: str, literal: Any) -> bool:
    if isinstance(literal, Decimal) and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        value = Decimal(value)
    try:
        pair = ordered(value, literal)
    except TypeError:
        raise SuiteQLError("Invalid search query. The types of the operands do not fit.") from None
    return pair is not None and bool(_COMPARE[sign](*pair))
