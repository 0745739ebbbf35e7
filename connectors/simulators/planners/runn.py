"""Simulated Runn: opaque cursors, a version header, and records that list their names in other systems."""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planners.desk import USUAL_WORDS, DeskSimulator, Seed, kind, number, utc_seconds
from connectors.simulators.tables import Field, ObjectType, Row, Table

_PRICING = {"tm": "tm", "fixed": "fp", "internal": "nb"}


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return kind(name, "id", "updatedAt", *fields, writable=writable)


_NAMES = (Field("isArchived", "boolean"), Field("references", "array"))
KINDS = (
    _kind("clients", Field("name", required=True), *_NAMES),
    _kind("people", Field("firstName", required=True), Field("lastName", required=True), Field("email"), *_NAMES),
    _kind(
        "projects",
        Field("name", required=True),
        number("clientId", required=True, references="clients"),
        Field("pricingModel", options=("tm", "fp", "nb")),
        Field("isConfirmed", "boolean"),
        number("rateCardId", references="rate-cards"),
        Field("budget", "decimal"),
        *_NAMES,
    ),
    _kind(
        "assignments",
        number("personId", required=True, references="people"),
        number("projectId", required=True, references="projects"),
        number("roleId"),
        Field("startDate", "date", required=True),
        Field("endDate", "date", required=True),
        number("minutesPerDay", required=True),
        Field("isBillable", "boolean"),
    ),
    _kind(
        "actuals",
        Field("date", "date"),
        number("personId"),
        number("projectId"),
        number("billableMinutes"),
        number("nonbillableMinutes"),
        writable=False,
    ),
    _kind("rate-cards", Field("name"), writable=False),
)


class RunnSimulator(DeskSimulator):
    system, label = "runn", "Simulated Runn"
    kinds = KINDS
    base, token = "", "runn-rehearsal-token"
    default_page, largest_page = 50, 200
    demanded = {"accept-version": "Accept-Version is missing: this is version 1.0.0."}
    WORDS = {
        **USUAL_WORDS,
        **dict.fromkeys(("unknown", "read_only", "required", "length", "value", "reference"), (400, "Bad Request")),
    }

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        place = f"body/{refusal.field} " if refusal.field else ""
        return {"statusCode": status, "error": code, "message": f"{place}{refusal.message}"}

    def stamp(self, instant: datetime) -> str:
        return utc_seconds(instant)

    def _route(self, request: Request) -> Reply:
        if request.path == "/me" and request.method == "GET":
            self.guard(request)
            return Reply(200, {"id": 1, "email": "hub@example.com"})
        return super()._route(request)

    def page(self, table: Table, rows: list[Row], request: Request) -> Reply:
        size = self.page_size(request.query.get("limit"), default=self.default_page, ceiling=self.largest_page)
        start = _position(request.query.get("cursor", ""), table.kind.name)
        following = _cursor(table.kind.name, start + size) if start + size < len(rows) else None
        shown = [self.shown(table.kind, row) for row in rows[start : start + size]]
        return Reply(200, {"values": shown, "nextCursor": following})

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        row = super().derive(kind, row, before)
        defaults: Row = {"isArchived": False, "references": [], "isConfirmed": True, "isBillable": True}
        return row | {name: value for name, value in defaults.items() if kind.field(name) and row.get(name) is None}

    def seeds(self, firm: Firm) -> dict[str, Seed]:
        clients = {c.code: 300 + c.n for c in firm.clients}
        projects = {p.code: 2_000 + p.n for p in firm.projects}
        people = {p.number: 1_000 + p.n for p in firm.people}
        cards = {c.code: 40 + n for n, c in enumerate(firm.rate_cards)}
        # the firm keeps its own product for house projects
        house = 299
        held = {"isArchived": False}
        return {
            "clients": [
                {"id": house, "name": "House", "references": [], **held},
                *({"id": clients[c.code], "name": c.name, "references": _known(c.code), **held} for c in firm.clients),
            ],
            "people": [{
                "id": people[p.number], "firstName": p.given, "lastName": p.family, "email": p.email,
                "references": _known(p.number), **held,
            } for p in firm.people],
            "projects": [{
                "id": projects[p.code], "name": p.name, "clientId": clients.get(p.client, house),
                "pricingModel": _PRICING.get(p.billing_type, "tm"), "isConfirmed": True,
                "isArchived": p.status == "closed", "rateCardId": cards.get(p.rate_card),
                "budget": Decimal(p.budget_revenue), "references": _known(p.code),
            } for p in firm.projects],
            "assignments": [{
                "id": 70_000 + a.n, "personId": people[a.person], "projectId": projects[a.project], "roleId": 1,
                "startDate": a.start.isoformat(), "endDate": a.end.isoformat(),
                "minutesPerDay": 480 * a.percent // 100, "isBillable": True,
            } for a in firm.assignments],
            "actuals": [{
                "id": 500_000 + t.n, "date": t.day.isoformat(), "personId": people[t.person],
                "projectId": projects[t.project], "billableMinutes": t.minutes if t.billable else 0,
                "nonbillableMinutes": 0 if t.billable else t.minutes,
            } for t in firm.time_entries],
            "rate-cards": [{"id": cards[c.code], "name": c.name} for c in firm.rate_cards],
        }  # fmt: skip


def _known(code: str) -> list[Row]:
    """Another tool's name for the record; it may well be the same text as ours."""
    return [{"referenceName": "payroll", "externalId": code}]


def _cursor(name: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{name}:{position}".encode()).decode()


def _position(cursor: str, name: str) -> int:
    if not cursor:
        return 0
    try:
        of, _, position = base64.urlsafe_b64decode(cursor).decode().partition(":")
        if of == name:
            return int(position)
    except ValueError:
        pass
    raise Refusal("malformed", "querystring/cursor is not a cursor of this list.")
