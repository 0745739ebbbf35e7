"""Simulated SuiteProjects Pro (OpenAir) by REST: offsets in whole pages, and new rows that a cache hides at first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.simulators.base import open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planners.desk import USUAL_WORDS, DeskSimulator, Seed, kind, number, plain_seconds, whole
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Row, Table
from connectors.simulators.tokens import TokenBook

CLIENT = ("openair-rehearsal", "openair-rehearsal-secret")
REFRESH_TOKEN = "openair-refresh-1"
_HOME = ZoneInfo("America/New_York")
_MINUTES = Decimal(60)
_SHEET = {"draft": "O", "submitted": "S", "approved": "A", "rejected": "R"}


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return kind(name, "id", "updated", *fields, writable=writable)


KINDS = (
    _kind(
        "customers", Field("name"), Field("externalid"), Field("currency"), Field("active", "boolean"), writable=False
    ),
    _kind(
        "projects",
        Field("name", required=True, max_length=255),
        Field("externalid", max_length=100),
        number("customerid", references="customers"),
        number("userid"),
        Field("start_date", "date"),
        Field("finish_date", "date"),
        Field("budget", "decimal"),
        Field("budget_time", "decimal"),
        Field("currency"),
        Field("active", "boolean"),
    ),
    _kind(
        "project-tasks",
        number("projectid"),
        number("parentid"),
        Field("name"),
        Field("is_a_phase", "boolean"),
        Field("planned_hours", "decimal"),
        Field("percent_complete", "decimal"),
        writable=False,
    ),
    _kind(
        "bookings",
        number("userid"),
        number("projectid"),
        Field("startdate", "date"),
        Field("enddate", "date"),
        Field("hours", "decimal"),
        Field("percentage", "decimal"),
        writable=False,
    ),
    _kind(
        "time-entries",
        number("userid", required=True),
        number("projectid", required=True, references="projects"),
        number("projecttaskid", references="project-tasks"),
        Field("date", "date", required=True),
        Field("decimal_hours", "decimal", required=True),
        Field("status", options=tuple(_SHEET.values())),
        Field("notes"),
        Field("externalid", max_length=100),
    ),
    _kind(
        "expense-reports",
        Field("name"),
        number("userid", required=True),
        Field("date", "date"),
        Field("total", "decimal"),
        Field("currency"),
        Field("externalid", max_length=100),
    ),
)


class OpenAirSimulator(DeskSimulator):
    system, label = "openair", "Simulated SuiteProjects Pro (OpenAir)"
    kinds = KINDS
    base = "/rest/v1"
    changes = "PUT"
    default_page, largest_page = 100, 1000
    WORDS = {**USUAL_WORDS, "throttled": (429, "FREQUENCY_LIMIT"), "quota": (429, "DAILY_LIMIT")}

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("openair-", clock)
        # rows that the session's set of visible rows does not hold yet
        self._unseen: set[tuple[str, str]] = set()

    def guard(self, request: Request) -> None:
        if not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "The access token is not valid.")

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    def throttled(self, retry_after: int | None) -> Refusal:
        """The limits of an account speak in codes, not in headers."""
        return Refusal("throttled", "The account has used up its requests of this minute.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        return {"code": code, "message": refusal.message, **({"field": refusal.field} if refusal.field else {})}

    def stamp(self, instant: datetime) -> str:
        return plain_seconds(instant.astimezone(_HOME))

    @route("POST", "/login/oauth2/v1/token")
    @open_door
    def post_token(self, request: Request) -> Reply:
        form = request.form()
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return Reply(401, {"error": "invalid_client", "error_description": "The application is not known."})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != REFRESH_TOKEN:
            return Reply(400, {"error": "invalid_grant", "error_description": "The refresh token is not valid."})
        self._unseen.clear()
        seconds = self.settings.token_seconds
        return Reply(200, {"access_token": self.tokens.issue(seconds), "token_type": "Bearer", "expires_in": seconds})

    @route("POST", "/rest/v1/session/cache/refresh")
    def post_refresh(self, request: Request) -> Reply:
        body = request.json()
        if isinstance(body, dict) and body.get("filterSet") is True:
            self._unseen.clear()
        return Reply(200, {"data": {"filterSet": True}})

    def insert(self, kind: ObjectType, values: Row) -> Row:
        row = super().insert(kind, values)
        self._unseen.add((kind.name, str(row["id"])))
        return row

    def _load(self, table: Table, stamped: Stamped) -> None:
        self._unseen.clear()
        super()._load(table, stamped)

    def _handlers(self, table: Table) -> dict[tuple[str, bool], Any]:
        handlers = super()._handlers(table)
        if table.kind.name == "time-entries":
            # an entry is changed by way of its timesheet, which this interface does not reach
            handlers = {key: value for key, value in handlers.items() if key[0] in ("GET", "POST")}
        return handlers

    def selected(self, table: Table, query: Mapping[str, str]) -> list[Row]:
        return [row for key, row in table.rows.items() if (table.kind.name, key) not in self._unseen]

    def page(self, table: Table, rows: list[Row], request: Request) -> Reply:
        limit, offset = whole(request.query, "limit", self.default_page), whole(request.query, "offset", 0)
        if not 1 <= limit <= self.largest_page:
            raise Refusal("malformed", f"limit must be from 1 to {self.largest_page}.")
        if offset % limit:
            raise Refusal("malformed", f"offset must be a multiple of limit ({limit}), not {offset}.")
        pages = -(-len(rows) // limit)
        at = {"first": 0, "prev": offset - limit, "self": offset, "next": offset + limit, "last": (pages - 1) * limit}
        links = {n: f"{request.path}?limit={limit}&offset={o}" for n, o in at.items() if 0 <= o < max(len(rows), 1)}
        meta = {"rowsPerPage": limit, "totalPages": pages, "totalRows": len(rows), "links": links}
        return Reply(200, {"data": [self.shown(table.kind, r) for r in rows[offset : offset + limit]], "meta": meta})

    def single(self, kind: ObjectType, row: Row) -> Any:
        return {"data": self.shown(kind, row)}

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        row = super().derive(kind, row, before)
        defaults: Row = {"active": True, "status": "O"}
        return row | {name: value for name, value in defaults.items() if kind.field(name) and row.get(name) is None}

    def seeds(self, firm: Firm) -> dict[str, Seed]:
        customers = {c.code: 100 + c.n for c in firm.clients}
        projects = {p.code: 1_000 + p.n for p in firm.projects}
        users = {p.number: 10 + p.n for p in firm.people}
        tasks = {(t.project, t.wbs): 20_000 + t.n for t in firm.tasks}
        return {
            "customers": [
                {"id": customers[c.code], "name": c.name, "externalid": c.code, "currency": c.currency, "active": True}
                for c in firm.clients
            ],
            "projects": [{
                "id": projects[p.code], "name": p.name, "externalid": p.code, "customerid": customers.get(p.client),
                "userid": users.get(p.manager), "start_date": p.start.isoformat(), "finish_date": p.end.isoformat(),
                "budget": Decimal(p.budget_revenue), "budget_time": p.budget_minutes / _MINUTES,
                "currency": p.currency, "active": p.status != "closed",
            } for p in firm.projects],
            "project-tasks": [{
                "id": tasks[t.project, t.wbs], "projectid": projects[t.project],
                "parentid": tasks.get((t.project, t.parent)), "name": t.name, "is_a_phase": not t.parent,
                "planned_hours": t.planned_minutes / _MINUTES, "percent_complete": Decimal(0),
            } for t in firm.tasks],
            "bookings": [{
                "id": 30_000 + a.n, "userid": users[a.person], "projectid": projects[a.project],
                "startdate": a.start.isoformat(), "enddate": a.end.isoformat(), "percentage": Decimal(a.percent),
            } for a in firm.assignments],
            "time-entries": [{
                "id": 50_000 + t.n, "userid": users[t.person], "projectid": projects[t.project],
                "projecttaskid": tasks.get((t.project, t.task)), "date": t.day.isoformat(),
                "decimal_hours": t.minutes / _MINUTES, "status": _SHEET[t.status], "notes": t.notes,
                "externalid": t.reference,
            } for t in firm.time_entries],
            "expense-reports": [{
                "id": 40_000 + e.n, "name": e.category, "userid": users[e.person], "date": e.day.isoformat(),
                "total": Decimal(e.amount), "currency": e.currency, "externalid": e.reference,
            } for e in firm.expenses],
        }  # fmt: skip
