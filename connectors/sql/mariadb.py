"""Many rows into MariaDB at once: one look at the keys that are there, then INSERT … ON DUPLICATE KEY UPDATE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, cast, select, tuple_
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.exc import DBAPIError

from connectors.sql.failures import CommitUnknown
from connectors.sql.keys import join_key, split_key
from hub.common.records import Record

if TYPE_CHECKING:
    from connectors.sql.database import Database
    from connectors.sql.tables import Table


def upsert(
    database: Database, table: Table, key: Sequence[str], bodies: Sequence[Record], keys: Sequence[str]
) -> set[str]:
    """Write rows of the same columns in one transaction; returns the keys that were new.

    Raises SQLAlchemyError for what the database refuses (nothing was written then) and CommitUnknown.
    """
    names = list(bodies[0])
    statement = insert(table.sql)
    # with nothing to change, the key is set to itself: the row that is there stays as it is
    changed = [name for name in names if name not in key] or list(key)
    statement = statement.on_duplicate_key_update({name: statement.inserted[name] for name in changed})
    with database.engine.connect() as db:
        there = _there(db, table, key, keys)
        db.execute(statement, [dict(body) for body in bodies])
        try:
            db.commit()
        except DBAPIError as error:
            raise CommitUnknown(str(error.orig)) from error
    return {name for name in keys if name not in there}


def _there(db: Connection, table: Table, key: Sequence[str], keys: Sequence[str]) -> set[str]:
    """Which of the keys the table holds already."""
    columns = [table.sql.c[name] for name in key]
    wanted = [split_key(text, len(columns)) for text in keys]
    condition = columns[0].in_([parts[0] for parts in wanted]) if len(columns) == 1 else tuple_(*columns).in_(wanted)
    rows = db.execute(select(*[cast(column, String) for column in columns]).where(condition))
    return {join_key([str(part).rstrip(" ") for part in row]) for row in rows}
