"""Bulk API 2.0 of a simulated org: query jobs with CSV pages, ingest jobs with three CSV results."""

from __future__ import annotations

import csv
import io
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.simulators import soql
from connectors.simulators.base import Simulator, route
from connectors.simulators.clock import Clock
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.tables import Problem, Row, Table

JOBS = "/services/data/v{version}/jobs"
CSV_TYPE = {"Content-Type": "text/csv"}
_OPERATIONS = ("insert", "update", "upsert", "delete")
_SETTABLE = ("UploadComplete", "Aborted")
# Written into a field, this empties it; a field that is left blank stays as it was.
EMPTIED = "#N/A"


@dataclass(slots=True)
class Job:
    """A job of either kind. `asked` counts the looks at its state since the work was handed over."""

    id: str
    kind: str
    spec: Row
    state: str = "Open"
    asked: int = 0
    rows: list[dict[str, str]] = field(default_factory=list)
    successful: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    result: list[Row] = field(default_factory=list)
    error: str = ""

    def shown(self) -> Row:
        counts: Row = {"numberRecordsProcessed": len(self.successful) + len(self.failed) or len(self.result)}
        if self.kind == "ingest":
            counts["numberRecordsFailed"] = len(self.failed)
        return {"id": self.id, "state": self.state, **self.spec, **counts, "errorMessage": self.error}


class BulkJobs(Simulator):
    """Mixed into an org; a job works when it is asked for its state, as often as `settings.job_steps` says."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.jobs: dict[str, Job] = {}
        self._job_number = 0

    # Ingest

    @route("POST", JOBS + "/ingest")
    def post_ingest(self, request: Request, version: str) -> Reply:
        body = request.json()
        table = self.table(str(body.get("object", "")))
        if body.get("operation") not in _OPERATIONS:
            raise Refusal("query", f"{body.get('operation')!r} is no operation of a job.")
        name = body.get("externalIdFieldName", "Id")
        known = table.kind.field(name)
        if body["operation"] == "upsert" and (known is None or not known.external_id):
            raise Refusal("field", f"{name} is no external id of {table.kind.name}.", field=name)
        job = self._new_job("ingest", {**body, "contentType": "CSV", "apiVersion": float(version)})
        url = f"services/data/v{version}/jobs/ingest/{job.id}/batches"
        return self._answered({**job.shown(), "contentUrl": url})

    @route("PUT", JOBS + "/ingest/{key}/batches")
    def put_batch(self, request: Request, version: str, key: str) -> Reply:
        """The data of a job, once."""
        job = self._job(key, "ingest")
        if job.state != "Open" or job.rows:
            raise Refusal("state", f"The job is {job.state} or has its data already.")
        job.rows = list(csv.DictReader(io.StringIO(request.body.decode())))
        return self._answered(None, 201)

    @route("PATCH", JOBS + "/ingest/{key}")
    def patch_job(self, request: Request, version: str, key: str) -> Reply:
        job, state = self._job(key, "ingest"), request.json().get("state")
        if state not in _SETTABLE or job.state != "Open":
            raise Refusal("state", f"A job that is {job.state} cannot become {state}.")
        job.state = state
        return self._answered(job.shown())

    @route("GET", JOBS + "/ingest/{key}")
    def get_ingest(self, request: Request, version: str, key: str) -> Reply:
        return self._answered(self._moved(self._job(key, "ingest")).shown())

    @route("GET", JOBS + "/ingest/{key}/successfulResults")
    def get_successful(self, request: Request, version: str, key: str) -> Reply:
        job = self._done(key)
        return self._csv(job.successful, ("sf__Id", "sf__Created", *_columns(job)))

    @route("GET", JOBS + "/ingest/{key}/failedResults")
    def get_failed(self, request: Request, version: str, key: str) -> Reply:
        job = self._done(key)
        return self._csv(job.failed, ("sf__Id", "sf__Error", *_columns(job)))

    @route("GET", JOBS + "/ingest/{key}/unprocessedrecords")
    def get_unprocessed(self, request: Request, version: str, key: str) -> Reply:
        job = self._done(key)
        done = len(job.successful) + len(job.failed)
        return self._csv(job.rows[done:], _columns(job))

    @route("DELETE", JOBS + "/ingest/{key}")
    def delete_job(self, request: Request, version: str, key: str) -> Reply:
        self._job(key, "ingest")
        del self.jobs[key]
        return self._answered(None, 204)

    # Query

    @route("POST", JOBS + "/query")
    def post_query_job(self, request: Request, version: str) -> Reply:
        body = request.json()
        if body.get("operation") not in ("query", "queryAll"):
            raise Refusal("query", "A query job is query or queryAll.")
        self._select(body)
        job = self._new_job("query", {**body, "contentType": "CSV", "apiVersion": float(version)})
        job.state = "UploadComplete"
        return self._answered(job.shown())

    @route("GET", JOBS + "/query/{key}")
    def get_query_job(self, request: Request, version: str, key: str) -> Reply:
        return self._answered(self._moved(self._job(key, "query")).shown())

    @route("GET", JOBS + "/query/{key}/results")
    def get_query_results(self, request: Request, version: str, key: str) -> Reply:
        """A page of rows from `locator` on; the header Sforce-Locator names the next one, or `null`."""
        job = self._job(key, "query")
        if job.state != "JobComplete":
            raise Refusal("not_found", f"The job is {job.state}: there are no results yet.")
        start = int(request.query.get("locator") or 0)
        size = self.page_size(request.query.get("maxRecords"), default=50_000, ceiling=50_000)
        page, end = job.result[start : start + size], start + size
        reply = self._csv(page, soql.parse(job.spec["query"], self.readable).fields)
        reply.headers |= {
            "Sforce-Locator": str(end) if end < len(job.result) else "null",
            "Sforce-NumberOfRecords": str(len(page)),
        }
        return reply

    # The life of a job

    def _new_job(self, kind: str, spec: Row) -> Job:
        self._job_number += 1
        prefix = "750HV" if kind == "ingest" else "7501V"
        job = Job(f"{prefix}{self._job_number:010d}AAA", kind, spec)
        self.jobs[job.id] = job
        return job

    def _job(self, key: str, kind: str) -> Job:
        if key not in self.jobs or self.jobs[key].kind != kind:
            raise Refusal("not_found", f"There is no {kind} job {key}.")
        return self.jobs[key]

    def _done(self, key: str) -> Job:
        job = self._job(key, "ingest")
        if job.state not in ("JobComplete", "Failed", "Aborted"):
            raise Refusal("state", f"The job is {job.state}: there are no results yet.")
        return job

    def _moved(self, job: Job) -> Job:
        """The job after one more look at it."""
        if job.state == "UploadComplete":
            job.state = "InProgress"
        elif job.state == "InProgress":
            job.asked += 1
            if job.asked >= self.settings.job_steps:
                self._work(job)
        return job

    def _work(self, job: Job) -> None:
        if job.kind == "query":
            job.result = self._select(job.spec)
        else:
            table = self.table(job.spec["object"])
            for row in job.rows:
                self._work_row(job, table, row)
        job.state = "JobComplete"

    def _work_row(self, job: Job, table: Table, row: Mapping[str, str]) -> None:
        try:
            result = self._written(job.spec, table, row)
        except (Problem, Refusal) as error:
            code = self.WORDS[error.kind][1]
            words = f"{code}:{error.message}:{error.field or '--'}"
            job.failed.append({"sf__Id": "", "sf__Error": words, **row})
        else:
            job.successful.append({"sf__Id": result["id"], "sf__Created": str(result["created"]).lower(), **row})

    def _written(self, spec: Row, table: Table, row: Mapping[str, str]) -> Row:
        values = {name: typed(table, name, text) for name, text in row.items() if text != ""}
        name = spec.get("externalIdFieldName", "Id")
        if spec["operation"] == "upsert":
            return self.upsert_row(table, name, str(values.pop(name, "") or ""), values)
        if spec["operation"] == "insert":
            return {"id": self.insert(table.kind, table.check_values(values))["Id"], "created": True}
        key = str(values.pop("Id", ""))
        self.row(table, key)
        if spec["operation"] == "delete":
            self.delete(table.kind, key)
        else:
            self.update(table.kind, key, table.check_values(values))
        return {"id": key, "created": False}

    def _select(self, spec: Row) -> list[Row]:
        try:
            query = soql.parse(spec.get("query", ""), self.readable)
            return query.run(self.all_rows(query.object, with_deleted=spec["operation"] == "queryAll"))
        except soql.SoqlError as error:
            raise Refusal(error.kind, str(error)) from None

    def _csv(self, lines: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Reply:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        names = list(columns)
        writer.writerow(names)
        writer.writerows([_text(line.get(name)) for name in names] for line in lines)
        reply = self._answered(out.getvalue().encode())
        reply.headers |= CSV_TYPE
        return reply

    # What the org lends

    @abstractmethod
    def readable(self, name: str) -> set[str] | None:
        """The fields that a query may name; None where there is no such object."""

    @abstractmethod
    def all_rows(self, name: str, *, with_deleted: bool) -> list[Row]:
        """The rows of an object."""

    @abstractmethod
    def upsert_row(self, table: Table, field_: str, value: str, values: Row) -> Row:
        """Create or update by external id: {id, created, …}."""

    @abstractmethod
    def _answered(self, body: Any, status: int = 200) -> Reply:
        """An answer in the house style."""


def _columns(job: Job) -> tuple[str, ...]:
    return tuple(job.rows[0]) if job.rows else ()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:f}" if isinstance(value, Decimal) else str(value)


def typed(table: Table, name: str, text: str) -> Any:
    """A text of a CSV as the field's own kind of value; Problem when it is none."""
    known = table.kind.field(name)
    if text == EMPTIED:
        return None
    try:
        match known.type if known else "string":
            case "boolean":
                return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
            case "decimal":
                return Decimal(text)
            case "integer":
                return int(text)
    except (KeyError, ValueError, InvalidOperation):
        raise Problem("value", name, f"{text!r} is no valid value for {name}.") from None
    return text
