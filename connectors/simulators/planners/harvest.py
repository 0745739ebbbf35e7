"""Simulated Harvest: nested names, a page envelope with addresses, locked time, 429 that says when to come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planners.desk import DeskSimulator, Seed, kind, number, utc_seconds, whole
from connectors.simulators.tables import Field, ObjectType, Problem, Row, Table

ACCOUNT_ID = "990011"
_MINUTES = Decimal(60)
# what a record refers to by id is shown with its name
_SHOWN = {"client_id": ("client", "clients"), "project_id": ("project", "projects"), "user_id": ("user", "users")}


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return kind(name, "id", "updated_at", *fields, writable=writable)


CLIENTS = _kind(
    "clients",
    Field("name", required=True, unique=True),
    Field("is_active", "boolean"),
    Field("address"),
    Field("currency"),
)
PROJECTS = _kind(
    "projects",
    number("client_id", required=True, references="clients"),
    Field("client", "object", read_only=True),
    Field("name", required=True, max_length=255),
    Field("code", max_length=255),
    Field("is_active", "boolean"),
    Field("is_billable", "boolean"),
    Field("is_fixed_fee", "boolean"),
    Field("bill_by", options=("Project", "Tasks", "People", "none")),
    Field("budget_by"),
    Field("budget", "decimal"),
    Field("fee", "decimal"),
    Field("starts_on", "date"),
    Field("ends_on", "date"),
)
USERS = _kind(
    "users",
    Field("first_name", required=True),
    Field("last_name", required=True),
    Field("email", required=True, unique=True),
    Field("is_active", "boolean"),
    Field("is_contractor", "boolean"),
    Field("roles", "array"),
    number("weekly_capacity"),
    Field("default_hourly_rate", "decimal"),
    Field("cost_rate", "decimal"),
)
TIME_ENTRIES = _kind(
    "time_entries",
    number("user_id", required=True, references="users"),
    number("project_id", required=True, references="projects"),
    Field("user", "object", read_only=True),
    Field("project", "object", read_only=True),
    Field("spent_date", "date", required=True),
    Field("hours", "decimal"),
    Field("billable", "boolean"),
    Field("is_billed", "boolean", read_only=True),
    Field("is_locked", "boolean", read_only=True),
    Field("is_closed", "boolean", read_only=True),
    Field("locked_reason", read_only=True),
    Field("billable_rate", "decimal", read_only=True),
    Field("cost_rate", "decimal", read_only=True),
    Field("notes", max_length=4000),
    Field("external_reference", "object"),
)
EXPENSES = _kind(
    "expenses",
    number("user_id", required=True, references="users"),
    number("project_id", required=True, references="projects"),
    Field("user", "object", read_only=True),
    Field("project", "object", read_only=True),
    Field("spent_date", "date", required=True),
    Field("total_cost", "decimal", required=True),
    Field("billable", "boolean"),
    Field("is_billed", "boolean", read_only=True),
    Field("notes"),
)
INVOICES = _kind(
    "invoices",
    Field("number"),
    number("client_id", references="clients"),
    Field("client", "object", read_only=True),
    Field("amount", "decimal"),
    Field("due_amount", "decimal"),
    Field("tax_amount", "decimal"),
    Field("state"),
    Field("issue_date", "date"),
    Field("due_date", "date"),
    Field("currency"),
    writable=False,
)


class HarvestSimulator(DeskSimulator):
    system, label = "harvest", "Simulated Harvest"
    kinds = (CLIENTS, PROJECTS, USERS, TIME_ENTRIES, EXPENSES, INVOICES)
    base, token = "/v2", "harvest-rehearsal-token"
    default_page = largest_page = 2000
    demanded = {"user-agent": "User-Agent is missing: say which program asks and whom to write to."}
    hidden = frozenset({"user_id", "project_id", "client_id"})

    def guard(self, request: Request) -> None:
        super().guard(request)
        if request.headers.get("harvest-account-id") != ACCOUNT_ID:
            raise Refusal("unauthorised", "The account does not belong to the token.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        if status == 401:
            return {"error": "invalid_token", "error_description": refusal.message}
        return {"message": f"{refusal.field} {refusal.message}".strip() if refusal.field else refusal.message}

    def stamp(self, instant: datetime) -> str:
        return utc_seconds(instant)

    def _route(self, request: Request) -> Reply:
        if request.path == f"{self.base}/users/me" and request.method == "GET":
            self.guard(request)
            return Reply(200, {"id": 1, "first_name": "Integration", "last_name": "User", "email": "hub@example.com"})
        return super()._route(request)

    def selected(self, table: Table, query: Mapping[str, str]) -> list[Row]:
        """The newest first, as Harvest lists."""
        rows = list(table.by_change())[::-1]
        since = _instant(query.get("updated_since", ""))
        if since:
            rows = [row for row in rows if table.changed_at[str(row["id"])] >= since]
        if "external_reference_id" in query:
            rows = [r for r in rows if (r.get("external_reference") or {}).get("id") == query["external_reference_id"]]
        return rows

    def page(self, table: Table, rows: list[Row], request: Request) -> Reply:
        query, n = request.query, max(1, whole(request.query, "page", 1))
        size = self.page_size(query.get("per_page"), default=self.default_page, ceiling=self.largest_page)
        pages = max(1, -(-len(rows) // size))
        numbers = {
            "next": n + 1 if n < pages else None,
            "previous": n - 1 if n > 1 else None,
            "first": 1,
            "last": pages,
        }

        def link(number: int | None) -> str | None:
            address = f"{request.origin}{request.path}?{urlencode({**query, 'page': number, 'per_page': size})}"
            return address if number else None

        return Reply(200, {
            table.kind.name: [self.shown(table.kind, row) for row in rows[(n - 1) * size : n * size]],
            "per_page": size, "total_pages": pages, "total_entries": len(rows), "page": n,
            "next_page": numbers["next"], "previous_page": numbers["previous"],
            "links": {name: link(number) for name, number in numbers.items()},
        })  # fmt: skip

    def complete(self, kind: ObjectType, row: Row) -> Row:
        for by, (name, target) in _SHOWN.items():
            if kind.field(name) and row.get(by) is not None:
                held = self.tables[target].find("id", row[by])
                row = {**row, name: {"id": int(row[by]), "name": _name(held[0]) if held else ""}}
        return row

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        row = self.complete(kind, super().derive(kind, row, before))
        if before is None:
            flags = {"is_active": True, "billable": True, "is_billed": False, "is_locked": False, "is_closed": False}
            row |= {name: value for name, value in flags.items() if kind.field(name) and row.get(name) is None}
        return row

    def judge_change(self, kind: ObjectType, row: Row) -> None:
        if row.get("is_locked"):
            raise Problem("rule", "", f"This entry is locked: {row['locked_reason']}")

    def seeds(self, firm: Firm) -> dict[str, Seed]:
        clients = {c.code: 5_000_000 + c.n for c in firm.clients}
        projects = {p.code: 14_000_000 + p.n for p in firm.projects}
        users = {p.number: 1_700_000 + p.n for p in firm.people}
        return {
            "clients": [
                {"id": clients[c.code], "name": c.name, "is_active": True, "address": c.city, "currency": c.currency}
                for c in firm.clients
            ],
            "projects": [{
                "id": projects[p.code], "client_id": clients.get(p.client), "name": p.name, "code": p.code,
                "is_active": p.status != "closed", "is_billable": p.billing_type != "internal",
                "is_fixed_fee": p.billing_type == "fixed", "bill_by": "Tasks", "budget_by": "project",
                "budget": p.budget_minutes / _MINUTES, "starts_on": p.start.isoformat(), "ends_on": p.end.isoformat(),
            } for p in firm.projects],
            "users": [{
                "id": users[p.number], "first_name": p.given, "last_name": p.family, "email": p.email,
                "is_active": True, "is_contractor": False, "roles": [p.role], "weekly_capacity": p.weekly_hours * 3600,
            } for p in firm.people],
            "time_entries": [{
                "id": 636_000_000 + t.n, "user_id": users[t.person], "project_id": projects[t.project],
                "spent_date": t.day.isoformat(), "hours": t.minutes / _MINUTES, "billable": t.billable,
                "is_billed": t.invoiced, "is_locked": t.invoiced, "is_closed": t.status == "approved",
                "locked_reason": "Item Invoiced" if t.invoiced else None, "billable_rate": Decimal(t.bill_rate),
                "cost_rate": Decimal(t.cost_rate), "notes": t.notes, "external_reference": {"id": t.reference},
            } for t in firm.time_entries],
            "expenses": [{
                "id": 15_000_000 + e.n, "user_id": users[e.person], "project_id": projects[e.project],
                "spent_date": e.day.isoformat(), "total_cost": Decimal(e.amount), "billable": e.billable,
                "is_billed": False, "notes": e.category,
            } for e in firm.expenses],
            "invoices": [{
                "id": 13_000_000 + i.n, "number": i.number, "client_id": clients.get(i.client),
                "amount": Decimal(i.gross), "due_amount": Decimal(0 if i.paid else i.gross),
                "tax_amount": Decimal(i.tax), "state": "paid" if i.paid else "open",
                "issue_date": i.day.isoformat(), "due_date": i.due.isoformat(), "currency": i.currency,
            } for i in firm.invoices],
        }  # fmt: skip


def _name(row: Row) -> str:
    return str(row.get("name") or f"{row.get('first_name')} {row.get('last_name')}")


def _instant(text: str) -> datetime | None:
    try:
        return parse_instant(text.replace(" ", "+")) if text else None
    except ValueError:
        raise Refusal("malformed", "updated_since must be an ISO 8601 instant.") from None
