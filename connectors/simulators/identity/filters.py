"""SCIM filters (RFC 7644, section 3.4.2.2): text in, a test of a resource out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Resource = Mapping[str, Any]
Test = Callable[[Resource], bool]

_TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|[()\[\]]|[^\s()\[\]"]+)')
_NAME = re.compile(r"(?:urn:[\w.:-]+:)?[A-Za-z$][\w$-]*(?:\.[A-Za-z$][\w$-]*)?")
_MANY = ("co", "sw", "ew", "eq", "ne", "gt", "ge", "lt", "le")


class BadFilter(ValueError):
    """A filter that cannot be read; the sentence says where."""


def parse_filter(text: str) -> Test:
    """The test that a filter stands for; raises BadFilter."""
    reader = _Reader(text)
    test = reader.either()
    if reader.peek() is not None:
        raise BadFilter(f"{reader.peek()!r} is too much in the filter {text!r}.")
    return test


def values_at(resource: Any, path: str) -> list[Any]:
    """Every value at an attribute path; names in any case, lists are looked through, a schema may stand before it."""
    steps = split_name(path)
    found: list[Any] = [resource]
    for step in steps:
        found = [value for each in found for value in _step(each, step)]
    return [value for value in found if value is not None]


def split_name(path: str) -> list[str]:
    """`urn:…:User:manager.value` as the name of the extension, `manager` and `value`."""
    schema, _, rest = path.rpartition(":")
    core = schema.lower().startswith("urn:ietf:params:scim:schemas:core:")
    return [*([schema] if schema and not core else []), *rest.split(".")]


def own_name(holder: Iterable[str], name: str) -> str:
    """The name as the holder writes it."""
    return next((key for key in holder if key.lower() == name.lower()), name)


def _step(value: Any, name: str) -> Iterable[Any]:
    if isinstance(value, Mapping):
        found = value.get(own_name(value, name))
        return found if isinstance(found, list) else [found]
    return []


class _Reader:
    """Reads tokens from left to right; `and` binds closer than `or`."""

    def __init__(self, text: str) -> None:
        self.text, self._tokens, position = text, list[str](), 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise BadFilter(f"The filter {text!r} cannot be read at character {position + 1}.")
            self._tokens.append(match[1])
            position = match.end()
        self._tokens.reverse()

    def peek(self) -> str | None:
        return self._tokens[-1] if self._tokens else None

    def take(self) -> str:
        if not self._tokens:
            raise BadFilter(f"The filter {self.text!r} ends too early.")
        return self._tokens.pop()

    def either(self) -> Test:
        tests = [self._both()]
        while (self.peek() or "").lower() == "or":
            self.take()
            tests.append(self._both())
        return lambda resource: any(test(resource) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while (self.peek() or "").lower() == "and":
            self.take()
            tests.append(self._single())
        return lambda resource: all(test(resource) for test in tests)

    def _single(self) -> Test:
        token = self.take()
        if token.lower() == "not":
            test = self._in_brackets("(", ")", self.take())
            return lambda resource: not test(resource)
        if token == "(":
            return self._in_brackets("(", ")", token)
        if not _NAME.fullmatch(token):
            raise BadFilter(f"{token!r} is no attribute in the filter {self.text!r}.")
        if self.peek() == "[":
            inner = self._in_brackets("[", "]", self.take())
            return lambda resource: any(inner(value) for value in values_at(resource, token))
        return self._comparison(token)

    def _in_brackets(self, opening: str, closing: str, token: str) -> Test:
        if token != opening:
            raise BadFilter(f"{opening!r} is missing in the filter {self.text!r}.")
        test = self.either()
        if self.take() != closing:
            raise BadFilter(f"{closing!r} is missing in the filter {self.text!r}.")
        return test

    def _comparison(self, path: str) -> Test:
        operator = self.take().lower()
        if operator == "pr":
            return lambda resource: any(value not in ("", [], {}) for value in values_at(resource, path))
        if operator not in _MANY:
            raise BadFilter(f"{operator!r} is no operator in the filter {self.text!r}.")
        wanted = self._value()
        if operator == "ne":
            return lambda resource: not any(_holds("eq", value, wanted) for value in values_at(resource, path))
        return lambda resource: any(_holds(operator, value, wanted) for value in values_at(resource, path))

    def _value(self) -> Any:
        token = self.take()
        try:
            return json.loads(token)
        except ValueError:
            raise BadFilter(f"{token} is no JSON value in the filter {self.text!r}: texts stand in quotes.") from None


def _holds(operator: str, value: Any, wanted: Any) -> bool:
    """Texts are compared without regard to case; what is not of one type does not compare."""
    if isinstance(value, str) and isinstance(wanted, str):
        value, wanted = value.casefold(), wanted.casefold()
    elif operator in ("co", "sw", "ew") or type(value) is not type(wanted):
        return False
    match operator:
        case "eq":
            return bool(value == wanted)
        case "co":
            return wanted in value
        case "sw":
            return bool(value.startswith(wanted))
        case "ew":
            return bool(value.endswith(wanted))
        case "gt":
            return bool(value > wanted)
        case "ge":
            return bool(value >= wanted)
        case "lt":
            return bool(value < wanted)
        case _:
            return bool(value <= wanted)
