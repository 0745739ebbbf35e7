"""Writing rows: upserts by the table's own unique key, in batches where the database is quick at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.sql import mariadb, postgres
from connectors.sql.database import Database
from connectors.sql.failures import CommitUnknown, as_hub_error, translate
from connectors.sql.keys import join_key, row_keys
from connectors.sql.tables import Table
from hub.common.errors import ConfigError, HubError, RecordError, TransientError, UnknownOutcome
from hub.common.records import Record, StreamSpec, WriteItem, WriteOutcome, WriteStatus

# Below this, writing rows together costs more than it saves.
COPY_FROM = 50


class Writer:
    """Writes items of one table; one transaction a call."""

    def __init__(self, database: Database, table: Table, stream: StreamSpec, declared: Mapping[str, Any]) -> None:
        self.database, self.table, self.declared = database, table, declared
        self.key = tuple(stream.key)

    def write(self, items: Sequence[WriteItem]) -> list[WriteOutcome]:
        """One outcome for each item, in the same order. Raises ConfigError before anything is written."""
        self._check(items)
        outcomes: dict[int, WriteOutcome] = {}
        for positions in self._shapes(items):
            done = self._at_once([items[position] for position in positions])
            outcomes.update(zip(positions, done or (), strict=False))
        left = [position for position in range(len(items)) if position not in outcomes]
        if left:
            outcomes.update(zip(left, self._one_by_one([items[position] for position in left]), strict=True))
        return [outcomes[position] for position in range(len(items))]

    def _shapes(self, items: Sequence[WriteItem]) -> Iterator[list[int]]:
        """Positions of upserts that have the same columns, where they are many enough to go together."""
        shapes: dict[tuple[str, ...], list[int]] = {}
        for position, item in enumerate(items):
            if item.operation == "upsert":
                shapes.setdefault(tuple(item.body), []).append(position)
        return (positions for positions in shapes.values() if len(positions) >= COPY_FROM)

    def _check(self, items: Sequence[WriteItem]) -> None:
        if not self.key:
            raise ConfigError(
                "The stream has no key.", where=self.table.name, fix="Choose the columns that identify a row."
            )
        self.table.require(self.key)
        shapes = {tuple(item.body) for item in items}  # of thousands of rows, most have the same columns
        self.table.require(dict.fromkeys(name for shape in shapes for name in shape))
        if any(item.operation == "upsert" for item in items) and not self.table.enforces(self.key):
            raise ConfigError(
                f"The table {self.table.name} does not keep ({', '.join(self.key)}) unique, so a repeated write would double.",
                where=self.table.name,
                fix="Add a unique index on these columns, or choose other key fields.",
                code="NOT_UNIQUE",
            )

    # --- many rows at once -----------------------------------------------------------------------------------------

    def _at_once(self, items: Sequence[WriteItem]) -> list[WriteOutcome] | None:
        """All rows in one statement, or None when they do not go together and must be tried one by one."""
        keys = row_keys([item.body for item in items], self.key)
        if keys is None:
            return None
        upsert = postgres.upsert if self.database.is_postgresql else mariadb.upsert
        try:
            created = upsert(self.database, self.table, self.key, [item.body for item in items], keys)
        except SQLAlchemyError as error:
            return self._failed_batch(error, items)
        except CommitUnknown as error:
            unsure = UnknownOutcome(f"The connection broke at the commit: {error}.", where=self.table.name)
            return [WriteOutcome(item.key, "unsure", error=unsure) for item in items]
        return [
            WriteOutcome(item.key, "created" if key in created else "updated", ref=key)
            for item, key in zip(items, keys, strict=True)
        ]

    def _failed_batch(self, error: SQLAlchemyError, items: Sequence[WriteItem]) -> list[WriteOutcome] | None:
        """Nothing was written. One bad row spoils a statement: the rows are then tried one by one to find it."""
        found = as_hub_error(error, self.table.name)
        if isinstance(found, RecordError):
            return None
        if isinstance(found, TransientError):
            return [WriteOutcome(item.key, "failed", error=found) for item in items]
        raise found

    # --- any database, row by row ----------------------------------------------------------------------------------

    def _one_by_one(self, items: Sequence[WriteItem]) -> list[WriteOutcome]:
        outcomes: list[WriteOutcome] = []
        with translate(self.table.name), self.database.engine.connect() as db:
            for item in items:
                outcomes.append(self._guarded(db, item))
            try:
                db.commit()
            except DBAPIError as error:
                unsure = UnknownOutcome(f"The connection broke at the commit: {error.orig}.", where=self.table.name)
                return [WriteOutcome(item.key, "unsure", error=unsure) for item in items]
        return outcomes

    def _guarded(self, db: Connection, item: WriteItem) -> WriteOutcome:
        """A refused row leaves the others alone."""
        try:
            with db.begin_nested():
                return self._write_one(db, item)
        except SQLAlchemyError as error:
            return WriteOutcome(item.key, "failed", error=as_hub_error(error, self.table.name))
        except HubError as error:
            return WriteOutcome(item.key, "failed", error=error)

    def _write_one(self, db: Connection, item: WriteItem) -> WriteOutcome:
        if item.operation in ("delete", "deactivate"):
            return self._remove(db, item)
        values = self._key_values(item)
        ref = join_key([str(values[name]) for name in self.key])
        condition = [self.table.sql.c[name] == values[name] for name in self.key]
        exists = (
            db.execute(select(self.table.sql.c[self.key[0]]).where(*condition).with_for_update()).first() is not None
        )
        if item.operation == "create" or not exists:
            db.execute(insert(self.table.sql).values(**item.body))
            return WriteOutcome(item.key, "created", ref=ref)
        changed = {name: value for name, value in item.body.items() if name not in self.key}
        if changed:
            db.execute(update(self.table.sql).where(*condition).values(**changed))
        return WriteOutcome(item.key, "updated", ref=ref)

    def _key_values(self, item: WriteItem) -> Record:
        missing = [name for name in self.key if item.body.get(name) in (None, "")]
        if missing:
            raise RecordError(f"The key column {missing[0]!r} has no value.", field=missing[0], fix="Map it.")
        return {name: item.body[name] for name in self.key}

    def _remove(self, db: Connection, item: WriteItem) -> WriteOutcome:
        """Deactivation sets the declared columns; a row that is gone already counts as done."""
        values = self._key_values(item)
        condition = [self.table.sql.c[name] == value for name, value in values.items()]
        marks = ((self.declared.get("write") or {}).get(item.operation) or {}).get("set")
        if item.operation == "deactivate":
            if not marks:
                raise ConfigError("The stream does not say what closes a row.", where="write.deactivate.set")
            result = db.execute(update(self.table.sql).where(*condition).values(**marks))
        else:
            result = db.execute(delete(self.table.sql).where(*condition))
        status: WriteStatus = "updated" if result.rowcount else "unchanged"
        return WriteOutcome(item.key, status, ref=join_key([str(v) for v in values.values()]))
