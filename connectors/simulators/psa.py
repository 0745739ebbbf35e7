"""Simulated PSA in the style of Kantata: records keyed by id, page numbers, no idempotency, errors as a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar

from connectors.simulators import psa_data
from connectors.simulators.base import Simulator, route
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Problem, Row, Table

TOKEN = "demo-psa-token"
BASE = "/api/v1"
_NOT_FILTERS = {"page", "per_page", "order", "updated_after", "created_after", "only", "include", "optional_fields"}


class PsaSimulator(Simulator):
    system, label = "psa", "Simulated PSA"
    kinds: ClassVar[tuple[ObjectType, ...]] = psa_data.KINDS
    WORDS = {
        "malformed": (400, "system"),
        "unauthorised": (401, "oauth"),
        "not_found": (404, "system"),
        "method": (405, "system"),
        "throttled": (429, "system"),
        "server": (503, "system"),
        "unknown": (422, "validation"),
        "read_only": (422, "validation"),
        "required": (422, "validation"),
        "length": (422, "validation"),
        "value": (422, "validation"),
        "duplicate": (422, "validation"),
        "reference": (422, "validation"),
    }

    def guard(self, request: Request) -> None:
        if request.headers.get("authorization", "") != f"Bearer {TOKEN}":
            raise Refusal("unauthorised", "Invalid OAuth 2 Request")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        error: Row = {"type": code, "message": refusal.message}
        return {"errors": [error | ({"field": refusal.field} if refusal.field else {})]}

    def throttled(self, retry_after: int | None) -> Refusal:
        """The real system answers 429 without saying when to come back."""
        return Refusal("throttled", "Rate limit exceeded")

    def stamp(self, instant: datetime) -> str:
        return psa_data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return str(9_000_000 + n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return psa_data.rows(firm)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        row["created_at"] = row["created_at"] or row["updated_at"]
        if kind.name == psa_data.TIME_ENTRIES.name:
            self._judge_time(row, before)
        if kind.name == psa_data.WORKSPACES.name:
            self._complete_project(row, before)
        return row

    def _complete_project(self, row: Row, before: Row | None) -> None:
        """The full status for its key, and the first client beside the list of clients."""
        key = (row["status"] or {}).get("key", "approved")
        if key not in psa_data.STATUSES and (before is None or row["status"] != before["status"]):
            raise Problem("value", "status", f"Status {key} is not one of {', '.join(psa_data.STATUSES)}")
        row["status"] = psa_data.STATUSES.get(key, row["status"])
        if row["workspace_group_id"] != (before or {}).get("workspace_group_id"):
            row["workspace_group_ids"] = [row["workspace_group_id"]] if row["workspace_group_id"] else []
        row["workspace_group_ids"] = [str(group) for group in row["workspace_group_ids"] or []]
        for group in row["workspace_group_ids"]:
            if group not in self.tables["workspace_groups"].rows:
                raise Problem("reference", "workspace_group_ids", f"Workspace group {group} could not be found")
        row["workspace_group_id"] = next(iter(row["workspace_group_ids"]), None)

    def _judge_time(self, row: Row, before: Row | None) -> None:
        was_approved = before is not None and before["status"] == "approved"
        row["status"] = row["status"] or "draft"
        row["approved"] = row["status"] == "approved"
        if not row["approved"]:
            row["approved_at"] = None
        elif not was_approved:
            row["approved_at"] = row["updated_at"]

    # Reading

    @route("GET", BASE + "/users/me")
    def get_me(self, request: Request) -> Reply:
        me = {"id": "60000", "full_name": "Integration user", "email_address": "hub@harrowvale.example"}
        return Reply(200, {"count": 1, "results": [{"key": "users", "id": "60000"}], "users": {"60000": me}})

    @route("GET", BASE + "/{name}")
    def get_list(self, request: Request, name: str) -> Reply:
        table = self.table(name)
        found = list(self._filtered(table, request.query))
        number = request.query.get("page", "1")
        if not number.isdecimal() or number == "0":
            raise Refusal("malformed", "page must be a positive number")
        size = self.page_size(request.query.get("per_page"), default=20, ceiling=200)
        start = (int(number) - 1) * size
        meta = {
            "count": len(found),
            "page_count": -(-len(found) // size),
            "page_number": int(number),
            "page_size": size,
        }
        return self._envelope(table.kind, found[start : start + size], meta)

    @route("GET", BASE + "/{name}/{key}")
    def get_one(self, request: Request, name: str, key: str) -> Reply:
        table = self.table(name)
        return self._envelope(table.kind, [self.row(table, key)])

    def _filtered(self, table: Table, query: dict[str, str]) -> Iterator[Row]:
        """Rows in the order asked for; every parameter that is a field's name narrows the list, `a,b` means either."""
        after = _instant(query, "updated_after")
        created_after = _instant(query, "created_after")
        wanted = {name: set(text.split(",")) for name, text in query.items() if name not in _NOT_FILTERS}
        if "only" in query:
            wanted["id"] = set(query["only"].split(","))
        unknown = [name for name in wanted if table.kind.field(name) is None]
        if unknown:
            raise Refusal("malformed", f"Unknown parameter {unknown[0]}")
        for row in self._in_order(table, query.get("order", "")):
            if after and table.changed_at[str(row["id"])] <= after:
                continue
            if created_after and parse_instant(row["created_at"]) <= created_after:
                continue
            if all(str(row.get(name)) in texts for name, texts in wanted.items()):
                yield row

    def _in_order(self, table: Table, order: str) -> Iterable[Row]:
        name, _, direction = order.partition(":")
        rows = list(table.by_change()) if name == "updated_at" else list(table.rows.values())
        if name and table.kind.field(name) is None:
            raise Refusal("malformed", f"Unknown order {name}")
        if name and name != "updated_at":
            rows.sort(key=lambda row: str(row.get(name) or ""))
        return reversed(rows) if direction == "desc" else rows

    def _envelope(self, kind: ObjectType, rows: list[Row], meta: Row | None = None) -> Reply:
        body: Row = {"count": meta["count"] if meta else len(rows)}
        if meta:
            body["meta"] = meta
        body["results"] = [{"key": kind.name, "id": row["id"]} for row in rows]
        body[kind.name] = {str(row["id"]): self.shown(kind, row) for row in rows}
        return Reply(200, body)

    # Writing

    @route("POST", BASE + "/{name}")
    def post_one(self, request: Request, name: str) -> Reply:
        """Sent twice, it is there twice: the system knows no idempotency."""
        table = self.table(name)
        values = table.check_values(self._unwrapped(table.kind, request), strict=False)
        return self._envelope(table.kind, [self.insert(table.kind, values)])

    @route("PUT", BASE + "/{name}/{key}")
    def put_one(self, request: Request, name: str, key: str) -> Reply:
        table = self.table(name)
        self.row(table, key)
        values = table.check_values(self._unwrapped(table.kind, request), strict=False)
        return self._envelope(table.kind, [self.update(table.kind, key, values)])

    @route("DELETE", BASE + "/{name}/{key}")
    def delete_one(self, request: Request, name: str, key: str) -> Reply:
        table = self.table(name)
        self.row(table, key)
        self.delete(table.kind, key)
        return Reply(204)

    def _unwrapped(self, kind: ObjectType, request: Request) -> Row:
        name, body = singular(kind.name), request.json()
        values = body.get(name) if isinstance(body, dict) else None
        if not isinstance(values, dict):
            raise Refusal("malformed", f"param is missing or the value is empty: {name}")
        return values


def singular(name: str) -> str:
    """The name under which a record is sent: `time_entry` for `time_entries`."""
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def _instant(query: dict[str, str], name: str) -> datetime | None:
    """A `+` in a query that was not escaped arrives as a blank."""
    if not query.get(name):
        return None
    try:
        return parse_instant(query[name].replace(" ", "+"))
    except ValueError:
        raise Refusal("malformed", f"{name} must be an ISO 8601 instant") from None
