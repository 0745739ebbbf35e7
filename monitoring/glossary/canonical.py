"""A term's expression as SQL over the canonical store: one statement for each aggregate, values always as parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from django.db import transaction

from governance.models import Entity
from governance.schemas import Field
from governance.terms.checking import FieldsOf, check
from governance.terms.queries import contract_fields
from governance.terms.syntax import (
    Aggregate,
    Blank,
    Both,
    Condition,
    FieldName,
    InPeriod,
    Node,
    Not,
    Number,
    OneOf,
    Scalar,
    aggregates_of,
    fields_in,
    uses_period,
)
from hub.common.db import plain_cursor
from monitoring.glossary.periods import Span
from monitoring.glossary.tallies import Tally, Unmeasured, number_of

SECONDS = 60
_SIGNS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def measure(node: Node, *, span: Span | None, currency: str = "", fields_of: FieldsOf = contract_fields) -> Decimal:
    """The hub's number of an expression. Raises TermError where it no longer fits the contracts, Unmeasured otherwise."""
    check(node, fields_of)
    if uses_period(node) and span is None:
        raise Unmeasured("The expression speaks of a period, and the term is taken over all time.")
    try:
        with transaction.atomic(), plain_cursor() as cursor, _limited(cursor):
            found = {id(each): _tally(cursor, each, span, currency, fields_of) for each in aggregates_of(node)}
    except psycopg.errors.QueryCanceled:
        raise Unmeasured(f"Counting the hub's records took more than {SECONDS} s.") from None
    except psycopg.DataError:
        raise Unmeasured("A value that is added up or compared as a number is none.") from None
    return number_of(node, found)


@contextmanager
def _limited(cursor: psycopg.Cursor[Any]) -> Iterator[None]:
    """Statements inside end after a minute; the limit of before holds again behind it, also in a transaction around."""
    before = cursor.execute("select current_setting('statement_timeout')").fetchone()
    cursor.execute("select set_config('statement_timeout', %s, true)", [f"{SECONDS}s"])
    yield
    cursor.execute("select set_config('statement_timeout', %s, true)", before)


def _tally(
    cursor: psycopg.Cursor[Any], aggregate: Aggregate, span: Span | None, currency: str, fields_of: FieldsOf
) -> Tally:
    entity = Entity.objects.get(slug=aggregate.entity)
    statement = Statement(span)
    numeric = aggregate.kind in ("sum", "avg")
    value = "null::text" if aggregate.value is None else statement.value(aggregate.value, numeric=numeric)
    foreign = statement.foreign(aggregate, currency, fields_of(aggregate.entity) or {})
    where = statement.condition(aggregate.where) if aggregate.where else "true"
    # Sorting all values is slow, and only one aggregate asks for it.
    different = "count(distinct v)" if aggregate.kind == "distinct" else "0"
    cursor.execute(
        "select (select exists(select 1 from records_canonicalrecord where entity_id = %(entity)s and deleted_at is null)),"
        f" count(*), count(v), {'coalesce(sum(v), 0)' if numeric else '0'}, {different},"
        " count(*) filter (where f and v is not null) from"
        f" (select {value} v, {foreign} f from records_canonicalrecord c"
        f" where c.entity_id = %(entity)s and c.deleted_at is null and ({where})) fitting",
        {**statement.values, "entity": entity.pk},
    )
    row = cursor.fetchone()
    assert row is not None
    return Tally(int(row[0]), row[1], row[2], Decimal(row[3]), row[4], row[5])


class Statement:
    """Pieces of one statement; `values` are its parameters by name. Text of an author never stands in the SQL."""

    def __init__(self, span: Span | None) -> None:
        self.span = span
        self.values: dict[str, Any] = {}

    def _given(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def _text(self, field: FieldName) -> str:
        """The field's text; empty counts as null."""
        return f"nullif(c.body ->> {self._given(field.name)}::text, '')"

    def value(self, node: Node, *, numeric: bool) -> str:
        """What is added up or counted, for one record; null where any part is."""
        return f"({self._number(node)})" if numeric else self._text(node)  # type: ignore[arg-type]

    def _number(self, node: Node) -> str:
        if isinstance(node, Number):
            return f"{self._given(node.value)}::numeric"
        if isinstance(node, FieldName):
            return f"{self._text(node)}::numeric"
        assert not isinstance(node, Aggregate)
        right = self._number(node.right)
        below = f"nullif({right}, 0)" if node.op == "/" else right
        return f"({self._number(node.left)} {node.op} {below})"

    def foreign(self, aggregate: Aggregate, currency: str, known: Mapping[str, Field]) -> str:
        """Whether an amount of the record is in another currency than the term."""
        holders = {known[name.name].currency for name in fields_in(aggregate.value)} - {""} if currency else set()
        tests = [
            f"{self._text(FieldName(holder))} is distinct from {self._given(currency)}" for holder in sorted(holders)
        ]
        return f"({' or '.join(tests)})" if tests else "false"

    def condition(self, found: Condition) -> str:
        """Two-valued: what cannot be compared does not fit."""
        if isinstance(found, Not):
            return f"(not {self.condition(found.part)})"
        if isinstance(found, Both):
            return f"({f' {found.word} '.join(self.condition(part) for part in found.parts)})"
        if isinstance(found, Blank):
            return f"({self._text(found.field)} is null)"
        if isinstance(found, InPeriod):
            return self._in_period(found.field)
        if isinstance(found, OneOf):
            return f"({' or '.join(self._compare(found.field, '=', value) for value in found.values)})"
        return self._compare(found.field, found.op, found.value)

    def _compare(self, field: FieldName, op: str, value: Scalar) -> str:
        if op == "!=":
            return f"(not {self._compare(field, '=', value)})"
        text = self._text(field)
        if isinstance(value, bool):
            return f"coalesce(lower({text}) = {self._given('true' if value else 'false')}, false)"
        if isinstance(value, Decimal):
            return f"coalesce({text}::numeric {_SIGNS[op]} {self._given(value)}::numeric, false)"
        return f'coalesce({text} collate "C" {_SIGNS[op]} {self._given(value)}::text, false)'

    def _in_period(self, field: FieldName) -> str:
        assert self.span is not None
        text = self._text(field)
        day = f"(case when length({text}) = 7 then {text} || '-01' else left({text}, 10) end)"
        low, high = self._given(self.span.start.isoformat()), self._given(self.span.end.isoformat())
        return f'coalesce({day} collate "C" between {low}::text and {high}::text, false)'
