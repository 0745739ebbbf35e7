"""A term's expression as a sentence: `the sum of hours over time entry where status is approved and date is in the period`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from governance.terms.syntax import (
    Aggregate,
    Blank,
    Both,
    Compare,
    Computed,
    Condition,
    FieldName,
    InPeriod,
    Node,
    Not,
    Number,
    OneOf,
    Scalar,
)
from hub.common.money import decimal_text

_SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_COMPARED = {"=": "is", "!=": "is not", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least"}
_AGGREGATES = {"sum": "the sum of {0}", "avg": "the average of {0}", "distinct": "the number of different {0}"}


def in_words(node: Node) -> str:
    """The expression as people would say it; begins with a small letter and ends without a stop."""
    if isinstance(node, Number):
        return decimal_text(node.value)
    if isinstance(node, FieldName):
        return _spoken(node.name)
    if isinstance(node, Computed):
        return f"{_bracketed(node.left)} {_SIGNS[node.op]} {_bracketed(node.right)}"
    return _aggregate(node)


def _bracketed(node: Node) -> str:
    return f"({in_words(node)})" if isinstance(node, Computed) else in_words(node)


def _aggregate(node: Aggregate) -> str:
    if node.value is None:
        said = "the number of records"
    elif node.kind == "count":
        said = f"the number of records that have {in_words(node.value)}"
    else:
        said = _AGGREGATES[node.kind].format(in_words(node.value))
    over = f" over {_spoken(node.entity)}" if node.entity else ""
    return f"{said}{over}{f' where {condition(node.where)}' if node.where else ''}"


def condition(found: Condition, *, negated: bool = False) -> str:
    if isinstance(found, Not):
        return condition(found.part, negated=not negated)
    if isinstance(found, Both):
        joined = f" {found.word} ".join(_part(part) for part in found.parts)
        return f"not ({joined})" if negated else joined
    return _leaf(found, "not " if negated else "")


def _part(part: Condition) -> str:
    return f"({condition(part)})" if isinstance(part, Both) else condition(part)


def _leaf(found: Compare | OneOf | Blank | InPeriod, no: str) -> str:
    name = _spoken(found.field.name)
    if isinstance(found, Blank):
        return f"{name} is {no}blank"
    if isinstance(found, InPeriod):
        return f"{name} is {no}in the period"
    if isinstance(found, OneOf):
        return f"{name} is {no}{_listed([_value(value) for value in found.values])}"
    return f"{'it is not so that ' if no else ''}{name} {_COMPARED[found.op]} {_value(found.value)}"


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _value(value: Scalar) -> str:
    words: Mapping[bool, str] = {True: "yes", False: "no"}
    if isinstance(value, bool):
        return words[value]
    return decimal_text(value) if isinstance(value, Decimal) else f"“{value}”"


def _spoken(name: str) -> str:
    return name.replace("_", " ").strip()
