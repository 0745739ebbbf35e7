"""A term's expression over the records of one stream, a page at a time; nothing of them is stored."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from governance.terms.syntax import (
    Aggregate,
    Blank,
    Both,
    Compare,
    Condition,
    FieldName,
    InPeriod,
    Node,
    Not,
    Number,
    OneOf,
    Scalar,
    aggregates_of,
    uses_period,
)
from hub.common.errors import RecordError
from hub.common.money import parse_decimal
from hub.common.records import Record
from mappings.convert import to_text
from mappings.paths import MISSING, read_path
from monitoring.glossary.periods import Span
from monitoring.glossary.tallies import Tally, Unmeasured, apply, number_of


class StreamTally:
    """Counts all aggregates of an expression in one reading: `add` every record, then ask for the `number`."""

    def __init__(self, node: Node, span: Span | None) -> None:
        if uses_period(node) and span is None:
            raise Unmeasured("The expression speaks of a period, and the term is taken over all time.")
        self.node, self.span = node, span
        self._counts = [(each, Tally(), set[str]()) for each in aggregates_of(node)]

    def add(self, records: Iterable[Record]) -> None:
        """Raises Unmeasured for a record that cannot be counted: without it the number would be wrong."""
        for record in records:
            for aggregate, tally, seen in self._counts:
                tally.shown += 1
                try:
                    self._count(aggregate, tally, seen, record)
                except RecordError as error:
                    raise Unmeasured(f"A record cannot be counted: {error.what}") from None

    def number(self) -> Decimal:
        for _, tally, seen in self._counts:
            tally.distinct = len(seen)
        return number_of(self.node, {id(aggregate): tally for aggregate, tally, _ in self._counts})

    def _count(self, aggregate: Aggregate, tally: Tally, seen: set[str], record: Record) -> None:
        if aggregate.where and not self._fits(aggregate.where, record):
            return
        tally.rows += 1
        if aggregate.kind in ("sum", "avg"):
            amount = _amount(aggregate.value, record)
            tally.values += amount is not None
            tally.total = apply("+", tally.total, amount or Decimal(0))
        elif isinstance(aggregate.value, FieldName):
            text = _text(aggregate.value, record)
            tally.values += text is not None
            seen.update([] if text is None or aggregate.kind != "distinct" else [text])

    def _fits(self, found: Condition, record: Record) -> bool:
        if isinstance(found, Not):
            return not self._fits(found.part, record)
        if isinstance(found, Both):
            return (all if found.word == "and" else any)(self._fits(part, record) for part in found.parts)
        text = _text(found.field, record)
        if isinstance(found, Blank):
            return text is None
        if isinstance(found, InPeriod):
            return text is not None and self._in_period(text)
        if isinstance(found, OneOf):
            return any(_equal(text, value) for value in found.values)
        return _compare(text, found)

    def _in_period(self, text: str) -> bool:
        assert self.span is not None
        day = f"{text}-01" if len(text) == 7 else text[:10]
        return self.span.start.isoformat() <= day <= self.span.end.isoformat()


def _text(field: FieldName, record: Record) -> str | None:
    """The field's text; None where it is missing, null or empty."""
    value: Any = record[field.name] if field.name in record else read_path(record, tuple(field.name.split(".")))
    return None if value is MISSING or value is None or value == "" else _as_text(value)


def _as_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(to_text(value))


def _amount(node: Node | None, record: Record) -> Decimal | None:
    """What is added up, for one record; None where any part is missing."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, FieldName):
        text = _text(node, record)
        return None if text is None else parse_decimal(text)
    assert node is not None
    assert not isinstance(node, Aggregate)
    left, right = _amount(node.left, record), _amount(node.right, record)
    if left is None or right is None or (node.op == "/" and not right):
        return None
    return apply(node.op, left, right)


def _equal(text: str | None, value: Scalar) -> bool:
    if text is None:
        return False
    if isinstance(value, bool):
        return text.lower() == ("true" if value else "false")
    return parse_decimal(text) == value if isinstance(value, Decimal) else text == value


def _compare(text: str | None, found: Compare) -> bool:
    if found.op in ("=", "!="):
        return _equal(text, found.value) == (found.op == "=")
    if text is None:
        return False
    left: Any = parse_decimal(text) if isinstance(found.value, Decimal) else text
    right: Any = found.value
    if found.op in ("<", "<="):
        return bool(left < right or (found.op == "<=" and left == right))
    return bool(left > right or (found.op == ">=" and left == right))
