"""$filter and $orderby: comparisons, `and`, `or`, `not`, brackets, and the three text functions. All else is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from hub.common.errors import ConfigError
from hub.publishing.model import Property

MOST_CHARACTERS, MOST_DEPTH = 2_000, 20
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[(),]))"
)
_COMPARISONS = {"eq": "", "ne": "", "gt": "__gt", "ge": "__gte", "lt": "__lt", "le": "__lte"}
_FUNCTIONS = {"contains": "__contains", "startswith": "__startswith", "endswith": "__endswith"}
_NUMBERS = frozenset({"Edm.Decimal", "Edm.Int64", "Edm.Int32", "Edm.Double"})
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


class Filter:
    """A parsed $filter: `q` over the names in `used`, each of which the caller annotates as `f_NAME`."""

    def __init__(self, text: str, properties: Mapping[str, Property]) -> None:
        """Raises ConfigError for what cannot be read, or names what there is not."""
        if len(text) > MOST_CHARACTERS:
            raise refused(f"A $filter has at most {MOST_CHARACTERS} characters.")
        self.properties, self.used = properties, set[str]()
        self._tokens, self._at, self._depth = _tokens(text), 0, 0
        self.q = self._either()
        if self._at < len(self._tokens):
            raise refused(f"Nothing can follow at {self._tokens[self._at][1]!r}.")

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise refused("The $filter ends too early.")
        kind, text = self._tokens[self._at]
        if wanted and text != wanted:
            raise refused(f"{wanted!r} belongs where {text!r} stands.")
        self._at += 1
        return kind, text

    def _either(self) -> Q:
        found = self._both()
        while self._peek() == "or":
            self._take()
            found |= self._both()
        return found

    def _both(self) -> Q:
        found = self._one()
        while self._peek() == "and":
            self._take()
            found &= self._one()
        return found

    def _one(self) -> Q:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise refused(f"The $filter is nested more than {MOST_DEPTH} times.")
        try:
            return self._inner()
        finally:
            self._depth -= 1

    def _inner(self) -> Q:
        if self._peek() == "not":
            self._take()
            return ~self._one()
        if self._peek() == "(":
            self._take()
            found = self._either()
            self._take(")")
            return found
        if self._peek() in _FUNCTIONS:
            return self._function()
        return self._comparison()

    def _function(self) -> Q:
        _, name = self._take()
        self._take("(")
        property_ = self._property()
        self._take(",")
        kind, text = self._take()
        self._take(")")
        if kind != "text" or property_.type != "Edm.String":
            raise refused(f"{name} compares a text property with a text in quotes.")
        return Q(**{f"f_{property_.name}{_FUNCTIONS[name]}": _unquoted(text)})

    def _comparison(self) -> Q:
        property_ = self._property()
        _, operator = self._take()
        if operator not in _COMPARISONS:
            raise refused(f"{operator!r} is no comparison.", f"Use one of: {', '.join(_COMPARISONS)}.")
        value = _value(property_, *self._take())
        place = f"f_{property_.name}"
        if value is None and operator not in ("eq", "ne"):
            raise refused(f"null can only be compared by eq and ne, not by {operator}.")
        if value is None:
            return Q(**{f"{place}__isnull": operator == "eq"})
        if operator == "ne":
            # a record without a value is not equal to one either
            return ~Q(**{place: value}) | Q(**{f"{place}__isnull": True})
        return Q(**{f"{place}{_COMPARISONS[operator]}": value})

    def _property(self) -> Property:
        kind, text = self._take()
        if kind != "word":
            raise refused(f"The name of a property belongs where {text!r} stands.")
        found = known(self.properties, text)
        self.used.add(text)
        return found


def known(properties: Mapping[str, Property], name: str) -> Property:
    if name not in properties:
        raise refused(f"There is no property {name!r}.", f"Use one of: {', '.join(properties)}.")
    return properties[name]


def order_of(text: str, properties: Mapping[str, Property]) -> list[tuple[str, bool]]:
    """[(property, whether descending)] of a $orderby."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, way = part.partition(" ")
        if way.strip() not in ("", "asc", "desc"):
            raise refused(f"{way.strip()!r} is no direction.", "Write asc or desc.")
        found.append((known(properties, name).name, way.strip() == "desc"))
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise refused(f"The $filter cannot be read at {text[at : at + 20]!r}.")
        found.append((str(match.lastgroup), str(match[str(match.lastgroup)])))
        at = match.end()
    if not found:
        raise refused("The $filter is empty.")
    return found


def _value(property_: Property, kind: str, text: str) -> Any:
    """The literal as the property's type; raises ConfigError when it is of another."""
    if kind == "word" and text in _WORDS:
        value = _WORDS[text]
        if value is None or property_.type == "Edm.Boolean":
            return value
    if kind == "text" and property_.type == "Edm.String":
        return _unquoted(text)
    if kind == "number" and property_.type in _NUMBERS:
        return Decimal(text)
    try:
        if kind == "date" and property_.type == "Edm.Date":
            return date.fromisoformat(text)
        if kind in ("date", "time") and property_.type == "Edm.DateTimeOffset":
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise refused(f"{text} is no day of the calendar.") from None
    raise refused(f"{property_.name} is of the type {property_.type}, and {text} is not.")


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def refused(what: str, fix: str = "docs/feeds.md says what is understood.") -> ConfigError:
    return ConfigError(what, fix=fix, code="ODATA")
