"""What a table looks like: columns with types, the keys that it enforces, which column tells of changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData
from sqlalchemy import Table as SqlTable
from sqlalchemy import types as sql
from sqlalchemy.exc import NoSuchTableError

from connectors.declared import field_infos, key_fields, stream_label
from hub.common.errors import ConfigError
from hub.common.records import FieldInfo, StreamInfo

if TYPE_CHECKING:
    from connectors.sql.database import Database

# Column names that usually hold the time of the last change, best first.
CURSOR_NAMES = (
    *("updated_at", "modified_at", "changed_at", "last_modified", "last_updated", "last_change", "write_date"),
    *("updated", "modified"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A reflected table or view. `keys` are the sets of columns whose values it keeps unique."""

    name: str
    sql: SqlTable
    keys: tuple[frozenset[str], ...]

    @property
    def columns(self) -> list[str]:
        return [column.name for column in self.sql.columns]

    def enforces(self, key: Sequence[str]) -> bool:
        return bool(key) and frozenset(key) in self.keys

    def require(self, names: Iterable[str]) -> None:
        """Raises ConfigError for the first name that is no column."""
        known = self.columns
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known[:30])}."
                raise ConfigError(
                    f"The table {self.name} has no column {name!r}.", where=self.name, fix=hint, code="UNKNOWN_COLUMN"
                )


def load(database: Database, name: str) -> Table:
    """Reflect a table. Raises ConfigError when there is none of that name."""
    schema, _, plain = name.rpartition(".")
    try:
        reflected = SqlTable(plain, MetaData(), schema=schema or None, autoload_with=database.engine)
    except NoSuchTableError:
        names = database.table_names()
        near = difflib.get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"The user sees: {', '.join(names[:20]) or 'no table'}."
        raise ConfigError(f"There is no table {name!r}.", where=name, fix=hint, code="STREAM") from None
    return Table(name, reflected, tuple(_unique_keys(database, plain, schema or None)))


def _unique_keys(database: Database, name: str, schema: str | None) -> Iterable[frozenset[str]]:
    inspector = database.inspector()
    primary = inspector.get_pk_constraint(name, schema).get("constrained_columns") or []
    if primary:
        yield frozenset(primary)
    for unique in inspector.get_unique_constraints(name, schema):
        yield frozenset(unique["column_names"])
    for index in inspector.get_indexes(name, schema):
        columns = [column for column in index["column_names"] if column]
        whole = "postgresql_where" not in (index.get("dialect_options") or {})
        if index.get("unique") and whole and len(columns) == len(index["column_names"]):
            yield frozenset(columns)


def describe(database: Database, name: str) -> StreamInfo:
    """A table as a stream: its key is the primary key, or else the first key that it enforces."""
    table = database.table(name)
    key = [column.name for column in table.sql.primary_key.columns]
    if not key and table.keys:
        key = [column for column in table.columns if column in table.keys[0]]
    return StreamInfo(
        name,
        stream_label(name.rpartition(".")[2], {}),
        fields=[_field(column, key) for column in table.sql.columns],
        key=key,
        cursor=_cursor(table),
        writable=bool(table.keys),
        safety="B" if table.enforces(key) else "D",
    )


def describe_declared(database: Database, name: str, stream: Mapping[str, Any]) -> StreamInfo:
    found = describe(database, str(stream.get("table") or name))
    key = key_fields(stream) or tuple(found.key)
    cursor = (stream.get("incremental") or {}).get("cursor") or found.cursor
    return StreamInfo(
        name,
        stream_label(name, stream),
        fields=field_infos(stream) or found.fields,
        key=key,
        cursor=cursor if isinstance(cursor, str) else cursor[0],
        writable=bool(stream.get("write")) or found.writable,
        safety="B" if database.table(str(stream.get("table") or name)).enforces(key) else "D",
    )


def _field(column: Any, key: Sequence[str]) -> FieldInfo:
    required = not column.nullable and column.server_default is None
    return FieldInfo(column.name, type_word(column.type), column.comment or "", column.name in key or required)


def type_word(kind: Any) -> str:
    words = {
        sql.Boolean: "boolean",
        sql.Integer: "integer",
        sql.Numeric: "decimal",
        sql.DateTime: "date-time",
        sql.Date: "date",
        sql.JSON: "object",
        sql.ARRAY: "array",
    }
    if isinstance(kind, sql.Float):
        return "number"
    return next((word for base, word in words.items() if isinstance(kind, base)), "string")


def _cursor(table: Table) -> str:
    times = [column.name for column in table.sql.columns if isinstance(column.type, sql.DateTime)]
    return next((name for name in CURSOR_NAMES if name in times), "")
