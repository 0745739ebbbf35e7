"""Simulated CRM in the style of Salesforce: REST data API, SOQL, upsert by external id, errors as arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from connectors.simulators import crm_data, soql
from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.consent import ConsentDesk
from connectors.simulators.firm import Firm
from connectors.simulators.ids import CRM_PREFIXES, crm_id, crm_suffix
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Problem, Row, Table
from connectors.simulators.tokens import TokenBook

CLIENT_ID, CLIENT_SECRET = "syncline-demo", "demo-crm-secret"
BASE = "/services/data/v{version}"
_TYPES = {"decimal": "currency", "date-time": "datetime", "integer": "int"}


class CrmSimulator(Simulator):
    system, label = "crm", "Simulated CRM"
    kinds = crm_data.KINDS
    WORDS: ClassVar[Mapping[str, tuple[int, str]]] = {
        "malformed": (400, "JSON_PARSER_ERROR"),
        "query": (400, "MALFORMED_QUERY"),
        "field": (400, "INVALID_FIELD"),
        "type": (400, "INVALID_TYPE"),
        "locator": (400, "INVALID_QUERY_LOCATOR"),
        "unauthorised": (401, "INVALID_SESSION_ID"),
        "not_found": (404, "NOT_FOUND"),
        "method": (405, "METHOD_NOT_ALLOWED"),
        "throttled": (403, "REQUEST_LIMIT_EXCEEDED"),
        "server": (503, "SERVER_UNAVAILABLE"),
        "unknown": (400, "INVALID_FIELD"),
        "read_only": (400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        "required": (400, "REQUIRED_FIELD_MISSING"),
        "length": (400, "STRING_TOO_LONG"),
        "value": (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        "duplicate": (400, "DUPLICATE_VALUE"),
        "reference": (400, "INVALID_CROSS_REFERENCE_KEY"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("00DHV0000000001!AQ", clock)
        self.consent = ConsentDesk(self.label, (CLIENT_ID, CLIENT_SECRET), clock)
        self._calls = self._queries = 0
        self._locators: OrderedDict[str, list[Row]] = OrderedDict()

    # House style

    def guard(self, request: Request) -> None:
        if not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "Session expired or invalid")
        self._calls += 1
        limit = self.settings.daily_limit
        if limit and self._calls > limit:
            raise Refusal("throttled", "TotalRequests Limit exceeded.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        error: Row = {"message": refusal.message, "errorCode": code}
        return [error | ({"fields": [refusal.field]} if refusal.field else {})]

    def throttled(self, retry_after: int | None) -> Refusal:
        return Refusal("throttled", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")

    def revoke_tokens(self) -> None:
        self.tokens.revoke()
        self._calls = 0

    def stamp(self, instant: datetime) -> str:
        return crm_data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return crm_id(kind.name, n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self._locators.clear()
        return crm_data.rows(firm)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        now = row["SystemModstamp"]
        row |= {"LastModifiedDate": now, "CreatedDate": row["CreatedDate"] or now, "IsDeleted": False}
        if kind is crm_data.OPPORTUNITY:
            row |= crm_data.won(row["StageName"] or "")
        if kind is crm_data.CONTRACT and not row["ContractNumber"]:
            row["ContractNumber"] = f"K-{6000 + len(self.tables['Contract'].rows)}"
        return row

    # Signing in

    @route("POST", "/services/oauth2/token")
    @open_door
    def post_token(self, request: Request) -> Reply:
        form = request.form()
        client = (form.get("client_id", ""), form.get("client_secret", "")) if "client_id" in form else request.basic()
        grant = form.get("grant_type")
        if grant not in ("client_credentials", "authorization_code", "refresh_token"):
            return Reply(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
        if client != (CLIENT_ID, CLIENT_SECRET):
            return Reply(401, {"error": "invalid_client", "error_description": "invalid client credentials"})
        refresh = self.consent.redeem(form) if grant != "client_credentials" else ""
        if grant != "client_credentials" and not refresh:
            return Reply(400, {"error": "invalid_grant", "error_description": "expired access/refresh token"})
        token = self.tokens.issue(self.settings.token_seconds)
        issued_at = str(int(self.clock.now().timestamp() * 1000))
        identity = f"{request.origin}/id/00DHV0000000001EAA/{crm_id('User', 1)}"
        return Reply(200, {
            "access_token": token, "instance_url": request.origin, "id": identity, "token_type": "Bearer",
            "issued_at": issued_at, "signature": "simulated", "scope": "api",
            **({"refresh_token": refresh} if refresh else {}),
        })  # fmt: skip

    @route("GET", "/services/oauth2/authorize")
    @open_door
    def get_authorize(self, request: Request) -> Reply:
        return self.consent.page(request)

    @route("POST", "/services/oauth2/authorize")
    @open_door
    def post_authorize(self, request: Request) -> Reply:
        return self.consent.decide(request)

    @route("GET", "/services/oauth2/userinfo")
    def get_userinfo(self, request: Request) -> Reply:
        return Reply(200, {
            "sub": crm_id("User", 1), "organization_id": "00DHV0000000001EAA", "name": "Integration user",
            "preferred_username": "hub@harrowvale.example", "email": "hub@harrowvale.example", "active": True,
        })  # fmt: skip

    @route("GET", "/services/data/")
    @open_door
    def get_versions(self, request: Request) -> Reply:
        return Reply(200, [{"label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0"}])

    @route("GET", BASE + "/limits")
    def get_limits(self, request: Request, version: str) -> Reply:
        most = self.settings.daily_limit or 100_000
        return self._ok({"DailyApiRequests": {"Max": most, "Remaining": max(0, most - self._calls)}})

    # Reading

    @route("GET", BASE + "/sobjects")
    def get_objects(self, request: Request, version: str) -> Reply:
        objects = [{"name": k.name, "keyPrefix": CRM_PREFIXES[k.name], "queryable": True} for k in self.kinds]
        return self._ok({"encoding": "UTF-8", "sobjects": objects})

    @route("GET", BASE + "/sobjects/{name}/describe")
    def get_describe(self, request: Request, version: str, name: str) -> Reply:
        kind = self.table(name).kind
        return self._ok({"name": name, "label": name, "fields": [_described(f) for f in kind.fields]})

    @route("GET", BASE + "/query")
    def get_query(self, request: Request, version: str) -> Reply:
        return self._query(request, version, with_deleted=False)

    @route("GET", BASE + "/queryAll")
    def get_query_all(self, request: Request, version: str) -> Reply:
        return self._query(request, version, with_deleted=True)

    @route("GET", BASE + "/query/{locator}")
    def get_more(self, request: Request, version: str, locator: str) -> Reply:
        identity, _, start = locator.partition("-")
        rows = self._locators.get(identity)
        if rows is None or not start.isdecimal():
            raise Refusal("locator", "invalid query locator")
        return self._page(request, version, identity, rows, int(start))

    def _query(self, request: Request, version: str, *, with_deleted: bool) -> Reply:
        try:
            query = soql.parse(request.query.get("q", ""), self._readable_fields)
            table = self.tables[query.object]
            found = query.run(self.all_rows(query.object, with_deleted=with_deleted))
        except soql.SoqlError as error:
            raise Refusal(error.kind, str(error)) from None
        if not query.fields:
            return self._ok({"totalSize": len(found), "done": True, "records": []})
        rows = [self._picked(table.kind, row, query.fields, version) for row in found]
        self._queries += 1
        identity = f"01gHV{self._queries:010d}"
        return self._page(request, version, identity, rows, 0)

    def all_rows(self, name: str, *, with_deleted: bool) -> list[Row]:
        """The rows of an object; a deleted one was last changed when it was deleted."""
        table = self.tables[name]
        removed = table.removed.values() if with_deleted else ()
        gone = [row | {"IsDeleted": True, "SystemModstamp": self.stamp(at)} for row, at in removed]
        return [*table.rows.values(), *gone]

    def _page(self, request: Request, version: str, identity: str, rows: list[Row], start: int) -> Reply:
        asked = request.headers.get("sforce-query-options", "").partition("batchSize=")[2]
        end = start + self.page_size(asked, default=2000, ceiling=2000)
        body: Row = {"totalSize": len(rows), "done": end >= len(rows)}
        if end < len(rows):
            self._keep(identity, rows)
            body["nextRecordsUrl"] = f"/services/data/v{version}/query/{identity}-{end}"
        return self._ok(body | {"records": rows[start:end]})

    def _keep(self, identity: str, rows: list[Row]) -> None:
        """A locator stands for the result as it was; the fifty newest are kept."""
        self._locators[identity] = rows
        if len(self._locators) > 50:
            self._locators.popitem(last=False)

    def _readable_fields(self, name: str) -> set[str] | None:
        table = self.tables.get(name)
        if table is None:
            return None
        renamed = {str(d.to) for d in self.drifts if d.object == name and d.action == "rename"}
        gone = {d.field for d in self.drifts if d.object == name and d.action in ("drop", "rename")}
        return {f.name for f in table.kind.fields} - gone | renamed

    def _picked(self, kind: ObjectType, row: Row, names: Iterable[str], version: str) -> Row:
        shown = self.shown(kind, row)
        return self._attributes(kind, row, version) | {name: shown.get(name) for name in names}

    def _attributes(self, kind: ObjectType, row: Row, version: str) -> Row:
        return {"attributes": {"type": kind.name, "url": f"/services/data/v{version}/sobjects/{kind.name}/{row['Id']}"}}

    @route("GET", BASE + "/sobjects/{name}/deleted")
    def get_deleted(self, request: Request, version: str, name: str) -> Reply:
        start, end = (parse_instant(request.query[key].replace(" ", "+")) for key in ("start", "end"))
        records = [
            {"id": key, "deletedDate": self.stamp(at)}
            for key, (_, at) in self.table(name).removed.items()
            if start <= at <= end
        ]
        return self._ok({"deletedRecords": records, "latestDateCovered": self.stamp(end)})

    @route("GET", BASE + "/sobjects/{name}/{key}")
    def get_record(self, request: Request, version: str, name: str, key: str) -> Reply:
        table = self.table(name)
        row = self.row(table, _long(key))
        return self._ok(self._attributes(table.kind, row, version) | self.shown(table.kind, row))

    @route("GET", BASE + "/sobjects/{name}/{field}/{value}")
    def get_by_external_id(self, request: Request, version: str, name: str, field: str, value: str) -> Reply:
        table = self.table(name)
        found = self._by_external_id(table, field, value)
        if not found:
            raise Refusal("not_found", "The requested resource does not exist")
        if len(found) > 1:
            return self._ambiguous(table, found, version)
        return self._ok(self._attributes(table.kind, found[0], version) | self.shown(table.kind, found[0]))

    # Writing

    @route("POST", BASE + "/sobjects/{name}")
    def post_record(self, request: Request, version: str, name: str) -> Reply:
        table = self.table(name)
        row = self.insert(table.kind, table.check_values(self._record(request)))
        return self._ok({"id": row["Id"], "success": True, "errors": []}, 201)

    @route("PATCH", BASE + "/sobjects/{name}/{key}")
    def patch_record(self, request: Request, version: str, name: str, key: str) -> Reply:
        table = self.table(name)
        self.row(table, _long(key))
        self.update(table.kind, _long(key), table.check_values(self._record(request)))
        return self._ok(None, 204)

    @route("DELETE", BASE + "/sobjects/{name}/{key}")
    def delete_record(self, request: Request, version: str, name: str, key: str) -> Reply:
        table = self.table(name)
        self.row(table, _long(key))
        self.delete(table.kind, _long(key))
        return self._ok(None, 204)

    @route("PATCH", BASE + "/sobjects/{name}/{field}/{value}")
    def upsert_record(self, request: Request, version: str, name: str, field: str, value: str) -> Reply:
        table = self.table(name)
        found = self._by_external_id(table, field, value)
        if len(found) > 1:
            return self._ambiguous(table, found, version)
        result = self._upsert(table, field, value, self._record(request))
        return self._ok(result, 201 if result["created"] else 200)

    @route("PATCH", BASE + "/composite/sobjects/{name}/{field}")
    def upsert_collection(self, request: Request, version: str, name: str, field: str) -> Reply:
        """Up to 200 records, each with a result of its own; the answer is 200 even when all of them failed."""
        table, body = self.table(name), request.json()
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or len(records) > 200:
            raise Refusal("malformed", "The request must hold up to 200 records.")
        return self._ok([self._collected(table, field, record) for record in records])

    def _collected(self, table: Table, field: str, record: Row) -> Row:
        try:
            values = {name: value for name, value in record.items() if name != "attributes"}
            return self._upsert(table, field, str(values.pop(field, "") or ""), values)
        except (Problem, Refusal) as error:
            code = self.WORDS[error.kind][1]
            names = [error.field] if error.field else []
            errors = [{"statusCode": code, "message": error.message, "fields": names}]
            return {"id": None, "success": False, "errors": errors, "created": False}

    def _upsert(self, table: Table, field: str, value: str, values: Row) -> Row:
        if not value:
            raise Refusal("required", f"{field} must be filled.", field=field)
        found = self._by_external_id(table, field, value)
        if field != "Id" and field in values:
            raise Refusal("field", f"The {field} field should not be specified in the sobject data.", field=field)
        checked = table.check_values(values)
        kind = table.kind
        row = self.update(kind, found[0]["Id"], checked) if found else self.insert(kind, checked | {field: value})
        return {"id": row["Id"], "success": True, "errors": [], "created": not found}

    def _by_external_id(self, table: Table, field: str, value: str) -> list[Row]:
        known = table.kind.field(field)
        if field != "Id" and (known is None or not known.external_id):
            raise Refusal("not_found", f"Provided external ID field does not exist or is not accessible: {field}")
        return table.find(field, _long(value) if field == "Id" else value)

    def _ambiguous(self, table: Table, found: list[Row], version: str) -> Reply:
        return self._ok([f"/services/data/v{version}/sobjects/{table.kind.name}/{row['Id']}" for row in found], 300)

    def _record(self, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        return {name: value for name, value in body.items() if name != "attributes"}

    def _ok(self, body: Any, status: int = 200) -> Reply:
        usage = f"api-usage={self._calls}/{self.settings.daily_limit or 100_000}"
        return Reply(status, body, {"Sforce-Limit-Info": usage})


def _long(key: str) -> str:
    return key + crm_suffix(key) if len(key) == 15 else key


def _described(field: Field) -> Row:
    return {
        "name": field.name, "label": field.label or field.name, "type": _TYPES.get(field.type, field.type),
        "length": field.max_length, "nillable": not field.required, "unique": field.unique,
        "externalId": field.external_id, "createable": not field.read_only, "updateable": not field.read_only,
        "picklistValues": [{"value": option, "active": True} for option in field.options],
    }  # fmt: skip
