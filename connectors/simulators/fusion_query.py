"""The `q` of Oracle's REST framework: `A=1;B=2` up to framework version 1, `A=1 and B=2` from version 2 on."""

from __future__ import annotations

import operator
import re
from typing import Any

from connectors.simulators.conditions import ConditionParser, Row, Test, aligned, ordered
from connectors.simulators.messages import parse_instant

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)")


class QueryError(Exception):
    """The sentence that the real service would say."""


def parse(text: str, fields: set[str], *, version: int) -> Test:
    """A test of rows; QueryError for a text that this version of the framework does not take."""
    if version < 2:
        tests = [_Parser(part, fields).whole() for part in text.split(";") if part.strip()]
        return lambda row: all(test(row) for test in tests)
    if ";" in re.sub(r"'(?:[^']|'')*'", "", text):
        raise QueryError(f"URL request parameter q cannot be used with the value {text}: use `and` between conditions")
    return _Parser(text, fields).whole()


class _Parser(ConditionParser):
    pattern = re.compile(
        r"\s*(?:(?P<text>'(?:[^']|'')*'|\"[^\"]*\")"
        r"|(?P<number>-?\d+(?:\.\d+)?(?![\w-]))"
        r"|(?P<sign><=|>=|!=|<>|[=<>(),])"
        r"|(?P<word>[\w.:+-]+))"
    )

    def __init__(self, text: str, fields: set[str]) -> None:
        super().__init__(text)
        self._fields = fields

    def failure(self, message: str) -> Exception:
        return QueryError(f"The value of the q parameter cannot be read: {message}")

    def folded(self, text: str) -> str:
        return text.lower()

    def whole(self) -> Test:
        test = self.conditions()
        self.end()
        return test

    def comparison(self) -> Test:
        name = self.next()[1]
        if name not in self._fields:
            raise QueryError(f"The attribute {name} is not queryable.")
        if self.take("in"):
            values = self.listed(self._value)
            return lambda row: any(_equal(row.get(name), value) for value in values)
        sign, value = self.next()[1], self._value()
        if sign in ("=", "!=", "<>"):
            return lambda row: _equal(row.get(name), value) is (sign == "=")
        if sign not in _COMPARE:
            raise self.failure(f"'{sign}' is no operator")
        return lambda row: _less_or_more(row, name, sign, value)

    def _value(self) -> Any:
        kind, text = self.next()
        text = text[1:-1].replace("''", "'") if kind == "text" else text
        return parse_instant(text) if _INSTANT.fullmatch(text) else text


def _equal(value: Any, literal: Any) -> bool:
    if isinstance(literal, str):
        return value is not None and str(value) == literal
    return bool(aligned(value, literal) == literal)


def _less_or_more(row: Row, name: str, sign: str, literal: Any) -> bool:
    try:
        pair = ordered(row.get(name), literal)
    except TypeError:
        raise QueryError(f"The value does not fit the type of {name}.") from None
    return pair is not None and bool(_COMPARE[sign](*pair))
