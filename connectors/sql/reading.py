"""Reading a table in pages by keyset: after the last key of the page before, never by counting rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, or_, select
from sqlalchemy import types as sql

from connectors.cursors import CursorFormat, HighWater, start_value
from connectors.page_records import find_nul, raw_text
from connectors.sql.failures import translate
from connectors.sql.values import Values
from hub.common.errors import ConfigError, RecordError
from hub.common.records import BadRecord, Page, Record, StreamSpec

if TYPE_CHECKING:
    from connectors.sql.connector import SqlConnector

PAGE_SIZE = 1000
CURSOR = "__cursor"


class Reader:
    """Pages of one stream.

    The first reading goes by key, so that rows without a change time are read too; later ones go by (change time, key)
    from the stored value on, inclusive. The change time is kept as the database writes it.
    """

    def __init__(self, connector: SqlConnector, stream: StreamSpec) -> None:
        self.stream, self.declared = stream, connector.declared_stream(stream)
        self.database, self.table = connector.database, connector.table_of(stream)
        self.key = tuple(stream.key) or tuple(c.name for c in self.table.sql.primary_key.columns)
        self.columns = list(self.declared.get("columns") or self.table.columns)
        incremental = self.declared.get("incremental") or {}
        self.cursor = stream.cursor or incremental.get("cursor") or ""
        self.overlap = int(incremental.get("overlap_seconds", 0))
        self._check()
        self.form = CursorFormat(incremental.get("format") or self._usual_format(), connector.zone)
        self.values = Values(
            connector.zone,
            encoding=connector.access.get("encoding") or "utf8",
            trim=bool(self.declared.get("trim", True)),
            exact=frozenset(self.key),
        )
        # PostgreSQL keeps no NUL in text, only escaped in JSON
        kinds = [self.table.sql.c[name].type for name in self.columns]
        self.may_hold_nul = not self.database.is_postgresql or any(isinstance(kind, sql.JSON) for kind in kinds)
        self.size = stream.page_size or int(connector.limits.get("page_size") or PAGE_SIZE)

    def _check(self) -> None:
        if not self.key:
            raise ConfigError(
                "The table has no key to read by.", where=self.table.name, fix="Choose the key fields of the stream."
            )
        self.table.require(
            [*self.key, *self.columns, *([self.cursor] if self.cursor else []), *self.declared.get("where", {})]
        )

    def _usual_format(self) -> str:
        kind = self.table.sql.c[self.cursor].type if self.cursor else None
        if isinstance(kind, sql.Integer | sql.Numeric):
            return "integer"
        return "iso" if kind is None or isinstance(kind, sql.DateTime | sql.Date) else "text"

    def pages(self, cursor: str | None, resume: Any) -> Iterator[Page]:
        """`resume` is {"key": […], "cursor": text or None, "high": text or None} of the last row that was read."""
        by_cursor = bool(self.cursor and cursor)
        high = HighWater(CURSOR, self.form, (resume or {}).get("high") or cursor)
        start = start_value(cursor, form=self.form, overlap_seconds=self.overlap) if by_cursor and cursor else None
        last: Mapping[str, Any] | None = resume
        while True:
            rows = self._rows(start, last, by_cursor)
            if rows:
                tail = rows[-1]
                last = {"key": list(tail[: len(self.key)]), "cursor": tail[len(self.key)]}
            yield self._page(rows, last, high, by_cursor)
            if len(rows) < self.size:
                return

    def _page(self, rows: list[Any], last: Any, high: HighWater, by_cursor: bool) -> Page:
        head = len(self.key) + 1
        records: list[Record] = []
        bad: list[BadRecord] = []
        high.raise_to([{CURSOR: row[head - 1]} for row in rows])
        for position, row in enumerate(rows):
            record = self.values.record(self.columns, row[head:])
            place = find_nul(record) if self.may_hold_nul else None
            if place is None:
                records.append(record)
            else:
                text = "The text holds a NUL character, which the hub's database cannot keep."
                bad.append(BadRecord(position, RecordError(text, field=place, code="TEXT"), raw_text(record)))
        more = len(rows) == self.size
        resume = {**last, "high": high.value} if more and last else None
        return Page(records, resume=resume, cursor=high.value, ordered=by_cursor, bad=bad)

    def _rows(self, start: str | None, last: Mapping[str, Any] | None, by_cursor: bool) -> list[Any]:
        table = self.table.sql
        keys = [table.c[name] for name in self.key]
        cursor = table.c[self.cursor] if self.cursor else None
        # The key as text, so that it survives as JSON between two slices of a run.
        shown: list[Any] = [cast(column, String).label(f"__k{i}") for i, column in enumerate(keys)]
        shown.append((cast(cursor, String) if cursor is not None else literal(None)).label(CURSOR))
        query = select(*shown, *[table.c[name] for name in self.columns]).where(*self._filters())
        if by_cursor and cursor is not None:
            if start is not None:
                query = query.where(cursor >= cast(literal(start), cursor.type))
            if last and last.get("cursor") is not None:
                query = query.where(_after([cursor, *keys], [last["cursor"], *last["key"]]))
            query = query.order_by(cursor, *keys)
        else:
            if last:
                query = query.where(_after(keys, last["key"]))
            query = query.order_by(*keys)
        with translate(f"table {self.table.name}"), self.database.engine.connect() as db:
            return list(db.execute(query.limit(self.size)))

    def count(self, start: str, end: str) -> int | None:
        """Rows whose change time lies between the two, both included; None for a table without one."""
        if not self.cursor:
            return None
        column, conditions = self.table.sql.c[self.cursor], self._filters()
        if start:
            conditions.append(column >= cast(literal(start), column.type))
        if end:
            conditions.append(column <= cast(literal(end), column.type))
        query = select(func.count()).select_from(self.table.sql).where(*conditions)
        with translate(f"table {self.table.name}"), self.database.engine.connect() as db:
            return int(db.execute(query).scalar_one())

    def _filters(self) -> list[ColumnElement[bool]]:
        wanted = self.declared.get("where", {})
        return [
            self.table.sql.c[name].in_(value) if isinstance(value, list) else self.table.sql.c[name] == value
            for name, value in wanted.items()
        ]


def _after(columns: list[Any], values: list[str]) -> ColumnElement[bool]:
    """(a, b) > (x, y), written out: an index on (a, b) serves it in every database."""
    typed = [cast(literal(value), column.type) for column, value in zip(columns, values, strict=True)]
    steps = []
    for position, (column, value) in enumerate(zip(columns, typed, strict=True)):
        equal = [c == v for c, v in zip(columns[:position], typed[:position], strict=True)]
        steps.append(and_(*equal, column > value))
    return or_(*steps)
