"""Simulated Business Central, API v2.0: companies, versions that a change must name, JSON batches, subscriptions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener
from urllib.request import Request as WebRequest
from uuid import UUID, uuid5

from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.ids import erp_id
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.microsoft import business_central_rows as rows
from connectors.simulators.microsoft.service import TENANT, ODataService
from connectors.simulators.tables import ObjectType, Problem, Row, Table

ENVIRONMENT = "production"
COMPANY_ID = erp_id("companies", "HARROW & VALE")
_COMPANY = re.compile(r"companies\((?P<company>[^)]+)\)(?:/(?P<inner>.*))?")
_CENT = Decimal("0.01")
_COALESCED = timedelta(seconds=30)
_LIFE = timedelta(days=3)
_MOST_CHANGES = 1_000
_TRIED_AGAIN = frozenset({0, 408, 429, *range(500, 600)})
# Notifications go to whoever subscribed; a proxy of the environment has no part in it.
_OPENER = build_opener(ProxyHandler({}))


class BusinessCentralSimulator(ODataService):
    system, label = "business_central", "Simulated Business Central"
    kinds = rows.KINDS
    ROOT = r"/v2\.0/(?P<tenant>[^/]+)/(?P<environment>[^/]+)/api/v2\.0"
    SCOPE = "https://api.businesscentral.dynamics.com/.default"
    MOST_IN_PAGE, MOST_IN_BATCH = 20_000, 100
    NEEDS_IF_MATCH = True
    WORDS = {
        "malformed": (400, "BadRequest"),
        "filter": (400, "BadRequest"),
        "unauthorised": (401, "Authentication_InvalidCredentials"),
        "not_found": (404, "BadRequest_ResourceNotFound"),
        "method": (405, "BadRequest_MethodNotAllowed"),
        "etag": (409, "Request_EntityChanged"),
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
        self._errors = 0
        self._changes: list[tuple[str, str, str, datetime]] = []

    def credentials(self) -> dict[str, str]:
        return {**super().credentials(), "environment": ENVIRONMENT, "company_id": COMPANY_ID}

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        self._errors += 1
        correlation = uuid5(UUID(COMPANY_ID), str(self._errors))
        return {"error": {"code": code, "message": f"{refusal.message}  CorrelationId:  {correlation}."}}

    def seed_rows(self, firm: Firm) -> dict[str, Any]:
        self._changes.clear()
        return rows.seed(firm)

    # Addresses

    def check_place(self, place: Mapping[str, str | None]) -> None:
        if (place["tenant"], place["environment"]) != (TENANT, ENVIRONMENT):
            raise Refusal("not_found", "The environment does not exist.")

    def serve(self, request: Request, root: str, rest: str) -> Reply:
        found = _COMPANY.fullmatch(rest)
        if not found:
            if rest.partition("(")[0] not in ("companies", "subscriptions", "$metadata", "$batch"):
                raise Refusal("not_found", "Name the company: companies(id)/…")
            return super().serve(request, root, rest)
        if found["company"] not in self.tables["companies"].rows:
            raise Refusal("not_found", "The company does not exist.")
        return super().serve(request, root, found["inner"] or rest)

    # Reading

    def listed(self, request: Request, table: Table) -> Reply:
        if table.kind.name == "salesInvoiceLines" and "documentId" not in request.query.get("$filter", ""):
            raise Refusal("malformed", "You must specify an Id or a Document Id to get the lines.")
        return super().listed(request, table)

    # Writing

    def posted(self, request: Request, table: Table, values: Row) -> Reply:
        if table.kind.name == "subscriptions":
            self._shake_hands(values)
        if table.kind.name == "salesInvoices":
            values = {"number": f"S-INV{20_000 + len(table.rows)}", **values}
        return super().posted(request, table, values)

    def body(self, table: Table, request: Request) -> Row:
        given = request.json()
        lines = given.pop("salesInvoiceLines", []) if isinstance(given, dict) else []
        if lines:
            raise Refusal("malformed", "Lines are written one by one here: POST salesInvoiceLines.")
        return super().body(table, request)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        row = super().derive(kind, row, before)
        for field in kind.fields:
            if field.type == "decimal":
                row[field.name] = (row[field.name] or Decimal(0)).quantize(_CENT)
        match kind.name:
            case "timeRegistrationEntries":
                self._check_time(row, before)
            case "salesInvoices":
                row["status"] = row["status"] or "Draft"
                self._match_customer(row)
            case "salesInvoiceLines":
                row["netAmount"] = (row["quantity"] * row["unitPrice"]).quantize(_CENT)
        return row

    def _match_customer(self, row: Row) -> None:
        if row["customerNumber"]:
            row["customerId"] = self.tables["customers"].find("number", row["customerNumber"])[0]["id"]

    def _check_time(self, row: Row, before: Row | None) -> None:
        if not 0 < row["quantity"] <= 24:
            raise Problem("rule", "quantity", f"Quantity {row['quantity']} must be above 0 and not above 24.")
        for name, other, number in (("employeeId", "employees", "employeeNumber"), ("jobId", "projects", "jobNumber")):
            found = self.tables[other].find("number", row[number])
            row[name] = found[0]["id"] if found else None
        row["status"] = row["status"] or "Open"

    def bound_action(self, request: Request, table: Table, key: str | None, action: str) -> Reply:
        """Posting a draft invoice: it becomes open, and the ledger gets its entries; or the lines of an invoice."""
        if action == "salesInvoiceLines" and request.method == "GET":
            request.query["$filter"] = f"documentId eq '{key}'"
            return self.listed(request, self.tables["salesInvoiceLines"])
        if action != "Microsoft.NAV.post" or table.kind.name != "salesInvoices" or key is None:
            return super().bound_action(request, table, key, action)
        if table.rows[key]["status"] != "Draft":
            raise Refusal("rule", "Only draft sales invoices can be posted.")
        ledger = self.tables["generalLedgerEntries"]
        for entry in rows.posting(self.update(table.kind, key, {"status": "Open"}), len(ledger.rows) + 1):
            self.insert(ledger.kind, entry)
        return Reply(204)

    # Subscriptions

    def insert(self, kind: ObjectType, values: Row) -> Row:
        row = super().insert(kind, values)
        self._changes.append((kind.name, str(row[kind.key]), "created", self.clock.now()))
        return row

    def update(self, kind: ObjectType, key: str, changes: Row) -> Row:
        if kind.name == "subscriptions":
            self._shake_hands({**self.tables["subscriptions"].rows[key], **changes})
        row = super().update(kind, key, changes)
        self._changes.append((kind.name, key, "updated", self.clock.now()))
        return row

    def delete(self, kind: ObjectType, key: str) -> None:
        super().delete(kind, key)
        self._changes.append((kind.name, key, "deleted", self.clock.now()))

    def _shake_hands(self, values: Row) -> None:
        """The receiver must send the token back as it is, when subscribing and when renewing."""
        token = f"handshake-{len(self._changes) + 1}"
        url = str(values["notificationUrl"])
        status, text = _post(f"{url}{'&' if '?' in url else '?'}validationToken={quote(token)}", None)
        if status != 200 or text.strip() != token:
            raise Refusal("rule", "The notification URL did not answer the validation token.")
        values["expirationDateTime"] = self.stamp(self.clock.now() + _LIFE)

    def deliver(self) -> list[dict[str, Any]]:
        """Send what changed at least 30 seconds ago; an answer that cannot be tried again ends the subscription."""
        now, sent = self.clock.now(), []
        due = [change for change in self._changes if change[3] + _COALESCED <= now]
        left = set(due)
        for key, row in list(self.tables["subscriptions"].rows.items()):
            if parse_instant(row["expirationDateTime"]) <= now:
                super().delete(rows.SUBSCRIPTIONS, key)
                continue
            name = str(row["resource"]).rpartition("/")[2]
            mine = [change for change in due if change[0] == name]
            if not mine:
                continue
            status, _ = _post(row["notificationUrl"], {"value": self._notices(row, mine)})
            sent.append({"subscription": key, "changes": len(mine), "status": status})
            if status in _TRIED_AGAIN:
                left -= set(mine)
            elif status >= 300:
                super().delete(rows.SUBSCRIPTIONS, key)
        self._changes = [change for change in self._changes if change not in left]
        return sent

    def _notices(self, row: Row, changes: list[tuple[str, str, str, datetime]]) -> list[dict[str, Any]]:
        common = {
            "subscriptionId": row["subscriptionId"], "clientState": row["clientState"],
            "expirationDateTime": row["expirationDateTime"],
        }  # fmt: skip
        newest = {key: (kind, at) for _, key, kind, at in changes}
        if len(newest) > _MOST_CHANGES:
            since = self.stamp(min(at for _, at in newest.values()))
            resource = f"{row['resource']}?$filter=lastModifiedDateTime ge {since}"
            return [{**common, "resource": resource, "changeType": "collection", "lastModifiedDateTime": since}]
        return [
            {
                **common, "resource": f"{row['resource']}({key})", "changeType": kind,
                "lastModifiedDateTime": self.stamp(at),
            }
            for key, (kind, at) in newest.items()
        ]  # fmt: skip


def _post(url: str, body: Any) -> tuple[int, str]:
    """Status and text of an answer; status 0 when there is none."""
    data = b"" if body is None else json.dumps(body).encode()
    request = WebRequest(url, data=data, method="POST", headers={"Content-Type": "application/json"})
    try:
        with _OPENER.open(request, timeout=10) as answer:
            return int(answer.status), str(answer.read(4_096).decode("utf-8", "replace"))
    except HTTPError as error:
        return error.code, ""
    except (URLError, OSError, ValueError):
        return 0, ""
