"""The parts of a term's expression, as `governance.terms.parsing` reads them. Plain data: nothing here computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from hub.common.errors import ConfigError

Arithmetic = Literal["+", "-", "*", "/"]
Comparison = Literal["=", "!=", "<", "<=", ">", ">="]
Scalar = str | Decimal | bool


class TermError(ConfigError):
    """An expression that cannot be used; `line` and `column` count from 1."""

    code = "TERM"

    def __init__(self, sentence: str, *, line: int = 1, column: int = 1, fix: str = "") -> None:
        super().__init__(sentence, where=f"line {line}, column {column}", fix=fix)
        self.line, self.column, self.sentence = line, column, sentence


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word stands in the text, counting from 1."""

    line: int = 1
    column: int = 1

    def error(self, sentence: str, fix: str = "") -> TermError:
        return TermError(sentence, line=self.line, column=self.column, fix=fix)


@dataclass(frozen=True, slots=True)
class Number:
    value: Decimal


@dataclass(frozen=True, slots=True)
class FieldName:
    """A field of a record, dotted where a source nests its values."""

    name: str
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class Computed:
    """Two values and what is done with them; `left` and `right` are of the same sort."""

    op: Arithmetic
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare:
    field: FieldName
    op: Comparison
    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    field: FieldName
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Blank:
    """The field is missing, null or an empty text."""

    field: FieldName


@dataclass(frozen=True, slots=True)
class InPeriod:
    """The field's day lies in the period that is measured."""

    field: FieldName


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold (`and`), or at least one does (`or`)."""

    word: Literal["and", "or"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number over many records. `value` is None for `count()`; `entity` is empty where a stream is read."""

    kind: Literal["sum", "avg", "count", "distinct"]
    value: Node | None
    entity: str = ""
    where: Condition | None = None
    place: Place = Place()


Node = Number | FieldName | Computed | Aggregate
Condition = Compare | OneOf | Blank | InPeriod | Not | Both


def aggregates_of(node: Node) -> Iterator[Aggregate]:
    """Every aggregate of an expression, from left to right."""
    if isinstance(node, Aggregate):
        yield node
    elif isinstance(node, Computed):
        yield from aggregates_of(node.left)
        yield from aggregates_of(node.right)


def fields_in(node: Node | None) -> Iterator[FieldName]:
    """The fields that a value is computed from."""
    if isinstance(node, FieldName):
        yield node
    elif isinstance(node, Computed):
        yield from fields_in(node.left)
        yield from fields_in(node.right)


def leaves(condition: Condition | None) -> Iterator[Compare | OneOf | Blank | InPeriod]:
    """The single comparisons of a condition."""
    if isinstance(condition, Both):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    elif condition is not None:
        yield condition


def uses_period(node: Node) -> bool:
    return any(isinstance(leaf, InPeriod) for each in aggregates_of(node) for leaf in leaves(each.where))
