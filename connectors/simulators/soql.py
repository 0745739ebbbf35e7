"""A subset of SOQL: SELECT fields FROM object [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n].

Conditions: = != <> < <= > >=, LIKE, IN, NOT IN, AND, OR, NOT and brackets. Literals: 'text', numbers, true, false,
null, dates (2026-01-31) and instants (2026-01-31T00:00:00Z, unquoted).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from connectors.simulators.conditions import ConditionParser, Row, Test, aligned, ordered
from connectors.simulators.messages import parse_instant

FieldsOf = Callable[[str], set[str] | None]
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class SoqlError(Exception):
    """`kind` tells a query that cannot be read from one that names an unknown object (type) or field."""

    def __init__(self, message: str, kind: Literal["query", "type", "field"] = "query") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Query:
    """`fields` is empty for COUNT(). `order` holds (field, descending)."""

    fields: tuple[str, ...]
    object: str
    where: Test
    order: tuple[tuple[str, bool], ...]
    limit: int | None
    offset: int

    def run(self, rows: list[Row]) -> list[Row]:
        found = [row for row in rows if self.where(row)]
        for name, descending in reversed(self.order):
            # Empty values first, as the real system sorts them.
            found.sort(key=lambda row: (row.get(name) is not None, row.get(name)), reverse=descending)
        end = None if self.limit is None else self.offset + self.limit
        return found[self.offset : end]


def parse(text: str, fields_of: FieldsOf) -> Query:
    """`fields_of(object)` gives the field names of an object, None when there is no such object."""
    return _Parser(text, fields_of).query()


class _Parser(ConditionParser):
    pattern = re.compile(
        r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')"
        r"|(?P<instant>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))"
        r"|(?P<date>\d{4}-\d\d-\d\d)"
        r"|(?P<number>-?\d+(?:\.\d+)?)"
        r"|(?P<word>[A-Za-z_][\w.]*)"
        r"|(?P<sign><=|>=|!=|<>|[=<>(),]))"
    )
    and_word, or_word, not_word = "AND", "OR", "NOT"

    def __init__(self, text: str, fields_of: FieldsOf) -> None:
        super().__init__(text)
        self._fields_of = fields_of
        self._fields: set[str] = set()

    def failure(self, message: str) -> Exception:
        return SoqlError(message)

    def folded(self, text: str) -> str:
        return text.upper()

    def query(self) -> Query:
        self.expect("SELECT")
        names = self._names()
        self.expect("FROM")
        name = self._word()
        self._fields = self._known(name)
        for field in names:
            self._check(field)
        where: Test = self.conditions() if self.take("WHERE") else lambda row: True
        order = self.order(lambda: self._check(self._word())) if self.take("ORDER") else ()
        limit = self._whole() if self.take("LIMIT") else None
        offset = self._whole() if self.take("OFFSET") else 0
        self.end()
        return Query(names, name, where, order, limit, offset)

    def _known(self, name: str) -> set[str]:
        fields = self._fields_of(name)
        if fields is None:
            raise SoqlError(f"sObject type '{name}' is not supported.", "type")
        return fields

    def _check(self, name: str) -> str:
        if name not in self._fields:
            raise SoqlError(f"No such column '{name}' on entity.", "field")
        return name

    def _names(self) -> tuple[str, ...]:
        if self.take("COUNT"):
            self.expect("(")
            self.expect(")")
            return ()
        names = [self._word()]
        while self.take(","):
            names.append(self._word())
        return tuple(names)

    def comparison(self) -> Test:
        name = self._check(self._word())
        negated = self.take("NOT")
        if self.take("IN"):
            values = self.listed(self._literal)
            return lambda row: any(_equal(row.get(name), value) for value in values) is not negated
        if self.take("LIKE"):
            parts = re.escape(str(self._literal())).replace("%", ".*").replace("_", ".")
            pattern = re.compile(parts, re.IGNORECASE | re.DOTALL)
            return lambda row: row.get(name) is not None and bool(pattern.fullmatch(str(row[name])))
        sign, value = self._sign(), self._literal()
        return lambda row: _compare(row.get(name), sign, value)

    def _literal(self) -> Any:
        kind, text = self.next()
        match kind:
            case "text":
                return re.sub(r"\\(.)", r"\1", text[1:-1])
            case "instant":
                return parse_instant(text)
            case "number":
                return Decimal(text)
            case "date":
                return text
            case "word" if text.lower() in ("true", "false", "null"):
                return {"true": True, "false": False, "null": None}[text.lower()]
        raise SoqlError(f"unexpected token: '{text}'")

    def _sign(self) -> str:
        kind, text = self.next()
        if kind != "sign" or text in "(),":
            raise SoqlError(f"unexpected token: '{text}'")
        return text

    def _word(self) -> str:
        kind, text = self.next()
        if kind != "word":
            raise SoqlError(f"unexpected token: '{text}'")
        return text

    def _whole(self) -> int:
        kind, text = self.next()
        if kind != "number" or not text.isdecimal():
            raise SoqlError(f"unexpected token: '{text}'")
        return int(text)


def _equal(value: Any, literal: Any) -> bool:
    """Text is compared without regard to case."""
    if isinstance(value, str) and isinstance(literal, str):
        return value.lower() == literal.lower()
    return bool(aligned(value, literal) == literal)


def _compare(value: Any, sign: str, literal: Any) -> bool:
    if sign not in _COMPARE:
        return _equal(value, literal) is (sign == "=")
    try:
        pair = ordered(value, literal)
    except TypeError:
        raise SoqlError("the literal does not fit the type of the field") from None
    return pair is not None and bool(_COMPARE[sign](*pair))
