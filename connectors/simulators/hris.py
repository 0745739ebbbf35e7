"""Simulated HRIS in the style of BambooHR and Workday: Basic key, offset and total, reasons of errors in a header."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connectors.simulators import hris_data
from connectors.simulators.base import Simulator, route
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Row, Table

API_KEY = "demo-hris-key"
COMPANY = "harrowvale"
BASE = "/api/gateway.php/{company}/v1"


class HrisSimulator(Simulator):
    system, label = "hris", "Simulated HRIS"
    kinds = hris_data.KINDS
    WORDS = {
        "malformed": (400, "A400"),
        "unauthorised": (401, "A401"),
        "denied": (403, "A403"),
        "not_found": (404, "A404"),
        "method": (405, "A405"),
        "throttled": (503, "S503"),
        "server": (500, "S500"),
        "unknown": (400, "A410"),
        "read_only": (400, "A411"),
        "required": (400, "A412"),
        "length": (400, "A413"),
        "value": (400, "A414"),
        "duplicate": (409, "A409"),
        "reference": (400, "A415"),
    }

    def guard(self, request: Request) -> None:
        if request.basic() != (API_KEY, "x"):
            raise Refusal("unauthorised", "The API key is not valid.")
        if not request.path.startswith(f"/api/gateway.php/{COMPANY}/"):
            raise Refusal("denied", "The API key belongs to another company.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        return {
            "error": refusal.message,
            "code": code,
            "errors": [{"error": refusal.message, "field": refusal.field}] if refusal.field else [],
        }

    def error_headers(self, refusal: Refusal) -> dict[str, str]:
        return {"X-BambooHR-Error-Message": refusal.message.encode("ascii", "replace").decode().replace("\n", " ")}

    def throttled(self, retry_after: int | None) -> Refusal:
        return Refusal("throttled", "Limit exceeded", headers={"Retry-After": str(retry_after or 1)})

    def stamp(self, instant: datetime) -> str:
        return hris_data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return str(n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return hris_data.rows(firm)

    # Reading

    @route("GET", BASE + "/employees/0")
    def get_me(self, request: Request, company: str) -> Reply:
        """Employee 0 is the owner of the key."""
        return Reply(200, {"id": "0", "displayName": "Integration user", "workEmail": "hub@harrowvale.example"})

    @route("GET", BASE + "/meta/fields")
    def get_fields(self, request: Request, company: str) -> Reply:
        fields = [{"id": f.name, "name": f.label, "type": f.type} for f in hris_data.EMPLOYEES.fields]
        return Reply(200, fields)

    @route("GET", BASE + "/employees")
    def get_employees(self, request: Request, company: str) -> Reply:
        table, query = self.tables["employees"], request.query
        rows = list(table.by_change())
        if query.get("changedSince"):
            since = self._instant(query["changedSince"])
            rows = [row for row in rows if table.changed_at[row["id"]] >= since]
        if "employeeNumber" in query:
            rows = [row for row in rows if row["employeeNumber"] == query["employeeNumber"]]
        return self._page(table, rows, query)

    @route("GET", BASE + "/orgUnits")
    def get_org_units(self, request: Request, company: str) -> Reply:
        """Tells no time of change: there is nothing but reading all of them, or all of one kind."""
        table, query = self.tables["orgUnits"], request.query
        rows = [row for row in table.rows.values() if query.get("kind", row["kind"]) == row["kind"]]
        return self._page(table, rows, query)

    @route("GET", BASE + "/timeOffRequests")
    def get_time_off(self, request: Request, company: str) -> Reply:
        """Requests that touch the days from `start` to `end`."""
        table, query = self.tables["timeOffRequests"], request.query
        first, last = query.get("start", "0000-00-00"), query.get("end", "9999-99-99")
        rows = [row for row in table.rows.values() if row["start"] <= last and row["end"] >= first]
        return self._page(table, rows, query)

    @route("GET", BASE + "/employees/{key}")
    def get_employee(self, request: Request, company: str, key: str) -> Reply:
        table = self.tables["employees"]
        return Reply(200, self.shown(table.kind, self.row(table, key)))

    def _page(self, table: Table, rows: list[Row], query: dict[str, str]) -> Reply:
        offset = query.get("offset", "0")
        if not offset.isdecimal():
            raise Refusal("malformed", "offset must be a number")
        size = self.page_size(query.get("limit"), default=20, ceiling=100)
        page = rows[int(offset) : int(offset) + size]
        return Reply(200, {"total": len(rows), "data": [self.shown(table.kind, row) for row in page]})

    def _instant(self, text: str) -> datetime:
        try:
            return parse_instant(text.replace(" ", "+"))
        except ValueError:
            raise Refusal("malformed", "changedSince must be an ISO 8601 instant") from None

    # Writing

    @route("POST", BASE + "/employees")
    def post_employee(self, request: Request, company: str) -> Reply:
        """The answer is empty: the id of the new employee stands in its Location."""
        kind = hris_data.EMPLOYEES
        row = self.insert(kind, self._values(kind, request))
        return Reply(201, None, {"Location": f"{request.origin}{request.path}/{row['id']}"})

    @route("POST", BASE + "/employees/{key}")
    def post_changes(self, request: Request, company: str, key: str) -> Reply:
        kind = hris_data.EMPLOYEES
        self.row(self.tables["employees"], key)
        self.update(kind, key, self._values(kind, request))
        return Reply(200, None)

    def _values(self, kind: ObjectType, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        return self.tables[kind.name].check_values(body)
