"""A simulated Salesforce org: what the demo CRM does, and the grants, collections, composites and bulk jobs of the real one."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from connectors.simulators import crm_data
from connectors.simulators.base import open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.crm import BASE, CrmSimulator
from connectors.simulators.firm import Firm
from connectors.simulators.ids import crm_id
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.salesforce import grants, objects, rows
from connectors.simulators.salesforce.bulk import BulkJobs
from connectors.simulators.tables import ObjectType, Problem, Row, Table

MOST_IN_COLLECTION, MOST_IN_COMPOSITE = 200, 25
_REFERENCE = re.compile(r"@\{(\w+)\.(\w+)\}")


class SalesforceSimulator(CrmSimulator, BulkJobs):
    system, label = "salesforce", "Simulated Salesforce"
    kinds = objects.KINDS
    WORDS: ClassVar[Mapping[str, tuple[int, str]]] = {
        **CrmSimulator.WORDS,
        "ambiguous": (400, "DUPLICATE_EXTERNAL_ID"),
        "locked": (400, "UNABLE_TO_LOCK_ROW"),
        "rule": (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        "undone": (400, "ALL_OR_NONE_OPERATION_ROLLED_BACK"),
        "limit": (400, "LIMIT_EXCEEDED"),
        "state": (400, "INVALIDJOBSTATE"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.grants = grants.Grants(clock)

    def credentials(self) -> dict[str, str]:
        return {
            "client_id": grants.CLIENT_ID,
            "client_secret": grants.CLIENT_SECRET,
            "username": grants.USERNAME,
            "private_key": self.grants.private_key,
            "refresh_token": self.grants.refresh_token,
            "audience": grants.AUDIENCES[0],
        }

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self._locators.clear()
        self.jobs.clear()
        kinds = {kind.name: kind for kind in self.kinds}
        found = {name: list(items) for name, items in self.firm_rows(firm).items() if name in kinds}
        for name, items in found.items():
            for item in items:
                item.row = rows.whole(kinds[name], item.row)
        return {name: found.get(name, []) for name in kinds}

    def firm_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return rows.rows(firm)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        now = row["SystemModstamp"]
        row |= {"LastModifiedDate": now, "CreatedDate": row["CreatedDate"] or now, "IsDeleted": False}
        if kind.name == "Opportunity":
            row |= crm_data.won(row["StageName"] or "")
            row["ForecastCategoryName"] = rows.forecast(row["StageName"] or "")
        if kind.name == "OpportunityLineItem" and row.get("UnitPrice") is not None:
            row["TotalPrice"] = row["Quantity"] * row["UnitPrice"]
        return row | self._numbered(kind, row)

    def _numbered(self, kind: ObjectType, row: Row) -> Row:
        """Numbers that the org gives itself."""
        names = {"Contract": "ContractNumber", "Order": "OrderNumber"}
        name = names.get(kind.name, "")
        return {name: f"{60_000 + len(self.tables[kind.name].rows):08d}"} if name and not row[name] else {}

    # Signing in

    @route("POST", "/services/oauth2/token")
    @open_door
    def post_token(self, request: Request) -> Reply:
        form = request.form()
        client = (form.get("client_id", ""), form.get("client_secret", "")) if "client_id" in form else request.basic()
        refusal = self.grants.refusal(form, client, request.origin)
        if refusal:
            return refusal
        answer: Row = {
            "access_token": self.tokens.issue(self.settings.token_seconds),
            "instance_url": request.origin,
            "id": f"{request.origin}/id/00DHV0000000001EAA/{crm_id('User', 1)}",
            "token_type": "Bearer",
            "scope": "api",
        }
        if form["grant_type"] != "client_credentials" and "assertion" in form:
            return Reply(200, answer)
        answer |= {"issued_at": str(int(self.clock.now().timestamp() * 1000)), "signature": "simulated"}
        if form["grant_type"] == "refresh_token" and self.settings.rotates:
            answer["refresh_token"] = self.grants.rotate()
        return Reply(200, answer)

    # What bulk jobs need of the org

    def readable(self, name: str) -> set[str] | None:
        return self._readable_fields(name)

    def upsert_row(self, table: Table, field_: str, value: str, values: Row) -> Row:
        return self._upsert(table, field_, value, values)

    def _upsert(self, table: Table, field: str, value: str, values: Row) -> Row:
        if value and len(self._by_external_id(table, field, value)) > 1:
            raise Refusal("ambiguous", f"Duplicate external id specified: {value}", field=field)
        return super()._upsert(table, field, value, values)

    def _answered(self, body: Any, status: int = 200) -> Reply:
        return self._ok(body, status)

    # Writing

    def insert(self, kind: ObjectType, values: Row) -> Row:
        self._lock_row()
        return super().insert(kind, values)

    def update(self, kind: ObjectType, key: str, changes: Row) -> Row:
        self._lock_row()
        return super().update(kind, key, changes)

    def _lock_row(self) -> None:
        if self.settings.locked_writes > 0:
            self.settings.locked_writes -= 1
            raise Refusal("locked", "unable to obtain exclusive access to this record")

    @route("PATCH", BASE + "/composite/sobjects/{name}/{field}")
    def upsert_collection(self, request: Request, version: str, name: str, field: str) -> Reply:
        """Up to 200 records with a result each; status 200 even when all failed. `allOrNone` undoes the good ones too."""
        table, body = self.table(name), request.json()
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or not records:
            raise Refusal("malformed", "The request must hold a list of records.")
        if len(records) > MOST_IN_COLLECTION:
            raise Refusal("limit", f"record limit reached. cannot submit more than {MOST_IN_COLLECTION} records")
        if any("Id" in record for record in records if field != "Id"):
            raise Refusal("field", "Record ids may not be given with an external id.", field="Id")
        before = self._snapshot() if body.get("allOrNone") else None
        results = [self._collected(table, field, record) for record in records]
        if before is not None and not all(result["success"] for result in results):
            self._restore(before)
            results = [self._undone() if result["success"] else result for result in results]
        return self._ok(results)

    def _undone(self) -> Row:
        words = "Record rolled back because not all records were valid and the request was using AllOrNone header"
        errors = [{"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": words, "fields": []}]
        return {"id": None, "success": False, "errors": errors, "created": False}

    def _snapshot(self) -> dict[str, Table]:
        """The tables as they are; rows are never changed in place."""
        return {name: _copied(table) for name, table in self.tables.items()}

    def _restore(self, tables: dict[str, Table]) -> None:
        self.tables = tables

    # Composite

    @route("POST", BASE + "/composite")
    def post_composite(self, request: Request, version: str) -> Reply:
        """Up to 25 requests, of which later ones may name what earlier ones answered: `@{ref.id}`."""
        body = request.json()
        parts = body.get("compositeRequest", []) if isinstance(body, dict) else []
        if not parts or len(parts) > MOST_IN_COMPOSITE:
            raise Refusal("limit", f"1 to {MOST_IN_COMPOSITE} requests belong into a composite.")
        before = self._snapshot() if body.get("allOrNone") else None
        answers: dict[str, Row] = {}
        for part in parts:
            answers[part["referenceId"]] = self._part(request, part, answers)
        if before is not None and any(answer["httpStatusCode"] >= 300 for answer in answers.values()):
            self._restore(before)
            answers = {ref: self._halted(ref) if a["httpStatusCode"] < 300 else a for ref, a in answers.items()}
        return self._ok({"compositeResponse": list(answers.values())})

    def _part(self, request: Request, part: Row, answers: Mapping[str, Row]) -> Row:
        named = set(_REFERENCE.findall(str(part)))
        if any(ref not in answers or answers[ref]["httpStatusCode"] >= 300 for ref, _ in named):
            return self._halted(part["referenceId"])
        filled = _filled(part, answers)
        inner = Request(filled["method"], filled["url"], request.headers, _encoded(filled.get("body")))
        reply = self._inner(inner)
        return _subanswer(part["referenceId"], reply.status, reply.body)

    def _inner(self, request: Request) -> Reply:
        try:
            return self._route(request)
        except (Refusal, Problem) as error:
            return self._refused(Refusal(error.kind, error.message, field=error.field))

    def _halted(self, reference: str) -> Row:
        words = "The transaction was rolled back since another operation in the same transaction failed."
        return _subanswer(reference, 400, [{"errorCode": "PROCESSING_HALTED", "message": words}])


def _subanswer(reference: str, status: int, body: Any) -> Row:
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference}


def _copied(table: Table) -> Table:
    twin = copy.copy(table)
    twin.rows, twin.changed_at, twin.removed = dict(table.rows), dict(table.changed_at), dict(table.removed)
    twin.copy_indices(table)
    return twin


def _filled(part: Any, answers: Mapping[str, Row]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, answers) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, answers) for value in part]
    if not isinstance(part, str):
        return part
    return _REFERENCE.sub(lambda found: str(answers[found[1]]["body"][found[2]]), part)


def _encoded(body: Any) -> bytes:
    return Reply(200, body).payload()
