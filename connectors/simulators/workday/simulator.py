"""The doors of the tenant: web services by WS-Security, REST by OAuth token, reports by Basic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Problem, Row
from connectors.simulators.tokens import TokenBook
from connectors.simulators.workday import data
from connectors.simulators.workday.data import AsOf
from connectors.simulators.workday.messages import CONTENT_TYPE, WSSE, Element, Invalid, fault, leaf, read
from connectors.simulators.workday.services import Services

TENANT, USER, PASSWORD = "harrowvale", "ISU_Hub", "demo-workday-password"
CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "hub-client", "demo-workday-client", "demo-workday-refresh"
OWNER = "ISU_Hub"
REST_CEILING, REST_DEFAULT = 100, 20


class WorkdaySimulator(Simulator):
    system, label = "workday", "Simulated Workday"
    kinds = data.KINDS
    WORDS = {
        "malformed": (400, "A0001"),
        "unauthorised": (401, "S0001"),
        "denied": (403, "A0002"),
        "not_found": (404, "S0003"),
        "method": (405, "S0004"),
        "throttled": (429, "S0005"),
        "server": (500, "S0000"),
        **dict.fromkeys(("unknown", "read_only", "required", "length", "value", "reference"), (400, "A0003")),
        "duplicate": (400, "A0004"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("wd-", clock)
        self.services = Services(self)

    def credentials(self) -> dict[str, str]:
        return {
            "tenant": TENANT, "user": USER, "password": PASSWORD, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN, "owner": OWNER,
        }  # fmt: skip

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    def guard(self, request: Request) -> None:
        """REST by token, reports by Basic or token; the web services look into their messages."""
        if self.tokens.valid(request.headers.get("authorization", "")):
            return
        if "/ccx/service/customreport2/" in request.path and request.basic() == (USER, PASSWORD):
            return
        raise Refusal("unauthorised", "invalid username or password")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        errors = [{"error": refusal.message, "field": refusal.field}] if refusal.field else []
        return {"error": refusal.message, "code": code, "errors": errors}

    def stamp(self, instant: datetime) -> str:
        return data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return data.wid(kind.name, str(n))

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return data.rows(firm)

    # --- what people do inside the tenant --------------------------------------------------------------------------

    def act(self, name: str, spec: Mapping[str, Any]) -> Any:
        """hire and change {worker, effective, …fields}, rescind {event}; each answers with its event."""
        if name in ("hire", "change"):
            return self._enter(name, dict(spec))
        if name == "rescind":
            return self.update(data.EVENTS, spec["event"], {"rescinded_at": self.clock.now().isoformat()})
        return super().act(name, spec)

    def _enter(self, name: str, spec: dict[str, Any]) -> Row:
        worker, day, now = spec.pop("worker"), date.fromisoformat(spec.pop("effective")), self.clock.now()
        if name == "hire":
            empty = {"manager": "", "termination_date": "", "grade": "", "email": "", "title": "", "location": ""}
            spec = {
                **empty,
                "company": "",
                "cost_center": "",
                "weekly_hours": "40",
                "hire_date": day.isoformat(),
                **spec,
            }
        kind = {"hire": "Hire Employee", "change": "Edit Position"}[name]
        row = data.event_row("", worker, kind, now, day, spec)
        return self.insert(data.EVENTS, {field: value for field, value in row.items() if field != "id"})

    # --- web services ----------------------------------------------------------------------------------------------

    @open_door
    @route("POST", "/ccx/service/{tenant}/{service}/{version}")
    def post_service(self, request: Request, tenant: str, service: str, version: str) -> Reply:
        """A refusal is a fault with HTTP 500, whatever it is about."""
        try:
            header, call = read(request.body)
            self._check_message(header, tenant)
            return Reply(200, self.services.carry_out(service, call), dict(CONTENT_TYPE))
        except Invalid as problem:
            return Reply(500, fault(problem), dict(CONTENT_TYPE))
        except Problem as problem:
            return Reply(500, fault(Invalid(problem.message)), dict(CONTENT_TYPE))

    def _check_message(self, header: Element | None, tenant: str) -> None:
        token = header.find(f".//{{{WSSE}}}UsernameToken") if header is not None else None
        user = token.findtext(f"{{{WSSE}}}Username", "") if token is not None else ""
        password = token.find(f"{{{WSSE}}}Password") if token is not None else None
        is_text = password is not None and str(password.get("Type", "")).endswith("#PasswordText")
        if (
            not is_text
            or password is None
            or (user, password.text) != (f"{USER}@{TENANT}", PASSWORD)
            or tenant != TENANT
        ):
            raise Invalid("invalid username or password", code="Client.authenticationError")

    # --- OAuth and REST --------------------------------------------------------------------------------------------

    @open_door
    @route("POST", "/ccx/oauth2/{tenant}/token")
    def post_token(self, request: Request, tenant: str) -> Reply:
        form = request.form()
        known = request.basic() == (CLIENT_ID, CLIENT_SECRET) and form.get("refresh_token") == REFRESH_TOKEN
        if form.get("grant_type") != "refresh_token" or not known or tenant != TENANT:
            raise Refusal("unauthorised", "invalid_client")
        seconds = self.settings.token_seconds
        return Reply(200, {"access_token": self.tokens.issue(seconds), "token_type": "Bearer", "expires_in": seconds})

    def today(self) -> dict[str, dict[str, Any]]:
        """Workers as of now."""
        now = self.clock.now()
        return data.state_of(self.tables["events"].rows.values(), AsOf(now, now.astimezone(UTC).date()))

    @route("GET", "/ccx/api/common/v1/{tenant}/workers")
    def get_workers(self, request: Request, tenant: str) -> Reply:
        shown = [self._rest_worker(number, fields) for number, fields in sorted(self.today().items())]
        return self._rest_page(request, shown)

    def _rest_worker(self, number: str, fields: Mapping[str, Any]) -> Row:
        key = data.wid("worker", number)
        leads = any(other["manager"] == number for other in self.today().values())
        team = f"SUP-{fields['manager']}"
        return {
            "id": key,
            "descriptor": f"{fields['given']} {fields['family']}",
            "href": f"/ccx/api/common/v1/{TENANT}/workers/{key}",
            "primaryWorkEmail": fields["email"],
            "businessTitle": fields["title"],
            "isManager": leads,
            "primarySupervisoryOrganization": {"id": data.wid("SUPERVISORY", team), "descriptor": team},
        }

    @route("GET", "/ccx/api/common/v1/{tenant}/workers/{key}/timeOffEntries")
    def get_time_off(self, request: Request, tenant: str, key: str) -> Reply:
        rows = [row for row in self.tables["time_off"].rows.values() if data.wid("worker", row["worker"]) == key]
        shown = [
            {"id": row["id"], "date": row["date"], "units": row["units"], "unitOfTime": {"descriptor": "Hours"}}
            for row in sorted(rows, key=lambda row: (row["date"], row["id"]))
        ]
        return self._rest_page(request, shown)

    @route("GET", "/ccx/api/staffing/v6/{tenant}/jobProfiles")
    def get_job_profiles(self, request: Request, tenant: str) -> Reply:
        titles = sorted({fields["title"] for fields in self.today().values() if fields["title"]})
        return self._rest_page(request, [{"id": data.wid("profile", title), "name": title} for title in titles])

    def _rest_page(self, request: Request, items: list[Row]) -> Reply:
        if request.path.split("/")[5] != TENANT:
            raise Refusal("denied", "The token belongs to another tenant.")
        offset, limit = request.query.get("offset", "0"), request.query.get("limit")
        if not offset.isdecimal():
            raise Refusal("malformed", "offset must be a number.", field="offset")
        size = self.page_size(limit, default=REST_DEFAULT, ceiling=REST_CEILING)
        return Reply(200, {"total": len(items), "data": items[int(offset) : int(offset) + size]})

    # --- reports as a service --------------------------------------------------------------------------------------

    @route("GET", "/ccx/service/customreport2/{tenant}/{owner}/{report}")
    def get_report(self, request: Request, tenant: str, owner: str, report: str) -> Reply:
        """All rows at once in the format that is asked for; `?xsds` describes them."""
        makers = {"Syncline_Workers": self._workers_report, "Syncline_Absences": self._absences_report}
        if (tenant, owner) != (TENANT, OWNER) or report not in makers:
            raise Refusal("not_found", f"The report {report} is not enabled as a web service.")
        rows = makers[report](request.query)
        if "xsds" in request.query:
            return Reply(200, _schema(rows), dict(CONTENT_TYPE))
        match request.query.get("format", "xml"):
            case "json":
                return Reply(200, {"Report_Entry": rows})
            case "xml" | "simplexml":
                return Reply(200, _report_xml(rows), dict(CONTENT_TYPE))
        raise Refusal("malformed", "The format is not one of json, xml and simplexml.", field="format")

    def _workers_report(self, query: Mapping[str, str]) -> list[Row]:
        events = list(self.tables["events"].rows.values())
        since = parse_instant(query["Updated_From"]) if query.get("Updated_From") else None
        found = []
        for number, fields in sorted(self.today().items()):
            touched = data.last_touched(events, number)
            if since is None or touched >= since:
                found.append(_report_row(number, fields, touched, self.clock.now().date().isoformat()))
        return found

    def _absences_report(self, query: Mapping[str, str]) -> list[Row]:
        first, last = query.get("From_Date", "0000"), query.get("To_Date", "9999")
        rows = [row for row in self.tables["time_off"].rows.values() if first <= row["date"] <= last]
        return [
            {
                "Entry_ID": row["id"], "Employee_ID": row["worker"], "Date": row["date"], "Hours": row["units"],
                "Type": row["type"], "Status": "Approved",
            }
            for row in sorted(rows, key=lambda row: row["id"])
        ]  # fmt: skip


def _report_row(number: str, fields: Mapping[str, Any], touched: datetime, today: str) -> Row:
    """Every value is text; a column without a value is left out."""
    ended = bool(fields["termination_date"]) and fields["termination_date"] <= today
    row = {
        "WID": data.wid("worker", number), "Employee_ID": number, "First_Name": fields["given"],
        "Last_Name": fields["family"], "Email": fields["email"], "Status": "Terminated" if ended else "Active",
        "Hire_Date": fields["hire_date"], "Termination_Date": fields["termination_date"], "Business_Title": fields["title"],
        "Manager_ID": fields["manager"], "Company_ID": fields["company"], "Cost_Center_ID": fields["cost_center"],
        "Last_Updated": data.stamp(touched),
    }  # fmt: skip
    return {name: value for name, value in row.items() if value}


def _report_xml(rows: list[Row]) -> bytes:
    entries = "".join(
        f"<wd:Report_Entry>{''.join(leaf(name, value) for name, value in row.items())}</wd:Report_Entry>"
        for row in rows
    )
    head = '<?xml version="1.0" encoding="UTF-8"?><wd:Report_Data xmlns:wd="urn:com.workday.report/Syncline">'
    return f"{head}{entries}</wd:Report_Data>".encode()


def _schema(rows: list[Row]) -> bytes:
    names = dict.fromkeys(name for row in rows for name in row)
    fields = "".join(f'<xsd:element name="{name}" type="xsd:string" minOccurs="0"/>' for name in names)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'targetNamespace="urn:com.workday.report/Syncline"><xsd:complexType name="Report_EntryType"><xsd:sequence>'
        f"{fields}</xsd:sequence></xsd:complexType></xsd:schema>"
    ).encode()
