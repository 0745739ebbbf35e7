"""A small ERP behind JSON-RPC with the habits of Tryton: sessions, typed JSON, errors with status 200 in a list."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.http import Answer, Request

PASSWORD = "s3cret-token"


def typed(value: str | None) -> Any:
    """A date-time as it travels."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(moment, name) for name in names}}


def untyped(value: Any) -> Any:
    if isinstance(value, dict) and value.get("__class__") == "datetime":
        return datetime(**{name: part for name, part in value.items() if name != "__class__"}).isoformat()
    return value


@dataclass
class FakeErp:
    """`rows` is the oracle. Times are ISO texts; `write_date` is null until the first change."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    fault: Callable[[Request], Answer | None] | None = None
    page_size: int = 1000

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self.session = "s-1"
        self.logins = 0

    def put(self, **record: Any) -> dict[str, Any]:
        row = {"id": next(self._ids), "create_date": "2026-01-01T00:00:00", "write_date": None, **record}
        self.rows[row["id"]] = row
        return row

    def __call__(self, request: Request) -> Any:
        if self.fault and (answer := self.fault(request)):
            return answer
        call = request.json
        assert (call["jsonrpc"], request.path) == ("2.0", "/db/")
        if call["method"] == "common.db.login":
            return {"id": call["id"], **self._login(*call["params"])}
        session = "Session " + base64.b64encode(f"ann:7:{self.session}".encode()).decode()
        if request.headers.get("authorization") != session:
            return Answer("<h1>Unauthorized</h1>", 401)
        method = getattr(self, call["method"].rpartition(".")[2], None)
        if method is None:
            return Answer("<h1>Internal error</h1>", 500)
        return {"id": call["id"], **method(*call["params"])}

    def _login(self, user: str, secrets: dict[str, str]) -> dict[str, Any]:
        self.logins += 1
        return {"result": [7, self.session] if (user, secrets["password"]) == ("ann", PASSWORD) else None}

    def get_preferences(self, *args: Any) -> dict[str, Any]:
        return {"result": {"name": "Ann"}}

    def search_read(self, domain: list[Any], offset: int, limit: int, *args: Any) -> dict[str, Any]:
        rows = [row for row in sorted(self.rows.values(), key=lambda row: row["id"]) if self._fits(row, domain)]
        return {"result": [self._shown(row) for row in rows[offset : offset + min(limit, self.page_size)]]}

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        shown = {name: typed(value) if name.endswith("_date") else value for name, value in row.items()}
        if "price" in row:
            shown["price"] = {"__class__": "Decimal", "decimal": row["price"]}
        return shown

    def _fits(self, row: dict[str, Any], domain: list[Any]) -> bool:
        if domain and domain[0] == "OR":
            return any(self._fits(row, [part] if isinstance(part[0], str) else part) for part in domain[1:])
        return all(
            self._fits(row, clause) if isinstance(clause[0], list) or clause[0] == "OR" else self._holds(row, *clause)
            for clause in domain
        )

    def _holds(self, row: dict[str, Any], name: str, operator: str, value: Any) -> bool:
        value, mine = untyped(value), row.get(name)
        if operator == "=":
            return bool(mine == value)
        if operator == "in":
            return mine in value
        return mine is not None and mine >= value

    def create(self, records: list[dict[str, Any]], *args: Any) -> dict[str, Any]:
        if any(record.get("name") == "bad" for record in records):
            return {"error": ["UserError", ["the name is bad", ""]]}
        return {"result": [self.put(**record)["id"] for record in records]}

    def write(self, ids: list[int], values: dict[str, Any], *args: Any) -> dict[str, Any]:
        if values.get("name") == "bad":
            return {"error": ["UserError", ["the name is bad", ""]]}
        for key in ids:
            self.rows[int(key)].update(values, write_date="2026-06-01T00:00:00")
        return {"result": None}
