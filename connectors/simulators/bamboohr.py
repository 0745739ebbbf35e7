"""A simulated BambooHR company: key and `x` by Basic, reports made on the spot, reasons of refusals in a header."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.simulators.base import Simulator, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Absence, Person
from connectors.simulators.ids import hris_id
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Row

API_KEY, COMPANY = "demo-bamboohr-key", "harrowvale"
BASE = "/api/gateway.php/{company}/v1"
_NO_DATE = "0000-00-00"
_WEBHOOK_KEY = "demo-bamboohr-webhook-key"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LOCATIONS = {"HV-UK": "London", "HV-DE": "Berlin", "HV-US": "Boston"}

EMPLOYEES = ObjectType(
    "employees",
    (
        Field("id", "id", read_only=True),
        Field("employeeNumber", unique=True, max_length=20),
        Field("firstName", required=True),
        Field("lastName", required=True),
        Field("workEmail", unique=True),
        *(Field(name) for name in ("jobTitle", "department", "division", "location")),
        Field("supervisorEId", references="employees"),
        Field("hireDate"),
        Field("terminationDate"),
        Field("status", options=("Active", "Inactive")),
        Field("employmentHistoryStatus"),
        Field("lastChanged", "date-time", read_only=True),
    ),
    modified="lastChanged",
)
TIME_OFF = ObjectType("time_off", (Field("id", "id"), *(Field(n) for n in ("employeeId", "start", "end", "type"))))
TIMESHEETS = ObjectType("timesheet_entries", (Field("id", "id"), *(Field(n) for n in ("employeeId", "date", "hours"))))


class BambooSimulator(Simulator):
    system, label = "bamboohr", "Simulated BambooHR"
    kinds = (EMPLOYEES, TIME_OFF, TIMESHEETS)
    WORDS = {
        **dict.fromkeys(("malformed", "unknown", "read_only", "required", "length", "value", "reference"), (400, "")),
        "unauthorised": (401, ""),
        "denied": (403, ""),
        "not_found": (404, ""),
        "method": (405, ""),
        "duplicate": (409, ""),
        "throttled": (503, ""),
        "server": (500, ""),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        # address -> the key that signs what is sent there
        self.webhooks: dict[str, Row] = {}

    def credentials(self) -> dict[str, str]:
        return {"subdomain": COMPANY, "api_key": API_KEY}

    def guard(self, request: Request) -> None:
        if request.basic() != (API_KEY, "x"):
            raise Refusal("unauthorised", "Invalid API key")
        if not request.path.startswith(f"/api/gateway.php/{COMPANY}/"):
            raise Refusal("denied", "The API key belongs to another company")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        """Nothing: the reason stands in a header."""

    def error_headers(self, refusal: Refusal) -> dict[str, str]:
        words = refusal.message.encode("ascii", "replace").decode().replace("\n", " ")
        return {"X-BambooHR-Error-Message": words}

    def throttled(self, retry_after: int | None) -> Refusal:
        return Refusal("throttled", "Limit Exceeded", headers={"Retry-After": str(retry_after or 1)})

    def stamp(self, instant: datetime) -> str:
        return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+00:00"

    def new_id(self, kind: ObjectType, n: int) -> str:
        return str(n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        ids = {person.number: hris_id(person.n) for person in firm.people}
        return {
            "employees": [Stamped(hris_id(p.n), _employee(p, ids), quiet_moment(firm, p.n)) for p in firm.people],
            "time_off": [Stamped(str(700 + a.n), _absence(a, ids), quiet_moment(firm, a.n)) for a in firm.absences],
            "timesheet_entries": [],
        }

    def act(self, name: str, spec: Mapping[str, Any]) -> Any:
        """remove {employee}: delete an employee for good, which the API itself cannot do."""
        if name != "remove":
            return super().act(name, spec)
        self.delete(EMPLOYEES, str(spec["employee"]))
        return {}

    # --- employees -------------------------------------------------------------------------------------------------

    @route("GET", BASE + "/employees/changed")
    def get_changed(self, request: Request, company: str) -> Reply:
        """Ids by id, with what happened; the deleted ones too."""
        table, since = self.tables["employees"], self._instant(request.query.get("since", ""))
        found: dict[str, Row] = {}
        for key, moment in table.changed_at.items():
            if moment >= since:
                found[key] = {"id": key, "action": "Updated", "lastChanged": self.stamp(moment)}
        for key, (_, moment) in table.removed.items():
            if moment >= since:
                found[key] = {"id": key, "action": "Deleted", "lastChanged": self.stamp(moment)}
        return Reply(200, {"latest": self.stamp(self.clock.now()), "employees": found or []})

    @route("GET", BASE + "/employees/directory")
    def get_directory(self, request: Request, company: str) -> Reply:
        rows = [row for row in self.tables["employees"].by_change() if row["status"] == "Active"]
        names = ("id", "firstName", "lastName", "workEmail", "jobTitle", "department", "location")
        return Reply(200, {"employees": [{name: row[name] for name in names} for row in rows]})

    @route("GET", BASE + "/employees/{key}")
    def get_employee(self, request: Request, company: str, key: str) -> Reply:
        """Employee 0 is the owner of the key; only the fields that are asked for come."""
        wanted = request.query.get("fields", "firstName,lastName").split(",")
        if key == "0":
            me = {"displayName": "Integration user", "workEmail": "hub@harrowvale.example"}
            return Reply(200, {"id": "0", **{name: me[name] for name in wanted if name in me}})
        row = self.row(self.tables["employees"], key)
        return Reply(200, {"id": key, **{name: row.get(name) for name in wanted}})

    @route("POST", BASE + "/employees")
    def post_employee(self, request: Request, company: str) -> Reply:
        """The answer is empty: the id stands in its Location."""
        row = self.insert(EMPLOYEES, {"status": "Active", "terminationDate": _NO_DATE, **self._values(request)})
        return Reply(201, None, {"Location": f"https://api.bamboohr.com{request.path}/{row['id']}"})

    @route("POST", BASE + "/employees/{key}")
    def post_changes(self, request: Request, company: str, key: str) -> Reply:
        self.row(self.tables["employees"], key)
        self.update(EMPLOYEES, key, self._values(request))
        return Reply(200, None)

    def _values(self, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object")
        values = self.tables["employees"].check_values(body)
        for name in ("hireDate", "terminationDate"):
            if values.get(name) and not _DATE.fullmatch(str(values[name])):
                raise Refusal("value", f"Invalid date in {name}", field=name)
        return values

    @route("POST", BASE + "/reports/custom")
    def post_report(self, request: Request, company: str) -> Reply:
        """A report of the fields that are asked for; a field that does not exist is left out of every row."""
        asked = request.json() or {}
        if request.query.get("format", "XML").upper() != "JSON":
            raise Refusal("malformed", "Only the format JSON is simulated")
        changed = asked.get("filters", {}).get("lastChanged", {}).get("value", "")
        since = self._instant(changed) if changed else None
        table, current = self.tables["employees"], request.query.get("onlyCurrent", "true") != "false"
        rows = [row for row in table.by_change() if not current or row["status"] == "Active"]
        rows = [row for row in rows if since is None or table.changed_at[row["id"]] >= since]
        names = [name for name in asked.get("fields", ()) if EMPLOYEES.field(name)]
        shown = [self.shown(EMPLOYEES, row) for row in rows]
        listed = [{"id": row["id"], **{name: row.get(name) for name in names}} for row in shown]
        return Reply(200, {"title": asked.get("title", ""), "fields": [{"id": n} for n in names], "employees": listed})

    # --- time ------------------------------------------------------------------------------------------------------

    @route("GET", BASE + "/time_off/requests/")
    def get_time_off(self, request: Request, company: str) -> Reply:
        first, last = self._days(request)
        table = self.tables["time_off"]
        rows = [row for row in table.rows.values() if row["start"] <= last and row["end"] >= first]
        return Reply(200, [self._request(row) for row in rows])

    def _request(self, row: Row) -> Row:
        day = self.tables["time_off"].changed_at[row["id"]].date().isoformat()
        return {
            "id": row["id"], "employeeId": row["employeeId"], "start": row["start"], "end": row["end"],
            "status": {"status": "approved", "lastChanged": day}, "type": {"id": "1", "name": row["type"]},
            "amount": {"unit": "hours", "amount": "8"},
        }  # fmt: skip

    @route("GET", BASE + "/time_tracking/timesheet_entries")
    def get_timesheets(self, request: Request, company: str) -> Reply:
        first, last = self._days(request)
        rows = self.tables["timesheet_entries"].rows.values()
        return Reply(200, [row for row in rows if first <= row["date"] <= last])

    def _days(self, request: Request) -> tuple[str, str]:
        days = (request.query.get("start", ""), request.query.get("end", ""))
        if not all(map(_DATE.fullmatch, days)):
            raise Refusal("malformed", "start and end must be dates")
        return days

    def _instant(self, text: str) -> datetime:
        try:
            return parse_instant(text.replace(" ", "+"))
        except ValueError:
            raise Refusal("malformed", "since must be an ISO 8601 instant") from None

    # --- webhooks --------------------------------------------------------------------------------------------------

    @route("POST", BASE + "/webhooks")
    def post_webhook(self, request: Request, company: str) -> Reply:
        """The private key is told this once."""
        asked = request.json() or {}
        if not str(asked.get("url", "")).startswith("http"):
            raise Refusal("malformed", "A webhook needs the address of its receiver")
        key = f"{_WEBHOOK_KEY}-{len(self.webhooks) + 1}"
        self.webhooks[asked["url"]] = {"privateKey": key, "monitorFields": asked.get("monitorFields", [])}
        return Reply(201, {"id": str(len(self.webhooks)), "privateKey": key, "name": asked.get("name", "")})

    def message(self, url: str, key: str, fields: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        """Headers and body of what is sent to a webhook when an employee changes."""
        employee = {"id": key, "action": "Updated", "changedFields": sorted(fields), "fields": dict(fields)}
        body = json.dumps({"employees": [employee]}).encode()
        stamp = str(int(self.clock.now().timestamp()))
        signature = hmac.new(self.webhooks[url]["privateKey"].encode(), body + stamp.encode(), hashlib.sha256)
        return {"X-BambooHR-Signature": signature.hexdigest(), "X-BambooHR-Timestamp": stamp}, body


def _employee(person: Person, ids: Mapping[str, str]) -> Row:
    return {
        "id": hris_id(person.n), "employeeNumber": person.number, "firstName": person.given,
        "lastName": person.family, "workEmail": person.email, "jobTitle": person.role, "department": person.cost_centre,
        "division": person.legal_entity, "location": _LOCATIONS[person.legal_entity],
        "supervisorEId": ids.get(person.manager), "hireDate": person.hire_date.isoformat(),
        "terminationDate": _NO_DATE, "status": "Active", "employmentHistoryStatus": "Full-Time",
    }  # fmt: skip


def _absence(absence: Absence, ids: Mapping[str, str]) -> Row:
    return {
        "id": str(700 + absence.n), "employeeId": ids.get(absence.person, ""), "start": absence.start.isoformat(),
        "end": absence.end.isoformat(), "type": absence.kind,
    }  # fmt: skip
