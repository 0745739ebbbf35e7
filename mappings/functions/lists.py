"""Conversions of lists: take one item, or make one value of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from hub.common.money import EXACT, parse_decimal
from mappings.convert import to_text
from mappings.functions.registry import Arg, function
from mappings.paths import MISSING, Path, read_path

_FIELD = Arg("field", "item_path", "The field of each item; empty = the item itself.", "")


def _contents(items: list[Any], field: Path) -> Iterator[Any]:
    """What the items hold at the field; items without it, with null or with an empty text are passed over."""
    found = (read_path(item, field) for item in items)
    return (content for content in found if content is not MISSING and content is not None and content != "")


@function(
    "lists",
    "The first item that holds something, or a field of it; null when there is none.",
    takes="list",
    gives="any",
    args=(_FIELD,),
)
def first(value: list[Any], *, field: Path) -> Any:
    return next(_contents(value, field), None)


@function(
    "lists",
    "The last item that holds something, or a field of it; null when there is none.",
    takes="list",
    gives="any",
    args=(_FIELD,),
)
def last(value: list[Any], *, field: Path) -> Any:
    return next(_contents(value[::-1], field), None)


@function(
    "lists",
    "A field of the first item in which another field has a certain content: the e-mail whose type is work.",
    takes="list",
    gives="any",
    args=(
        Arg("where", "item_path", "The field that decides."),
        Arg("equals", "any", "Its content."),
        Arg("field", "item_path", "The field to take; empty = the item itself.", ""),
    ),
)
def pick(value: list[Any], *, where: Path, equals: Any, field: Path) -> Any:
    chosen = next((item for item in value if read_path(item, where) == equals), None)
    found = read_path(chosen, field)
    return None if found is MISSING else found


@function("lists", "The number of items.", takes="list", gives="whole")
def count(value: list[Any]) -> int:
    return len(value)


@function(
    "lists",
    "The exact sum; items without the field count as nothing, an empty list is 0.",
    takes="list",
    gives="number",
    args=(_FIELD,),
)
def sum_(value: list[Any], *, field: Path) -> Decimal:
    return _fold(EXACT.add, value, field) or Decimal(0)


@function("lists", "The smallest number; null when there is none.", takes="list", gives="number", args=(_FIELD,))
def smallest(value: list[Any], *, field: Path) -> Decimal | None:
    return _fold(min, value, field)


@function("lists", "The largest number; null when there is none.", takes="list", gives="number", args=(_FIELD,))
def largest(value: list[Any], *, field: Path) -> Decimal | None:
    return _fold(max, value, field)


def _fold(combine: Callable[[Decimal, Decimal], Decimal], items: list[Any], field: Path) -> Decimal | None:
    result: Decimal | None = None
    for content in _contents(items, field):
        number = parse_decimal(content)
        result = number if result is None else combine(result, number)
    return result


@function(
    "lists",
    "Joins the items to one text; empty ones are left out.",
    takes="list",
    args=(Arg("separator", "text", "What stands between.", ","), _FIELD),
    inverse="split",
    inline="(None if {v} is None else {separator}.join({v}) if type({v}) is list and '' not in {v} else retreat())",
)
def join(value: list[Any], *, separator: str, field: Path) -> str:
    if not field and "" not in value:
        try:
            return separator.join(value)
        except TypeError:
            pass  # not all of them are texts yet
    return separator.join(text for content in _contents(value, field) if (text := to_text(content)))


@function(
    "lists",
    "Splits a text into a list of texts without blanks at their ends; an empty text is an empty list.",
    gives="list",
    args=(Arg("separator", "text", "What stands between.", ","),),
    inverse="join",
)
def split(value: str, *, separator: str) -> list[str]:
    parts = (part.strip() for part in (value.split(separator) if separator else [value]))
    return [part for part in parts if part]
