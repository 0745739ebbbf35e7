"""SQL databases: PostgreSQL and MariaDB. Reads by keyset, writes by the table's own unique key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connectors import catalog
from connectors.base import REMOVALS
from connectors.catalog import Declaration
from connectors.checking import Step, StepName, run_steps
from connectors.declared import DeclaredConnector
from connectors.sql import asking, finding, reading, tables
from connectors.sql.database import Database
from connectors.sql.failures import translate
from connectors.sql.writing import Writer
from hub.common.http import Redactor
from hub.common.records import CheckStep, Page, Record, StreamInfo, StreamSpec, WriteItem, WriteOutcome

OWN = {
    "name": "sql",
    "label": "SQL database",
    "category": "legacy",
    "protocol": "sql",
    "description": "Tables and views of a PostgreSQL or MariaDB database.",
    "time_zone": "${config.time_zone}",
    "config": {
        "dialect": {"title": "Kind", "enum": ["postgresql", "mariadb"], "default": "postgresql"},
        "host": {
            "title": "Host",
            "help": "Name, address, or the folder of a unix socket.",
            "example": "db.firm.example",
        },
        "port": {"title": "Port", "type": "integer", "required": False, "help": "5432 or 3306 when left out."},
        "database": {"title": "Database", "example": "legacy_erp"},
        "user": {
            "title": "User",
            "help": "With no more rights than needed: select to read, insert and update to write.",
        },
        "password": {"title": "Password", "type": "secret", "required": False},
        "schemas": {
            "title": "Schemas",
            "required": False,
            "help": "Comma-separated; the user's default when left out.",
        },
        "encoding": {"title": "Text encoding", "enum": ["utf8", "latin1", "cp1252"], "default": "utf8"},
        "tls": {"title": "TLS", "enum": ["disable", "require", "verify"], "default": "require"},
        "time_zone": {
            "title": "Time zone",
            "default": "UTC",
            "help": "Zone of times that the tables hold without one.",
        },
    },
    "database": {
        "dialect": "${config.dialect}",
        "host": "${config.host}",
        "port": "${config.port}",
        "name": "${config.database}",
        "user": "${config.user}",
        "password": "${secret.password}",
    },
    "streams": {},
}


class SqlConnector(DeclaredConnector):
    protocol: ClassVar[str] = "sql"
    label: ClassVar[str] = "SQL database"
    batch_size = 1000
    takes_queries: ClassVar[bool] = True

    @classmethod
    def own_declaration(cls) -> Declaration:
        return catalog.parse(OWN, source="sql")

    @cached_property
    def access(self) -> dict[str, Any]:
        """How the database is reached: the declaration's section, with what the connection says of encoding and TLS."""
        chosen = {name: self.config[name] for name in ("encoding", "tls") if self.config.get(name)}
        return {**chosen, **self.section("database")}

    @cached_property
    def database(self) -> Database:
        return Database.open(self)

    def declared_stream(self, spec: StreamSpec) -> Mapping[str, Any]:
        """A declared stream, or simply the table of that name."""
        return self.declaration.streams.get(spec.name) or {"table": spec.name}

    def table_of(self, spec: StreamSpec) -> tables.Table:
        stream = self.declared_stream(spec)
        return self.database.table(str(stream.get("table") or spec.name))

    # --- check -----------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[CheckStep]:
        return run_steps(self._steps(), Redactor(self.secrets.values()))

    def _steps(self) -> Iterator[tuple[StepName, Step]]:
        yield "resolve", lambda seconds: Database.locate(self, seconds).words
        yield "connect", lambda seconds: self.database.greet(seconds)
        yield "authenticate", lambda seconds: f"Signed in as {self.database.who()}."
        yield "read", lambda seconds: self._read_one()

    def _read_one(self) -> str:
        names = self.database.table_names()
        if not names:
            return "The user sees no table yet."
        with translate(f"table {names[0]}"), self.database.engine.connect() as db:
            row = db.execute(text(f"select 1 from {self.database.quoted(names[0])} limit 1")).first()
        return f"{len(names)} tables and views; {names[0]} {'holds records' if row else 'is empty'}."

    # --- the rest --------------------------------------------------------------------------------------------------

    def discover(self) -> Sequence[StreamInfo]:
        if self.declaration.streams:
            return [tables.describe_declared(self.database, n, s) for n, s in self.declaration.streams.items()]
        return [tables.describe(self.database, name) for name in self.database.table_names()]

    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        return reading.Reader(self, stream).pages(cursor, resume)

    def safety(self, stream: StreamSpec, *, updating: bool = False) -> str:
        """A table that enforces the key takes a repeated upsert without harm."""
        return "B" if self.table_of(stream).enforces(stream.key) else "D"

    def removals(self, stream: StreamSpec) -> frozenset[str]:
        """Rows can always be deleted; deactivating them takes the columns that say so."""
        marks = (self.declared_stream(stream).get("write", {}).get("deactivate") or {}).get("set")
        return REMOVALS if marks else frozenset({"delete"})

    def write(self, stream: StreamSpec, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        return Writer(self.database, self.table_of(stream), stream, self.declared_stream(stream)).write(items)

    def count(self, stream: StreamSpec, *, start: str, end: str) -> int | None:
        return reading.Reader(self, stream).count(start, end)

    def find(self, stream: StreamSpec, keys: Sequence[str]) -> dict[str, Record]:
        return finding.find(self, stream, keys)

    def ask(self, query: str, *, parameters: Mapping[str, Any], seconds: int) -> Decimal:
        return asking.ask(self.database, query, parameters=parameters, seconds=seconds)

    def close(self) -> None:
        opened = self.__dict__.pop("database", None)
        if opened:
            with translate("close", ignore=SQLAlchemyError):
                opened.engine.dispose()
