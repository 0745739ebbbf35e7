"""Many rows into PostgreSQL at once: COPY into a temporary table, then one INSERT … ON CONFLICT."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.exc import DBAPIError

from connectors.sql.failures import CommitUnknown
from hub.common.records import Record

if TYPE_CHECKING:
    from connectors.sql.database import Database
    from connectors.sql.tables import Table

NULL = "\\N"


def _line(body: Record) -> str:
    """Rows of plain text, which most are, are joined as they stand; odd values take the slow way."""
    values = body.values()
    try:
        joined = "\t".join(values)
        if joined.count("\t") == len(body) - 1 and "\\" not in joined and "\n" not in joined and "\r" not in joined:
            return joined + "\n"
    except TypeError:
        pass
    return "\t".join([_cell(value) for value in values]) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    text = value if isinstance(value, str) else format(value, "f") if isinstance(value, Decimal) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def upsert(
    database: Database, table: Table, key: Sequence[str], bodies: Sequence[Record], keys: Sequence[str]
) -> set[str]:
    """Write rows of the same columns in one transaction; returns the keys that were new.

    Raises SQLAlchemyError for what the database refuses (nothing was written then) and CommitUnknown.
    """
    names = tuple(bodies[0])
    text = "".join([_line(body) for body in bodies])
    statements = _statements(database, table, tuple(key), names)
    raw = database.engine.raw_connection()
    try:
        driver: psycopg.Connection[Any] = raw.driver_connection  # type: ignore[assignment]
        with driver.cursor() as cursor:
            cursor.execute(statements.stage)
            with cursor.copy(statements.copy) as copy:
                copy.write(text)
            cursor.execute(statements.merge)
            created = {found[0] for found in cursor.fetchall() if found[1]}
        _commit(driver)
        return created
    except psycopg.Error as error:
        _roll_back(raw)
        raise DBAPIError(statements.merge, None, error, connection_invalidated=driver.closed) from error
    finally:
        raw.close()


def _commit(driver: psycopg.Connection[Any]) -> None:
    try:
        driver.commit()
    except psycopg.OperationalError as error:
        raise CommitUnknown(str(error).strip()) from error


def _roll_back(raw: Any) -> None:
    try:
        raw.rollback()
    except psycopg.Error:
        raw.invalidate()


@dataclass(frozen=True, slots=True)
class Statements:
    stage: str
    copy: str
    merge: str


_cache: dict[tuple[int, str, tuple[str, ...], tuple[str, ...]], Statements] = {}


def _statements(database: Database, table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Statements:
    """SQL of one shape of rows, made once. Names are quoted by the dialect; values travel by COPY alone."""
    place = (id(database.engine), table.name, key, names)
    if place in _cache:
        return _cache[place]
    quote = database.quoted
    target, columns = quote(table.name), ", ".join(map(quote, names))
    changed = [name for name in names if name not in key]
    sets = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in changed)
    # With nothing to change, the row is still touched, so that it is returned.
    action = f"do update set {sets or f'{quote(key[0])} = excluded.{quote(key[0])}'}"
    shown = f"t.{quote(key[0])}::text" if len(key) == 1 else _joined([f"t.{quote(name)}" for name in key])
    # One stage for each shape of rows, emptied by every commit: making a table for each batch would fill the catalogue.
    digest = hashlib.blake2b(repr((table.name, names)).encode(), digest_size=8).hexdigest()
    stage = f"pg_temp.syncline_{digest}"
    made = Statements(
        f"create temp table if not exists syncline_{digest} on commit delete rows as"
        f" select {columns} from {target} with no data",
        f"copy {stage} ({columns}) from stdin",
        f"insert into {target} as t ({columns}) select {columns} from {stage}"
        f" on conflict ({', '.join(map(quote, key))}) {action} returning {shown}, t.xmax = 0",
    )
    _cache[place] = made
    return made


def _joined(parts: Sequence[str]) -> str:
    return " || '|' || ".join(f"replace({part}::text, '|', '||')" for part in parts)
