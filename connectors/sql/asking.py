"""One number from a database by a query of a person's: read-only, one statement, within a time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from connectors.sql.database import Database
from connectors.sql.failures import translate
from connectors.sql.query_text import parameters_of, problem
from hub.common.errors import ConfigError, RecordError
from hub.common.money import parse_decimal


def ask(database: Database, query: str, *, parameters: Mapping[str, Any], seconds: int) -> Decimal:
    """The number that a query gives. ConfigError for a query that cannot be asked or gives anything else.

    The transaction is read-only at the server, and the query stands in brackets, where no statement that writes may stand.
    """
    if sentence := problem(query, parameters):
        raise ConfigError(sentence, where="query")
    inner = query.strip().rstrip(";")
    used = {name: parameters[name] for name in parameters_of(inner)}
    with translate("query"), database.engine.connect() as db:
        _only_read(db, database, seconds)
        rows = db.execute(text(f"select * from (\n{inner}\n) asked limit 2"), used).all()
        db.rollback()
    return _number([tuple(row) for row in rows])


def _only_read(db: Connection, database: Database, seconds: int) -> None:
    """Before the first statement of the transaction; the pool's next user begins another one."""
    if database.is_postgresql:
        db.execute(text("set transaction read only"))
        db.execute(text(f"set local statement_timeout = {seconds * 1000:d}"))
        return
    db.execute(text(f"set session max_statement_time = {seconds:d}"))
    db.rollback()
    db.execute(text("start transaction read only"))


def _number(rows: list[tuple[Any, ...]]) -> Decimal:
    if len(rows) != 1 or len(rows[0]) != 1:
        shape = "no row" if not rows else f"{len(rows[0])} columns" if len(rows[0]) != 1 else "several rows"
        raise ConfigError(f"The query must give one number, and gave {shape}.", where="query")
    if rows[0][0] is None:
        raise ConfigError(
            "The query gave null, which is no number.", where="query", fix="Write coalesce(…, 0) if nothing means 0."
        )
    try:
        return parse_decimal(rows[0][0])
    except RecordError as error:
        raise ConfigError(f"The query must give one number. {error.what}", where="query") from None
