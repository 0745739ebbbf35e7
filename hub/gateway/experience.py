"""What a page of another program needs, in one answer: a record, what belongs to it, totals, and values computed of these.

Everything is declared; nothing here knows what a project is. Money is summed by currency and never mixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from hub.common.errors import RecordError
from hub.gateway import reading
from hub.gateway.definition import INDEXED
from hub.gateway.known import Projection, Served
from hub.processes.context import evaluate
from hub.records.copying import json_bytes

# A number as contracts write it; anything else is not summed.
_NUMBER = r"'^-?[0-9]+(\.[0-9]+)?$'"


def compose(served: Served, key: str) -> dict[str, Any] | None:
    """{"key", "record", each relation, each value}; None where there is no such record."""
    root = reading.by_key(served.projection, key)
    if root is None:
        return None
    answer: dict[str, Any] = {"key": root.key, "record": served.projection.of(root.body)}
    for name, given in (served.definition.get("relations") or {}).items():
        projection = served.relations[name]
        answer[name] = _one(projection, root.body, given) if "through" in given else _many(projection, root, given)
    context = {**answer, "record": root.body | answer["record"]}
    for name, text in (served.definition.get("values") or {}).items():
        answer[name] = _value(str(text), context)
    return answer


def etag_of(answer: Mapping[str, Any]) -> str:
    return f'"{hashlib.blake2b(orjson.dumps(answer, default=str), digest_size=12).hexdigest()}"'


def _value(text: str, context: Mapping[str, Any]) -> Any:
    """None where the records do not give it: one value that is missing does not take the answer away."""
    try:
        return evaluate(text, dict(context))
    except RecordError:
        return None


def _one(projection: Projection, body: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    key = body.get(given["through"])
    row = reading.by_key(projection, str(key)) if key not in (None, "") else None
    return {"key": row.key, **projection.of(row.body)} if row else None


def _many(projection: Projection, root: reading.Row, given: Mapping[str, Any]) -> dict[str, Any]:
    """{"count", "totals", "records"}: the newest records, and sums over all of them."""
    where, values = _condition(projection, root.key, given)
    count, totals = _totals(projection, where, values, given.get("totals") or [])
    limit = given.get("limit", 20)
    records = _newest(projection, where, values, limit) if limit and count else []
    return {"count": count, "totals": totals, "records": records}


def _condition(projection: Projection, key: str, given: Mapping[str, Any]) -> tuple[str, list[Any]]:
    where, values = ["c.entity_id = %s", "c.deleted_at is null"], list[Any]([projection.entity.pk])
    if given["by"] in INDEXED:
        where.append(f"c.{given['by']} = %s")
        values.append(key)
    else:
        where.append("c.body @> %s::jsonb")
        values.append(json_bytes({given["by"]: key}).decode())
    for name, wanted in (given.get("only_when") or {}).items():
        where.append("coalesce(c.body->>%s, '') = any(%s)")
        values += [name, [_as_text(each) for each in wanted]]
    return " and ".join(where), values


def _as_text(value: Any) -> str:
    """As PostgreSQL writes a JSON value as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _totals(projection: Projection, where: str, values: list[Any], names: list[str]) -> tuple[int, dict[str, Any]]:
    """(how many, {field: sum, or sums by currency})"""
    sums = "".join(f", sum(case when c.body->>%s ~ {_NUMBER} then (c.body->>%s)::numeric end)" for _ in names)
    marked = [each for name in names for each in (name, name)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"select c.currency, count(*){sums} from records_canonicalrecord c where {where} group by 1 order by 1",
            [*marked, *values],
        )
        rows = cursor.fetchall()
    found = {name: _sum(projection, name, [(r[0], r[2 + n]) for r in rows]) for n, name in enumerate(names)}
    return sum(row[1] for row in rows), found


def _sum(projection: Projection, name: str, rows: list[tuple[str | None, Decimal | None]]) -> Any:
    field = projection.described.fields.get(name)
    if field is not None and field.currency:
        return {currency: _plain(amount) for currency, amount in rows if currency and amount is not None}
    return _plain(sum((amount for _, amount in rows if amount is not None), Decimal(0)))


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def _newest(projection: Projection, where: str, values: list[Any], limit: int) -> list[dict[str, Any]]:
    query = f"select {reading.COLUMNS} from records_canonicalrecord c where {where} order by c.id desc limit %s"
    rows = reading.rows(query, [*values, limit])
    return [{"key": row.key, **projection.of(row.body)} for row in rows]
