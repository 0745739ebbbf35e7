"""Simulated Dataverse with Project Operations: upserts by alternate key, delta links, picklist numbers, service limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm, posted_entries, quiet_moment
from connectors.simulators.ids import erp_id
from connectors.simulators.messages import Refusal, Reply, Request, encode
from connectors.simulators.microsoft.service import ODataService
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Row, Table

API = "/api/data/v9.2"
DRAFT, RETURNED, APPROVED, SUBMITTED, RECALLED = range(192350000, 192350005)
_TOKEN_LIFE = timedelta(days=7)
_MODIFIED = Field("modifiedon", "date-time", read_only=True)
_EXTERNAL = Field("hub_externalid", max_length=100, unique=True)
_LIMITS = (
    ("0x80072322", "Number of requests exceeded the limit of 6000 over the time window of 300 seconds."),
    ("0x80072321", "Combined execution time of incoming requests exceeded limit of 1200000 milliseconds over the time"
     " window of 300 seconds. Decrease number of concurrent requests."),
    ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
)  # fmt: skip


def _kind(name: str, key: str, *fields: Field, writable: bool = True) -> ObjectType:
    return ObjectType(name, (Field(key, "id"), *fields, _MODIFIED), key=key, modified="modifiedon", writable=writable)


ACCOUNTS = _kind(
    "accounts", "accountid",
    Field("accountnumber", max_length=20, unique=True),
    Field("name", required=True, max_length=160),
    Field("address1_line1", max_length=250),
    Field("address1_city", max_length=80),
    Field("address1_postalcode", max_length=20),
    Field("address1_country", max_length=80),
    Field("emailaddress1", max_length=100),
    Field("_parentaccountid_value", "id", read_only=True),
    Field("statecode", "integer", read_only=True),
)  # fmt: skip
PROJECTS = _kind(
    "msdyn_projects", "msdyn_projectid",
    _EXTERNAL,
    Field("msdyn_subject", required=True, max_length=200),
    Field("_msdyn_customer_value", "id"),
    Field("msdyn_scheduledstart", "date-time"),
    Field("msdyn_finish", "date-time"),
    Field("msdyn_effort", "decimal"),
    Field("statuscode", "integer"),
    writable=False,
)  # fmt: skip
RESOURCES = _kind(
    "bookableresources", "bookableresourceid",
    _EXTERNAL,
    Field("name", required=True, max_length=100),
    Field("resourcetype", "integer"),
)  # fmt: skip
TIME = _kind(
    "msdyn_timeentries", "msdyn_timeentryid",
    _EXTERNAL,
    Field("msdyn_date", "date", required=True),
    Field("msdyn_duration", "integer", required=True),
    Field("msdyn_description", max_length=100),
    Field("msdyn_externaldescription", max_length=500),
    Field("msdyn_entrystatus", "integer", read_only=True),
    Field("msdyn_type", "integer"),
    Field("_msdyn_project_value", "id", read_only=True),
    Field("_msdyn_bookableresource_value", "id", read_only=True),
)  # fmt: skip
# lookup that a body may bind: name -> (the field that shows it, the set that it leads to)
BINDS = {
    "parentaccountid": ("_parentaccountid_value", "accounts"),
    "msdyn_project": ("_msdyn_project_value", "msdyn_projects"),
    "msdyn_bookableresource": ("_msdyn_bookableresource_value", "bookableresources"),
}


class DataverseSimulator(ODataService):
    system, label = "dataverse", "Simulated Dataverse"
    kinds = (ACCOUNTS, PROJECTS, RESOURCES, TIME)
    ROOT, SCOPE, NAMESPACE = r"/api/data/v9\.2", "", "Microsoft.Dynamics.CRM"
    ALTERNATE = {
        "accounts": ("accountnumber",),
        "bookableresources": ("hub_externalid",),
        "msdyn_timeentries": ("hub_externalid",),
    }
    MOST_IN_PAGE, MOST_IN_BATCH = 5_000, 1_000
    WORDS = {
        "malformed": (400, "0x0"),
        "filter": (400, "0x0"),
        "unauthorised": (401, "0x80072560"),
        "not_found": (404, "0x80040217"),
        "method": (405, "0x80060888"),
        "etag": (412, "0x80060882"),
        "exists": (412, "0x80040237"),
        "no_etag": (428, "0x80060882"),
        "throttled": (429, "0x80072322"),
        "server": (503, "0x80044150"),
        "expired": (400, "0x80044352"),
        "duplicate": (412, "0x80040237"),
        **dict.fromkeys(
            ("unknown", "read_only", "required", "length", "value", "reference", "rule"), (400, "0x80040203")
        ),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._throttled = 0

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        if refusal.kind == "throttled":
            code = next((code for code, text in _LIMITS if text == refusal.message), code)
        return {"error": {"code": code, "message": refusal.message}}

    def throttled(self, retry_after: int | None) -> Refusal:
        _, text = _LIMITS[self._throttled % len(_LIMITS)]
        self._throttled += 1
        headers = {
            "Retry-After": str(retry_after or 1), "x-ms-ratelimit-burst-remaining-xrm-requests": "0",
            "x-ms-ratelimit-time-remaining-xrm-requests": "0",
        }  # fmt: skip
        return Refusal("throttled", text, headers=headers)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return {
            "accounts": _quiet(firm, "accountid", _accounts(firm)),
            "msdyn_projects": _quiet(firm, "msdyn_projectid", _projects(firm)),
            "bookableresources": _quiet(firm, "bookableresourceid", _resources(firm)),
            "msdyn_timeentries": list(_time(firm)),
        }

    def serve(self, request: Request, root: str, rest: str) -> Reply:
        if rest == "WhoAmI()" or rest == "WhoAmI":
            return Reply(200, {"UserId": erp_id("users", "hub"), "OrganizationId": erp_id("organizations", "hv")})
        if rest == "msdyn_CreateProjectV1" and request.method == "POST":
            return self._create_project(request)
        return super().serve(request, root, rest)

    def _create_project(self, request: Request) -> Reply:
        """Projects belong to the scheduling service: plain writes are refused, this action makes one at once."""
        given = dict(request.json()["Project"])
        given.pop("@odata.type", None)
        table = self.tables["msdyn_projects"]
        row = self.insert(table.kind, table.check_values(given))
        return Reply(200, {"ProjectId": row["msdyn_projectid"]})

    # Upserts

    def patched(self, request: Request, table: Table, key: str | None, predicate: str) -> Reply:
        if key is not None and request.headers.get("if-none-match") == "*":
            raise Refusal("exists", "A record with matching key values already exists.")
        if key is None and "if-match" in request.headers:
            raise Refusal("not_found", f"{table.kind.name} With Ids = {predicate} Does Not Exist")
        body = self.body(table, request)
        if key is not None:
            self.check_version(table.rows[key], request)
            return self._written(request, table, self.update(table.kind, key, body), 200)
        named = self.key_values(predicate) or {table.kind.key: predicate}
        return self._written(request, table, self.insert(table.kind, {**named, **body}), 201)

    def posted(self, request: Request, table: Table, values: Row) -> Reply:
        return self._written(request, table, self.insert(table.kind, values), 201)

    def insert(self, kind: ObjectType, values: Row) -> Row:
        """The caller may choose the id."""
        given = values.pop(kind.key, None)
        if given is None:
            return super().insert(kind, values)
        if given in self.tables[kind.name].rows:
            raise Refusal("exists", "Cannot insert duplicate key.")
        now = self.clock.now()
        row = {f.name: None for f in kind.fields} | values | {kind.key: given, kind.modified: self.stamp(now)}
        inserted = self.tables[kind.name].insert(self.derive(kind, row, None), now)
        self.remember(self.system, kind.name, str(given), inserted, now)
        return inserted

    def _written(self, request: Request, table: Table, row: Row, status: int) -> Reply:
        """Nothing but the address of the entity, unless the caller wants to see it."""
        address = f"{request.origin}{API}/{table.kind.name}({row[table.kind.key]})"
        if "return=representation" not in request.headers.get("prefer", ""):
            return Reply(204, None, {"OData-EntityId": address, "OData-Version": "4.0"})
        chosen = {name.strip() for name in request.query.get("$select", "").split(",")} - {""}
        return Reply(status, self.entity(request, table.kind, row, chosen), {"OData-EntityId": address})

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        if kind is TIME:
            row["msdyn_entrystatus"] = row["msdyn_entrystatus"] or DRAFT
        return super().derive(kind, row, before)

    def body(self, table: Table, request: Request) -> Row:
        """Lookups are written as `name@odata.bind: /set(id)`."""
        given = request.json()
        bound = {}
        for name in [name for name in given if name.endswith("@odata.bind")]:
            field, target = BINDS.get(name.partition("@")[0], ("", ""))
            bound[field] = self._bound(name, field, target, str(given.pop(name)))
        request.body = encode(given)
        return super().body(table, request) | bound

    def _bound(self, name: str, field: str, target: str, address: str) -> str:
        inner = address.strip("/")
        if not field or not inner.startswith(f"{target}("):
            raise Refusal("unknown", f"An undeclared property '{name}' was found.")
        key = self.located(self.tables[target], inner[len(target) + 1 : -1])
        if key is None:
            raise Refusal("reference", f"{target} With Id = {inner} Does Not Exist")
        return key

    # Changes

    def listed(self, request: Request, table: Table) -> Reply:
        if "$deltatoken" in request.query:
            return self._changes(request, table, request.query["$deltatoken"])
        reply = super().listed(request, table)
        tracked = "odata.track-changes" in request.headers.get("prefer", "")
        if tracked and "@odata.nextLink" not in reply.body:
            reply.body["@odata.deltaLink"] = self._delta_link(request)
        return reply

    def _delta_link(self, request: Request) -> str:
        select = request.query.get("$select", "")
        chosen = f"$select={quote(select)}&" if select else ""
        return f"{request.origin}{request.path}?{chosen}$deltatoken={quote(self.clock.now().isoformat())}"

    def _changes(self, request: Request, table: Table, token: str) -> Reply:
        since = datetime.fromisoformat(token)
        if self.clock.now() - since > _TOKEN_LIFE:
            raise Refusal(
                "expired", "Version stamp associated with the client has expired. Please perform a full sync."
            )
        chosen = {name.strip() for name in request.query.get("$select", "").split(",")} - {""}
        value: list[Any] = [
            self.entity(request, table.kind, row, chosen)
            for row in table.by_change()
            if table.changed_at[str(row[table.kind.key])] >= since
        ]
        context = f"{request.origin}{API}/$metadata#{table.kind.name}/$deletedEntity"
        gone = [key for key, (_, at) in table.removed.items() if at >= since and key not in table.rows]
        value += [{"@odata.context": context, "id": key, "reason": "deleted"} for key in gone]
        return Reply(200, {"@odata.context": "", "value": value, "@odata.deltaLink": self._delta_link(request)})


def _quiet(firm: Firm, key: str, rows: Iterable[Row]) -> list[Stamped]:
    return [Stamped(str(row[key]), row, quiet_moment(firm, n)) for n, row in enumerate(rows, start=1)]


def _accounts(firm: Firm) -> Iterator[Row]:
    for client in firm.clients:
        yield {
            "accountid": erp_id("accounts", client.code), "accountnumber": client.code, "name": client.name,
            "address1_line1": client.street, "address1_city": client.city, "address1_postalcode": client.postcode,
            "address1_country": client.country, "emailaddress1": None, "_parentaccountid_value": None, "statecode": 0,
        }  # fmt: skip


def _projects(firm: Firm) -> Iterator[Row]:
    for project in firm.projects:
        yield {
            "msdyn_projectid": erp_id("msdyn_projects", project.code), "hub_externalid": project.code,
            "msdyn_subject": project.name, "msdyn_scheduledstart": f"{project.start}T00:00:00Z",
            "_msdyn_customer_value": erp_id("accounts", project.client) if project.client else None,
            "msdyn_finish": f"{project.end}T00:00:00Z", "msdyn_effort": project.budget_minutes // 60, "statuscode": 1,
        }  # fmt: skip


def _resources(firm: Firm) -> Iterator[Row]:
    for person in firm.people:
        key = erp_id("bookableresources", person.number)
        yield {"bookableresourceid": key, "hub_externalid": person.number, "name": person.name, "resourcetype": 3}


def _time(firm: Firm) -> Iterator[Stamped]:
    for entry in posted_entries(firm):
        key = erp_id("msdyn_timeentries", entry.reference)
        row: Row = {
            "msdyn_timeentryid": key, "hub_externalid": entry.reference, "msdyn_date": entry.day.isoformat(),
            "msdyn_duration": entry.minutes, "msdyn_description": (entry.notes or "")[:100],
            "msdyn_externaldescription": "", "msdyn_entrystatus": APPROVED, "msdyn_type": 192350000,
            "_msdyn_project_value": erp_id("msdyn_projects", entry.project),
            "_msdyn_bookableresource_value": erp_id("bookableresources", entry.person),
        }  # fmt: skip
        yield Stamped(key, row, entry.changed_at)
