"""Simulated Oracle Fusion: the REST framework with its versions, hashed addresses and upserts, and scheduled imports."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.simulators import fusion_costs, fusion_data, fusion_jobs, fusion_query
from connectors.simulators.base import Simulator, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.fusion_jobs import ERROR, SUCCEEDED, WARNING, EssJob, Scheduler
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Problem, Row, Table

USER, PASSWORD = "hub.integration", "demo-fusion-password"
BASE = "/fscmRestApi/resources/11.13.18.05"
LIMIT = 499
INTEGRATIONS = "erpintegrations"
IMPORT_PACKAGE, IMPORT_JOB = "/oracle/apps/ess/projects/costing/transactions/onestop", "ImportAndProcessTxnsJob"
LOADER_JOB = "InterfaceLoaderController"
# The columns in which the loader finds a cost in an uploaded file.
FILE_COLUMNS = ("reference", "batch", "person", "project", "task", "day", "quantity")


class FusionSimulator(Simulator):
    system, label = "oracle_fusion", "Simulated Oracle Fusion"
    kinds = fusion_data.KINDS
    WORDS = {
        "malformed": (400, "BAD_REQUEST"),
        "query": (400, "27012"),
        "unauthorised": (401, "UNAUTHORIZED"),
        "not_found": (404, "NOT_FOUND"),
        "method": (405, "METHOD_NOT_ALLOWED"),
        "etag": (412, "PRECONDITION_FAILED"),
        "throttled": (429, "TOO_MANY_REQUESTS"),
        "server": (500, "JBO-26061"),
        "unknown": (400, "27024"),
        "read_only": (400, "JBO-27008"),
        "required": (400, "JBO-27014"),
        "length": (400, "JBO-27010"),
        "value": (400, "JBO-27018"),
        "duplicate": (400, "JBO-25013"),
        "reference": (400, "JBO-27023"),
        "rule": (400, "JBO-FND"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.scheduler = Scheduler()
        self._versions: dict[tuple[str, str], int] = {}

    # House style

    def credentials(self) -> dict[str, str]:
        return {"user": USER, "password": PASSWORD}

    def guard(self, request: Request) -> None:
        if request.basic() != (USER, PASSWORD):
            raise Refusal("unauthorised", "The user name or the password is not valid.")

    def answer(self, request: Request) -> Reply:
        """Before version 4 of the framework an error is plain text."""
        reply = super().answer(request)
        if reply.status >= 400 and isinstance(reply.body, dict) and _version(request) < 4:
            detail = reply.body["o:errorDetails"][0]["detail"]
            return replace(reply, body=detail.encode(), headers={**reply.headers, "Content-Type": "text/plain"})
        return reply

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        detail = {"detail": refusal.message, "o:errorCode": code}
        if refusal.field:
            detail["o:errorPath"] = f"/{refusal.field}"
        titles = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 412: "Precondition Failed"}
        return {"title": titles.get(status, "Error"), "status": str(status), "o:errorDetails": [detail]}

    def throttled(self, retry_after: int | None) -> Refusal:
        return Refusal("throttled", "Too many requests.", headers={"Retry-After": str(retry_after or 1)})

    def stamp(self, instant: datetime) -> str:
        return fusion_data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return fusion_data.number(kind.name, n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self.scheduler, self._versions = Scheduler(), {}
        return fusion_data.rows(firm)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        key = (kind.name, str(row[kind.key]))
        self._versions[key] = self._versions.get(key, 0) + 1
        if kind is fusion_data.COSTS:
            project, task, day = fusion_costs.where_it_belongs(row)
            row |= {"ProjectNumber": project, "TaskNumber": task, "ExpenditureItemDate": day or None}
            # what was corrected is pending again
            row |= {"StatusCode": "P", "Errors": []}
        return row

    # Reading

    @route("GET", BASE + "/{name}")
    def get_list(self, request: Request, name: str) -> Reply:
        if name == INTEGRATIONS:
            return self._get_integration(request)
        table = self._resource(name)
        rows = self._found(request, table, list(table.by_change()))
        return Reply(200, self._page(request, table, rows, f"{BASE}/{name}"))

    @route("GET", BASE + "/{name}/{key}")
    def get_one(self, request: Request, name: str, key: str) -> Reply:
        table = self._resource(name)
        row = self._row_at(table, key)
        return Reply(200, self._item(request, table, row, f"{BASE}/{name}"), {"ETag": self._etag(table, row)})

    @route("GET", BASE + "/{name}/{key}/child/{child}")
    def get_children(self, request: Request, name: str, key: str, child: str) -> Reply:
        row = self._row_at(self._resource(name), key)
        address = f"{BASE}/{name}/{key}/child/{child}"
        if child == "Tasks" and name == "projects":
            tasks = self.tables["Tasks"]
            mine = [task for task in tasks.by_change() if task["ProjectId"] == row["ProjectId"]]
            return Reply(200, self._page(request, tasks, self._found(request, tasks, mine), address))
        if child not in fusion_data.CHILDREN.get(name, ()):
            raise Refusal("not_found", f"{name} has no child {child}.")
        return Reply(200, _collection(request, list(row.get(child) or []), 0, LIMIT, len(row.get(child) or [])))

    def _found(self, request: Request, table: Table, rows: list[Row]) -> list[Row]:
        names = {field.name for field in table.kind.fields if field.type not in ("array", "object")}
        try:
            if request.query.get("q"):
                test = fusion_query.parse(request.query["q"], names, version=_version(request))
                rows = [row for row in rows if test(row)]
        except fusion_query.QueryError as error:
            raise Refusal("query", str(error)) from None
        for part in reversed(request.query.get("orderBy", "").split(",")):
            name, _, direction = part.partition(":")
            if name and name not in names:
                raise Refusal("query", f"The attribute {name} cannot be sorted by.")
            if name:
                rows.sort(key=lambda row: (row[name] is not None, row[name]), reverse=direction == "desc")
        return rows

    def _page(self, request: Request, table: Table, rows: list[Row], address: str) -> Row:
        """Asking for 500 gives 499, as the real service does it: what is asked for is not what comes."""
        offset = request.query.get("offset", "0")
        if not offset.isdecimal():
            raise Refusal("query", "The offset must be a whole number.")
        size = self.page_size(request.query.get("limit"), default=25, ceiling=LIMIT)
        page = rows[int(offset) : int(offset) + size]
        items = [self._item(request, table, row, address) for row in page]
        return _collection(request, items, int(offset), size, len(rows))

    def _item(self, request: Request, table: Table, row: Row, address: str) -> Row:
        """Children are there when they are asked for: as lists, and from version 3 on as collections."""
        query, kind = request.query, table.kind
        if query.get("fields") and query.get("expand"):
            raise Refusal("query", "fields and expand cannot be combined.")
        expanded = {name for name in query.get("expand", "").split(",") if name}
        shown: Row = {}
        for name, value in self.shown(kind, row).items():
            if name not in fusion_data.CHILDREN.get(kind.name, ()):
                shown[name] = value
            elif name in expanded or expanded == {"all"}:
                shown[name] = (
                    _collection(request, value or [], 0, LIMIT, len(value or [])) if _version(request) >= 3 else value
                )
        if query.get("fields"):
            shown = {name: shown.get(name) for name in query["fields"].split(",")}
        if query.get("onlyData") == "true":
            return shown
        href = f"{request.origin}{address}/{self._address(kind, row)}"
        return {**shown, "links": [{"rel": "self", "href": href, "name": kind.name, "kind": "item"}]}

    def _address(self, kind: ObjectType, row: Row) -> str:
        key = str(row[kind.key])
        return fusion_data.unique_id(kind.name, key) if kind.name in fusion_data.HASHED else key

    def _row_at(self, table: Table, address: str) -> Row:
        """Where the key is composed, the hash alone leads to an item: its number does not."""
        if table.kind.name not in fusion_data.HASHED:
            return self.row(table, address)
        for key, row in table.rows.items():
            if fusion_data.unique_id(table.kind.name, key) == address:
                return row
        raise Refusal("not_found", f"There is no item at {table.kind.name}/{address}.")

    def _resource(self, name: str) -> Table:
        if name == "Tasks":
            raise Refusal("not_found", "Tasks are children of projects.")
        return self.table(name)

    def _etag(self, table: Table, row: Row) -> str:
        return f'"{self._versions.get((table.kind.name, str(row[table.kind.key])), 0):032X}"'

    # Writing

    @route("POST", BASE + "/{name}")
    def post_one(self, request: Request, name: str) -> Reply:
        """With Upsert-Mode the natural key decides between making and changing, where the resource supports it."""
        if name == INTEGRATIONS:
            return self._post_integration(request)
        table = self._writable(name)
        values = self._values(table, request)
        natural = fusion_data.NATURAL_KEYS.get(name)
        if request.headers.get("upsert-mode") == "true" and natural and natural in values:
            found = table.find(natural, values[natural])
            if found:
                row = self.update(table.kind, str(found[0][table.kind.key]), values)
                return self._answered(request, table, row, 200)
        return self._answered(request, table, self._insert(table, values), 201)

    def _insert(self, table: Table, values: Row) -> Row:
        if table.kind is fusion_data.INVOICES:
            lines = values.get("receivablesInvoiceLines") or []
            total = sum(line.get("Quantity", 0) * line.get("UnitSellingPrice", 0) for line in lines)
            number = values.get("TransactionNumber") or f"AR-{70_000 + len(table.rows)}"
            values = {**values, "TransactionNumber": number, "EnteredAmount": total, "InvoiceBalanceAmount": total}
        return self.insert(table.kind, values)

    @route("PATCH", BASE + "/{name}/{key}")
    def patch_one(self, request: Request, name: str, key: str) -> Reply:
        table = self._writable(name)
        row = self._row_at(table, key)
        self._check_etag(table, row, request)
        values = self._values(table, request)
        for field in set(values) - fusion_data.CHANGEABLE.get(name, set(values)):
            raise Problem("read_only", field, f"The attribute {field} cannot be changed after the invoice was created.")
        return self._answered(request, table, self.update(table.kind, str(row[table.kind.key]), values), 200)

    @route("DELETE", BASE + "/{name}/{key}")
    def delete_one(self, request: Request, name: str, key: str) -> Reply:
        table = self._writable(name)
        row = self._row_at(table, key)
        self._check_etag(table, row, request)
        self.delete(table.kind, str(row[table.kind.key]))
        return Reply(204)

    @route("POST", BASE + "/{name}/{key}/child/{child}")
    def post_child(self, request: Request, name: str, key: str, child: str) -> Reply:
        project = self._row_at(self._resource(name), key)
        if (name, child) != ("projects", "Tasks"):
            raise Refusal("method", f"{child} cannot be created.")
        tasks = self.tables["Tasks"]
        values = self._values(tasks, request) | {"ProjectId": project["ProjectId"]}
        if any(
            task["ProjectId"] == project["ProjectId"] for task in tasks.find("TaskNumber", values.get("TaskNumber"))
        ):
            raise Problem(
                "duplicate", "TaskNumber", f"The task number {values['TaskNumber']} already exists in the project."
            )
        return self._answered(request, tasks, self.insert(tasks.kind, values), 201)

    @route("PATCH", BASE + "/{name}/{key}/child/{child}/{task}")
    def patch_child(self, request: Request, name: str, key: str, child: str, task: str) -> Reply:
        self._row_at(self._resource(name), key)
        tasks = self.tables["Tasks"]
        self.row(tasks, task)
        return self._answered(request, tasks, self.update(tasks.kind, task, self._values(tasks, request)), 200)

    def _answered(self, request: Request, table: Table, row: Row, status: int) -> Reply:
        item = self._item(request, table, row, f"{BASE}/{table.kind.name}")
        return Reply(status, item, {"ETag": self._etag(table, row)})

    def _writable(self, name: str) -> Table:
        table = self._resource(name)
        if not table.kind.writable:
            raise Refusal("method", f"{name} cannot be written.")
        return table

    def _values(self, table: Table, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        return table.check_values(body)

    def _check_etag(self, table: Table, row: Row, request: Request) -> None:
        given = request.headers.get("if-match")
        if given not in (None, "*", self._etag(table, row)):
            raise Refusal("etag", "The item was changed since it was read.")

    # Scheduled jobs

    def _post_integration(self, request: Request) -> Reply:
        body = request.json()
        name = body.get("OperationName") if isinstance(body, dict) else None
        if name == "uploadFileToUCM":
            return Reply(201, {**body, "DocumentContent": None, "DocumentId": self.scheduler.upload(_content(body))})
        if name == "submitESSJobRequest":
            parameters = tuple(str(body.get("ESSParameters") or "").split(","))
            return self._scheduled(body, body.get("JobPackageName"), body.get("JobDefName"), parameters)
        if name == "importBulkData":
            document = self.scheduler.upload(_content(body))
            return self._scheduled(body, IMPORT_PACKAGE, LOADER_JOB, (document,))
        raise Refusal("malformed", f"The operation {name} is not known.", field="OperationName")

    def _scheduled(self, body: Row, package: Any, definition: Any, parameters: tuple[str, ...]) -> Reply:
        works = {IMPORT_JOB: self._import_costs, LOADER_JOB: self._load_file}
        if str(package).rstrip("/") != IMPORT_PACKAGE or definition not in works:
            raise Refusal("rule", f"The job {package};{definition} is not defined.")
        job = self.scheduler.submit(str(definition), str(package), parameters, works[str(definition)])
        return Reply(201, {**body, "DocumentContent": None, "ReqstId": str(job.number)})

    def _get_integration(self, request: Request) -> Reply:
        finder, _, rest = request.query.get("finder", "").partition(";")
        match = re.search(r"requestId=(\d+)", rest)
        job = self.scheduler.find(int(match[1])) if match else None
        if job is None:
            return Reply(200, _collection(request, [], 0, 25, 0))
        item: Row = {"ReqstId": str(job.number)}
        if finder == "ESSJobStatusRF":
            item["RequestStatus"] = self.scheduler.ask(job, self.settings.job_steps)
        elif finder == "ESSExecutionDetailsRF":
            item["RequestStatus"] = fusion_jobs.details(job)
        elif finder == "ESSJobExecutionDetailsRF":
            item["DocumentContent"] = fusion_jobs.log_file(job)
        else:
            raise Refusal("query", f"The finder {finder} is not known.")
        return Reply(200, _collection(request, [item], 0, 25, 1))

    def _import_costs(self, job: EssJob) -> tuple[str, list[str]]:
        """What is pending in the batch becomes expenditure items or is rejected; a child of the job does the work.

        The job itself ends well even where its child did not: whoever looks at it alone believes that all is done.
        """
        batch = next((part for part in job.parameters if part.startswith("BATCH:")), "").removeprefix("BATCH:")
        if self.scheduler.child_fails:
            self.scheduler.child_fails = False
            log = ["ORA-06502: PL/SQL: numeric or value error: character to number conversion error"]
            self.scheduler.child(job, "Import Costs: Child", ERROR, log)
            return SUCCEEDED, ["Submitted 1 child request."]
        done, rejected = self._import_rows(batch)
        log = [f"Imported {done} transactions, rejected {rejected}."]
        self.scheduler.child(job, "Import Costs: Child", WARNING if rejected else SUCCEEDED, log)
        return WARNING if rejected else SUCCEEDED, log

    def _import_rows(self, batch: str) -> tuple[int, int]:
        costs, items = self.tables["unprocessedProjectCosts"], self.tables["projectExpenditureItems"]
        pending = [
            row
            for row in list(costs.rows.values())
            if row["StatusCode"] == "P" and batch in ("", row["ExpenditureBatch"])
        ]
        rejected = 0
        for row in pending:
            errors = fusion_costs.why_rejected(row, self.tables)
            if errors:
                rejected += 1
                costs.load({**row, "StatusCode": "R", "Errors": errors}, self.clock.now())
            else:
                self.insert(items.kind, fusion_costs.imported(row))
                self.delete(costs.kind, str(row[costs.kind.key]))
        return len(pending) - rejected, rejected

    def _load_file(self, job: EssJob) -> tuple[str, list[str]]:
        """The rows of an uploaded file are laid down as costs, then imported."""
        content = self.scheduler.documents.get(job.parameters[-1])
        if content is None:
            return ERROR, [f"There is no document {job.parameters[-1]}."]
        rows = fusion_jobs.rows_in(content)
        short = next((n for n, row in enumerate(rows, start=1) if len(row) < len(FILE_COLUMNS)), 0)
        if short:
            return ERROR, [f"SQL*Loader: record {short} rejected: {len(FILE_COLUMNS)} columns are expected."]
        for row in rows:
            self._lay_down(dict(zip(FILE_COLUMNS, row, strict=False)))
        done, rejected = self._import_rows("")
        return (WARNING if rejected else SUCCEEDED), [f"Loaded {len(rows)} rows, imported {done}, rejected {rejected}."]

    def _lay_down(self, row: Mapping[str, str]) -> None:
        flex = {
            fusion_data.PROJECT_FLEX: row["project"], fusion_data.TASK_FLEX: row["task"], fusion_data.DATE_FLEX: row["day"],
        }  # fmt: skip
        self.insert(fusion_data.COSTS, {
            "ExpenditureBatch": row["batch"], "OriginalTransactionReference": row["reference"],
            "PersonNumber": row["person"], "Quantity": Decimal(row["quantity"]),
            "ProjectStandardCostCollectionFlexfields": [flex],
        })  # fmt: skip


def _version(request: Request) -> int:
    asked = request.headers.get("rest-framework-version", "1")
    return int(asked) if asked.isdecimal() else 1


def _collection(request: Request, items: list[Any], offset: int, size: int, total: int) -> Row:
    found: Row = {
        "items": items, "count": len(items), "hasMore": offset + len(items) < total, "limit": size, "offset": offset,
        "links": [{"rel": "self", "href": f"{request.origin}{request.path}", "name": "items", "kind": "collection"}],
    }  # fmt: skip
    return found | ({"totalResults": total} if request.query.get("totalResults") == "true" else {})


def _content(body: Mapping[str, Any]) -> bytes:
    try:
        content = base64.b64decode(body.get("DocumentContent") or "", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        raise Refusal("value", "The content of the document is not valid.", field="DocumentContent")
    return content
