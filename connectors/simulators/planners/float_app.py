"""Simulated Float: bare lists, pages told in headers, errors as a list, flags as 0 and 1."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planners.desk import DeskSimulator, Seed, kind, number, plain_seconds, whole
from connectors.simulators.tables import Field, ObjectType, Row, Table

_MINUTES = Decimal(60)


def _kind(name: str, key: str, *fields: Field, writable: bool = True) -> ObjectType:
    return kind(name, key, "modified", *fields, writable=writable)


KINDS = (
    _kind("clients", "client_id", Field("name", required=True, unique=True)),
    _kind(
        "people",
        "people_id",
        Field("name", required=True, max_length=255),
        Field("email", unique=True),
        Field("job_title"),
        number("active"),
        number("contractor"),
        number("employee_type"),
        Field("start_date", "date"),
        Field("work_days_hours", "array"),
        Field("default_hourly_rate", "decimal"),
        Field("cost_rate", "decimal"),
    ),
    _kind(
        "projects",
        "project_id",
        Field("name", required=True, max_length=255),
        Field("project_code", max_length=32),
        number("client_id", references="clients"),
        number("budget_type"),
        Field("budget_total", "decimal"),
        number("non_billable"),
        number("tentative"),
        number("active"),
    ),
    _kind(
        "tasks",
        "task_id",
        number("project_id", required=True, references="projects"),
        number("people_id", required=True, references="people"),
        Field("start_date", "date", required=True),
        Field("end_date", "date", required=True),
        Field("hours", "decimal", required=True),
        number("status"),
    ),
    _kind(
        "timeoffs",
        "timeoff_id",
        Field("timeoff_type_name"),
        Field("people_ids", "array"),
        Field("start_date", "date"),
        Field("end_date", "date"),
        Field("hours", "decimal"),
        writable=False,
    ),
    _kind(
        "logged-time",
        "logged_time_id",
        number("people_id"),
        number("project_id"),
        Field("date", "date"),
        Field("hours", "decimal"),
        number("billable"),
        Field("notes"),
        writable=False,
    ),
)


class FloatSimulator(DeskSimulator):
    system, label = "float", "Simulated Float"
    kinds = KINDS
    base, token = "/v3", "float-rehearsal-token"
    default_page, largest_page = 50, 200
    demanded = {"user-agent": "User-Agent is missing: say which program asks and whom to write to."}

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        if status == 422:
            return [{"field": refusal.field, "message": refusal.message}]
        return {"name": code, "message": refusal.message, "code": 0, "status": status}

    def stamp(self, instant: datetime) -> str:
        return plain_seconds(instant)

    def page(self, table: Table, rows: list[Row], request: Request) -> Reply:
        n = max(1, whole(request.query, "page", 1))
        size = self.page_size(request.query.get("per-page"), default=self.default_page, ceiling=self.largest_page)
        told = {"Total-Count": len(rows), "Page-Count": -(-len(rows) // size), "Current-Page": n, "Per-Page": size}
        headers = {f"X-Pagination-{name}": str(value) for name, value in told.items()}
        return Reply(200, [self.shown(table.kind, row) for row in rows[(n - 1) * size : n * size]], headers)

    def seeds(self, firm: Firm) -> dict[str, Seed]:
        clients = {c.code: 700 + c.n for c in firm.clients}
        projects = {p.code: 9_000 + p.n for p in firm.projects}
        people = {p.number: 5_000 + p.n for p in firm.people}
        return {
            "clients": [{"client_id": clients[c.code], "name": c.name} for c in firm.clients],
            "people": [{
                "people_id": people[p.number], "name": p.name, "email": p.email, "job_title": p.role, "active": 1,
                "contractor": 0, "employee_type": 1, "start_date": p.hire_date.isoformat(),
                "work_days_hours": [0, *[Decimal(p.weekly_hours) / 5] * 5, 0],
            } for p in firm.people],
            "projects": [{
                "project_id": projects[p.code], "name": p.name, "project_code": p.code,
                "client_id": clients.get(p.client), "budget_type": 1, "budget_total": p.budget_minutes / _MINUTES,
                "non_billable": int(p.billing_type == "internal"), "tentative": 0, "active": int(p.status != "closed"),
            } for p in firm.projects],
            "tasks": [{
                "task_id": 80_000 + a.n, "project_id": projects[a.project], "people_id": people[a.person],
                "start_date": a.start.isoformat(), "end_date": a.end.isoformat(),
                "hours": Decimal(8 * a.percent) / 100, "status": 2 if a.hard else 1,
            } for a in firm.assignments],
            "timeoffs": [{
                "timeoff_id": 60_000 + a.n, "timeoff_type_name": a.kind, "people_ids": [people[a.person]],
                "start_date": a.start.isoformat(), "end_date": a.end.isoformat(), "hours": Decimal(8),
            } for a in firm.absences if a.person in people],
            "logged-time": [{
                "logged_time_id": 400_000 + t.n, "people_id": people[t.person], "project_id": projects[t.project],
                "date": t.day.isoformat(), "hours": t.minutes / _MINUTES, "billable": int(t.billable), "notes": t.notes,
            } for t in firm.time_entries],
        }  # fmt: skip
