"""Simulated ERP in the style of Business Central: OData, next links, ETags, unique numbers, finance's own rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid5

from connectors.simulators import erp_data, odata
from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.ids import erp_id
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Problem, Row, Table
from connectors.simulators.tokens import TokenBook

CLIENT_ID, CLIENT_SECRET = "4c1b8a70-0d5e-4d7e-9a42-5e1f6f4f9d10", "demo-erp-secret"
TENANT, ENVIRONMENT = "harrowvale", "production"
COMPANY_ID = erp_id("companies", "HARROW & VALE")
SCOPE = "https://api.businesscentral.dynamics.com/.default"
BASE = "/v2.0/{tenant}/{environment}/api/v2.0"
COMPANY = BASE + "/companies({company})"
_ETAG = "@odata.etag"
_CENT = Decimal("0.01")
_TAX_RATES = {"GBP": Decimal("0.20"), "EUR": Decimal("0.19")}


class ErpSimulator(Simulator):
    system, label = "erp", "Simulated ERP"
    kinds = erp_data.KINDS
    WORDS = {
        "malformed": (400, "BadRequest"),
        "filter": (400, "BadRequest"),
        "unauthorised": (401, "Authentication_InvalidCredentials"),
        "not_found": (404, "BadRequest_ResourceNotFound"),
        "method": (405, "BadRequest_MethodNotAllowed"),
        "etag": (412, "Request_EntityChanged"),
        "no_etag": (400, "BadRequest_MissingIfMatch"),
        "throttled": (429, "Application_TooManyRequests"),
        "server": (503, "Internal_ServerError"),
        "unknown": (400, "BadRequest"),
        "read_only": (400, "BadRequest_ReadOnly"),
        "required": (400, "Application_FieldValidationException"),
        "length": (400, "Application_StringExceededLength"),
        "value": (400, "Application_InvalidValue"),
        "duplicate": (400, "Internal_EntityWithSameKeyExists"),
        "reference": (400, "Application_RecordNotFound"),
        "rule": (400, "Application_DialogException"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("eyJ0eXAiOiJKV1Qi.demo.", clock)
        self._versions = 1
        self._errors = 0

    # House style

    def guard(self, request: Request) -> None:
        if not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "The server has rejected the client credentials.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        self._errors += 1
        correlation = uuid5(UUID(COMPANY_ID), str(self._errors))
        message = f"{refusal.message}  CorrelationId:  {correlation}."
        return {"error": {"code": code, "message": message} | ({"target": refusal.field} if refusal.field else {})}

    def throttled(self, retry_after: int | None) -> Refusal:
        headers = {"Retry-After": str(retry_after or 1)}
        return Refusal("throttled", "The request is throttled. Wait before sending the next one.", headers=headers)

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    def stamp(self, instant: datetime) -> str:
        return erp_data.stamp(instant)

    def recall(self, object_name: str, key: str, row: Row | None, at: datetime) -> None:
        super().recall(object_name, key, row, at)
        self._versions += 1

    def new_id(self, kind: ObjectType, n: int) -> str:
        return erp_id(kind.name, f"new-{n}")

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return erp_data.rows(firm)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        self._versions += 1
        row[_ETAG] = f'W/"{self._versions}"'
        for field in kind.fields:
            if field.type == "decimal":
                row[field.name] = (row[field.name] or Decimal(0)).quantize(_CENT)
        for id_field, other, number_field in erp_data.TWINS.get(kind.name, ()):
            self._match_twins(row, before or {}, id_field, other, number_field)
        if kind is erp_data.TIME:
            self._check_time(row, before)
        if kind in (erp_data.PROJECTS, erp_data.CUSTOMERS):
            row["blocked"] = row["blocked"] or " "
        return row

    def _match_twins(self, row: Row, before: Row, id_field: str, other: str, number_field: str) -> None:
        """Whichever of id and number was written decides the other."""
        if row[id_field] and row[id_field] != before.get(id_field):
            row[number_field] = self.tables[other].rows[row[id_field]]["number"]
        elif row[number_field] != before.get(number_field):
            found = self.tables[other].find("number", row[number_field])
            row[id_field] = found[0]["id"] if found else None

    def _check_time(self, row: Row, before: Row | None) -> None:
        """Finance's rules: no time on a closed project, no more than a day's hours."""
        project = next(iter(self.tables["projects"].find("number", row["jobNumber"])), None)
        if before is None and project and project["blocked"] != " ":
            raise Problem(
                "rule", "jobNumber", f"Job {row['jobNumber']} is blocked: Blocked must not be {project['blocked']}."
            )
        if not 0 < row["quantity"] <= 24:
            raise Problem("rule", "quantity", f"Quantity {row['quantity']} must be above 0 and not above 24.")
        row["status"] = row["status"] or "Open"
        row["lineAmount"] = (row["quantity"] * row["unitPrice"]).quantize(_CENT)

    # Signing in

    @route("POST", "/{tenant}/oauth2/v2.0/token")
    @open_door
    def post_token(self, request: Request, tenant: str) -> Reply:
        form = request.form()
        client = (form.get("client_id", ""), form.get("client_secret", "")) if "client_id" in form else request.basic()
        if tenant != TENANT or form.get("grant_type") != "client_credentials" or form.get("scope") != SCOPE:
            return Reply(400, {"error": "invalid_request", "error_description": "AADSTS90014: tenant, grant or scope."})
        if client != (CLIENT_ID, CLIENT_SECRET):
            return Reply(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})
        seconds = self.settings.token_seconds
        token = self.tokens.issue(seconds)
        return Reply(200, {"token_type": "Bearer", "expires_in": seconds, "access_token": token})

    @route("GET", BASE + "/companies")
    def get_companies(self, request: Request, tenant: str, environment: str) -> Reply:
        company = {"id": COMPANY_ID, "name": "HARROW & VALE", "displayName": "Harrow & Vale"}
        return Reply(200, {"@odata.context": f"{request.origin}{request.path}", "value": [company]})

    # Reading

    @route("GET", COMPANY + "/{name}({key})")
    def get_one(self, request: Request, name: str, key: str, **place: str) -> Reply:
        table = self._table(name, place)
        row = self._shown(table.kind, self.row(table, key))
        return Reply(200, row, {"ETag": row[_ETAG]})

    @route("GET", COMPANY + "/{name}")
    def get_list(self, request: Request, name: str, **place: str) -> Reply:
        table, query = self._table(name, place), request.query
        try:
            rows = self._found(table, query)
        except odata.ODataError as error:
            raise Refusal("filter", str(error)) from None
        body: Row = {"@odata.context": f"{request.origin}{request.path}"}
        if query.get("$count") == "true":
            body["@odata.count"] = len(rows)
        start = self._start(rows, query)
        asked = request.headers.get("prefer", "").partition("odata.maxpagesize=")[2].split(",")[0]
        end = start + self.page_size(asked, default=20_000, ceiling=20_000)
        chosen = {name.strip() for name in query.get("$select", "").split(",")} - {""}
        body["value"] = [self._shown(table.kind, row, chosen) for row in rows[start:end]]
        if end < len(rows):
            onward = urlencode(query | {"aid": "FIRST", "$skiptoken": rows[end - 1]["id"]}, quote_via=quote)
            body["@odata.nextLink"] = f"{request.origin}{request.path}?{onward}"
        return Reply(200, body)

    def _found(self, table: Table, query: dict[str, str]) -> list[Row]:
        names = {field.name for field in table.kind.fields}
        order = odata.parse_order(query.get("$orderby", ""), names)
        by_change = bool(order) and order[0] == (table.kind.modified, False)
        test = odata.parse_filter(query["$filter"], names) if "$filter" in query else None
        if (found := self._by_number(table, query)) is not None:
            return found
        rows = list(table.by_change()) if by_change else sorted(table.rows.values(), key=lambda row: str(row["id"]))
        rows = [row for row in rows if test(row)] if test else rows
        for name, descending in [] if by_change else reversed(order):
            rows.sort(key=lambda row: (row[name] is not None, row[name]), reverse=descending)
        return rows[: int(query["$top"])] if query.get("$top", "").isdecimal() else rows

    def _by_number(self, table: Table, query: dict[str, str]) -> list[Row] | None:
        """The usual look-up before a write, answered from the index; None when the filter is anything else."""
        name, value = odata.single_equality(query.get("$filter", ""))
        field = table.kind.field(name)
        return table.find(name, value) if field and field.unique else None

    def _start(self, rows: list[Row], query: dict[str, str]) -> int:
        """The row after the one that the skip token names; rows that changed meanwhile may have moved."""
        token = query.get("$skiptoken")
        if not token:
            return int(query["$skip"]) if query.get("$skip", "").isdecimal() else 0
        return next((n + 1 for n, row in enumerate(rows) if row["id"] == token), len(rows))

    def _shown(self, kind: ObjectType, row: Row, chosen: Iterable[str] = ()) -> Row:
        shown = self.shown(kind, row)
        picked = {name: value for name, value in shown.items() if not chosen or name in chosen}
        return {_ETAG: row.get(_ETAG, 'W/"1"')} | picked

    def _table(self, name: str, place: dict[str, str]) -> Table:
        if place != {"tenant": TENANT, "environment": ENVIRONMENT, "company": COMPANY_ID}:
            raise Refusal("not_found", "The company does not exist.")
        return self.table(name)

    # Writing

    @route("POST", COMPANY + "/{name}({key})/Microsoft.NAV.post")
    def post_invoice(self, request: Request, name: str, key: str, **place: str) -> Reply:
        """Post a draft invoice: it becomes open, and the ledger gets its entries."""
        table = self._table(name, place)
        row = self.row(table, key)
        if table.kind is not erp_data.INVOICES or row["status"] != "Draft":
            raise Refusal("rule", "Only draft sales invoices can be posted.")
        ledger = self.tables["generalLedgerEntries"]
        for entry in erp_data.ledger_rows(self.update(table.kind, key, {"status": "Open"}), len(ledger.rows) + 1):
            self.insert(ledger.kind, entry)
        return Reply(204)

    @route("POST", COMPANY + "/{name}")
    def post_one(self, request: Request, name: str, **place: str) -> Reply:
        table = self._table(name, place)
        body = self._body(table, request)
        lines = body.pop("salesInvoiceLines", []) if table.kind is erp_data.INVOICES else []
        values = table.check_values(body)
        if table.kind is erp_data.INVOICES:
            values |= self._invoice_totals(values, lines)
        row = self.insert(table.kind, values)
        self._insert_lines(row, lines)
        return Reply(201, self._shown(table.kind, row), {"ETag": row[_ETAG]})

    @route("PATCH", COMPANY + "/{name}({key})")
    def patch_one(self, request: Request, name: str, key: str, **place: str) -> Reply:
        table = self._table(name, place)
        self._check_etag(self.row(table, key), request)
        row = self.update(table.kind, key, table.check_values(self._body(table, request)))
        return Reply(200, self._shown(table.kind, row), {"ETag": row[_ETAG]})

    @route("DELETE", COMPANY + "/{name}({key})")
    def delete_one(self, request: Request, name: str, key: str, **place: str) -> Reply:
        table = self._table(name, place)
        self._check_etag(self.row(table, key), request)
        self.delete(table.kind, key)
        return Reply(204)

    def _check_etag(self, row: Row, request: Request) -> None:
        given = request.headers.get("if-match")
        if given is None:
            raise Refusal("no_etag", "The request must have an If-Match header.")
        if given not in ("*", row.get(_ETAG, 'W/"1"')):
            raise Refusal("etag", "Another user has already changed the record.")

    def _body(self, table: Table, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        if not table.kind.writable:
            raise Refusal("method", f"Entries of {table.kind.name} are made by posting only.")
        if "ieee754compatible=true" in request.headers.get("content-type", "").lower().replace(" ", ""):
            return {name: _from_text(table.kind.field(name), value) for name, value in body.items()}
        return body

    def _invoice_totals(self, values: Row, lines: list[Row]) -> Row:
        """The number, unless it is given, and what follows from the lines; ROUND_HALF_EVEN as everywhere."""
        net = sum((_number(line, "quantity") * _number(line, "unitPrice") for line in lines), Decimal(0)).quantize(
            _CENT
        )
        tax = (net * _TAX_RATES.get(values.get("currencyCode") or "", Decimal(0))).quantize(_CENT)
        number = values.get("number") or f"SI-{20_000 + len(self.tables['salesInvoices'].rows)}"
        return {
            "number": number, "status": "Draft", "totalAmountExcludingTax": net, "totalTaxAmount": tax,
            "totalAmountIncludingTax": net + tax, "remainingAmount": net + tax,
        }  # fmt: skip

    def _insert_lines(self, invoice: Row, lines: list[Row]) -> None:
        table = self.tables["salesInvoiceLines"]
        for sequence, line in enumerate(lines, start=1):
            values = table.check_values(line)
            net = _number(line, "quantity") * _number(line, "unitPrice")
            place = {"documentNumber": invoice["number"], "sequence": sequence * 10_000, "netAmount": net}
            self.insert(table.kind, values | place)


def _from_text(field: Field | None, value: Any) -> Any:
    """With IEEE754Compatible=true, OData writes decimals as text, so that no digit is lost."""
    if field is None or field.type != "decimal" or not isinstance(value, str):
        return value
    try:
        return Decimal(value)
    except InvalidOperation:
        return value


def _number(line: Row, name: str) -> Decimal:
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Problem("value", name, f"{value!r} is no valid value for {name} (decimal).")
    return Decimal(value)
