"""The part of OData that Business Central users need: $filter with and, or, not, brackets, eq ne gt ge lt le,
contains, startswith and endswith; $orderby.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from connectors.simulators.conditions import ConditionParser, Test, aligned, ordered
from connectors.simulators.messages import parse_instant

_COMPARE = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda value, part: part.lower() in value.lower(),
    "startswith": lambda value, part: value.lower().startswith(part.lower()),
    "endswith": lambda value, part: value.lower().endswith(part.lower()),
}


class ODataError(Exception):
    """The sentence that the real service would say."""


def parse_filter(text: str, fields: set[str]) -> Test:
    return _Parser(text, fields).whole()


def single_equality(text: str) -> tuple[str, str]:
    """("number", "C-1001") for the filter `number eq 'C-1001'`, two empty texts for any other."""
    match = re.fullmatch(r"\s*(\w+) eq '((?:[^']|'')*)'\s*", text)
    return (match[1], match[2].replace("''", "'")) if match else ("", "")


def parse_order(text: str, fields: set[str]) -> list[tuple[str, bool]]:
    """(field, descending) for each part of `$orderby`."""
    order = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in fields or direction.strip() not in ("", "asc", "desc"):
            raise ODataError(f"Could not find a property named '{name}'.")
        order.append((name, direction.strip() == "desc"))
    return order


class _Parser(ConditionParser):
    pattern = re.compile(
        r"\s*(?:(?P<text>'(?:[^']|'')*')"
        r"|(?P<instant>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))"
        r"|(?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
        r"|(?P<date>\d{4}-\d\d-\d\d)"
        r"|(?P<number>-?\d+(?:\.\d+)?)"
        r"|(?P<member>[A-Za-z_][\w.]*'(?:[^']|'')*')"
        r"|(?P<word>[A-Za-z_@][\w.]*)"
        r"|(?P<sign>[(),]))"
    )

    def __init__(self, text: str, fields: set[str]) -> None:
        super().__init__(text)
        self._fields = fields

    def failure(self, message: str) -> Exception:
        return ODataError(f"Syntax error in the filter: {message}.")

    def whole(self) -> Test:
        test = self.conditions()
        self.end()
        return test

    def comparison(self) -> Test:
        kind, word = self.next()
        if kind == "word" and word in _FUNCTIONS:
            return self._function(word)
        name, sign, value = self._property(kind, word), self.next()[1], self._literal()
        if sign not in ("eq", "ne", *_COMPARE):
            raise self.failure(f"'{sign}' is no operator")
        return lambda row: _compare(row.get(name), sign, value)

    def _function(self, word: str) -> Test:
        self.expect("(")
        name = self._property(*self.next())
        self.expect(",")
        part = str(self._literal())
        self.expect(")")
        return lambda row: _FUNCTIONS[word](str(row.get(name) or ""), part)

    def _property(self, kind: str, word: str) -> str:
        if kind != "word" or word not in self._fields:
            raise ODataError(f"Could not find a property named '{word}'.")
        return word

    def _literal(self) -> Any:
        kind, text = self.next()
        match kind:
            case "text":
                return text[1:-1].replace("''", "'")
            case "member":
                return text.partition("'")[2][:-1].replace("''", "'")
            case "instant":
                return parse_instant(text)
            case "number":
                return Decimal(text)
            case "date":
                return text
            case "guid":
                return text.lower()
            case "word" if text in ("true", "false", "null"):
                return {"true": True, "false": False, "null": None}[text]
        raise self.failure(f"'{text}' is no literal")


def _compare(value: Any, sign: str, literal: Any) -> bool:
    if sign not in _COMPARE:
        return bool(aligned(value, literal) == literal) is (sign == "eq")
    try:
        pair = ordered(value, literal)
    except TypeError:
        raise ODataError("A binary operator with incompatible types was detected.") from None
    return pair is not None and bool(_COMPARE[sign](*pair))
