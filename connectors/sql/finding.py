"""What a table holds under given keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import String, cast, select, tuple_

from connectors.sql.failures import translate
from connectors.sql.keys import join_key, split_key
from connectors.sql.values import Values
from hub.common.records import Record, StreamSpec

if TYPE_CHECKING:
    from connectors.sql.connector import SqlConnector

CHUNK = 500


def find(connector: SqlConnector, stream: StreamSpec, keys: Sequence[str]) -> dict[str, Record]:
    """Rows by key; the parts of a key of several columns are joined as `join_key` does."""
    table = connector.table_of(stream)
    table.require(stream.key)
    values = Values(connector.zone, exact=frozenset(stream.key))
    shown = [cast(table.sql.c[name], String) for name in stream.key]
    found: dict[str, Record] = {}
    for start in range(0, len(keys), CHUNK):
        wanted = [split_key(key, len(shown)) for key in keys[start : start + CHUNK]]
        condition = shown[0].in_([parts[0] for parts in wanted]) if len(shown) == 1 else tuple_(*shown).in_(wanted)
        with translate(f"table {table.name}"), connector.database.engine.connect() as db:
            for row in db.execute(select(table.sql).where(condition)):
                record = values.record(table.columns, row)
                found[join_key([str(record[name]) for name in stream.key])] = record
    return found
