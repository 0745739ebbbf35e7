"""Simulated NetSuite: SuiteTalk REST records, SuiteQL, asynchronous jobs, and a ceiling of requests at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any

from connectors.simulators import netsuite_data, netsuite_door, suiteql
from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.netsuite_jobs import AsyncJob, AsyncJobs
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Problem, Row, Table
from connectors.simulators.tokens import TokenBook

RECORD = "/services/rest/record/v1"
QUERY = "/services/rest/query/v1/suiteql"
JOBS = "/services/rest/async/v1/job"
ROW_LIMIT = 100_000
_EXTERNAL = re.compile(r"[A-Za-z0-9_-]{1,80}")


class NetSuiteSimulator(Simulator):
    system, label = "netsuite", "Simulated NetSuite"
    kinds = netsuite_data.KINDS
    WORDS = {
        "malformed": (400, "INVALID_CONTENT"),
        "query": (400, "INVALID_PARAMETER"),
        "unauthorised": (401, "INVALID_LOGIN"),
        "assertion": (400, "invalid_request"),
        "denied": (403, "INSUFFICIENT_PERMISSION"),
        "not_found": (404, "NONEXISTENT_ID"),
        "method": (405, "METHOD_NOT_ALLOWED"),
        "busy": (429, "CONCURRENCY_LIMIT_EXCEEDED"),
        "busy_as_400": (400, "CONCURRENCY_LIMIT_EXCEEDED"),
        "throttled": (429, "CONCURRENCY_LIMIT_EXCEEDED"),
        "repeated": (400, "IDEMPOTENCY_ERROR"),
        "server": (500, "UNEXPECTED_ERROR"),
        "unknown": (400, "NONEXISTENT_FIELD"),
        "read_only": (400, "USER_ERROR"),
        "required": (400, "USER_ERROR"),
        "length": (400, "USER_ERROR"),
        "value": (400, "INVALID_CONTENT"),
        "duplicate": (400, "DUP_ENTITY"),
        "reference": (400, "INVALID_KEY_OR_REF"),
        "rule": (400, "USER_ERROR"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("ns-access-", clock)
        self.door = netsuite_door.Door(clock)
        self.jobs = AsyncJobs()
        self._in_flight, self._turned_away, self._count_lock = 0, 0, Lock()

    # House style

    def credentials(self) -> dict[str, str]:
        return {
            "client_id": netsuite_door.CLIENT_ID,
            "certificate_id": netsuite_door.CERTIFICATE_ID,
            "algorithm": "ES256",
            "account": netsuite_door.ACCOUNT,
            "private_key": netsuite_door.private_key(),
            **netsuite_door.token_secrets(),
        }

    def answer(self, request: Request) -> Reply:
        with self._counted():
            return super().answer(request)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._count_lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._count_lock:
                self._in_flight -= 1

    def guard(self, request: Request) -> None:
        if request.headers.get("authorization", "").lower().startswith("oauth "):
            self.door.check_signature(request)
        elif not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "Invalid login attempt. The access token is not known or has ended.")
        if self.settings.concurrency and self._in_flight > self.settings.concurrency:
            # The real service is seen with either status, so callers have to read the code.
            self._turned_away += 1
            kind = "busy" if self._turned_away % 2 else "busy_as_400"
            raise Refusal(kind, "Concurrent request limit exceeded. Request blocked.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        if refusal.kind == "assertion":
            return {"error": code, "error_description": refusal.message}
        detail = {"detail": refusal.message, "o:errorCode": code}
        if refusal.field:
            detail["o:errorPath"] = refusal.field
        title = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}
        return {
            "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#status.{status}",
            "title": title.get(status, "Error"), "status": status, "o:errorDetails": [detail],
        }  # fmt: skip

    def throttled(self, retry_after: int | None) -> Refusal:
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return Refusal("throttled", "Concurrent request limit exceeded. Request blocked.", headers=headers)

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    def stamp(self, instant: datetime) -> str:
        return netsuite_data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return netsuite_data.internal_id(kind.name, n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self.jobs = AsyncJobs()
        return netsuite_data.rows(firm)

    # Signing in

    @route("POST", netsuite_door.TOKEN_PATH)
    @open_door
    def post_token(self, request: Request) -> Reply:
        self.door.check_assertion(request.form(), f"{request.origin}{request.path}")
        seconds = self.settings.token_seconds
        return Reply(
            200, {"access_token": self.tokens.issue(seconds), "expires_in": str(seconds), "token_type": "Bearer"}
        )

    # Queries

    @route("POST", QUERY)
    def post_query(self, request: Request) -> Reply:
        """At most 100 000 rows of one query can be reached, whatever the offset."""
        if "transient" not in request.headers.get("prefer", "").lower():
            raise Refusal("query", "Missing the header Prefer: transient.")
        query = self._parsed(request)
        table = self.tables[self._table_name(query.table)]
        # the record service knows no `type`: there it stands in the address
        found = query.run([{**self.shown(table.kind, row), "type": "CustInvc"} for row in table.rows.values()])
        reachable = found[: self.settings.row_limit or ROW_LIMIT]
        offset, size = self._place(request)
        page = reachable[offset : offset + size]
        return Reply(200, self._collection(request, [query.shown(row) for row in page], offset, len(reachable)))

    def _parsed(self, request: Request) -> suiteql.Query:
        body = request.json()
        if not isinstance(body, dict) or not isinstance(body.get("q"), str):
            raise Refusal("query", "The body must hold a query: q.")
        columns = {
            kind.name.lower(): {field.name.lower(): field.name for field in kind.fields if field.type != "object"}
            for kind in self.kinds
        }
        for table, (name, more) in netsuite_data.QUERY_NAMES.items():
            columns[table] = {**columns[name.lower()], **more}
        try:
            return suiteql.parse(body["q"], columns)
        except suiteql.SuiteQLError as error:
            raise Refusal("query", str(error)) from None

    def _table_name(self, lower: str) -> str:
        named = netsuite_data.QUERY_NAMES.get(lower)
        return named[0] if named else next(kind.name for kind in self.kinds if kind.name.lower() == lower)

    def _place(self, request: Request) -> tuple[int, int]:
        offset = request.query.get("offset", "0")
        size = self.page_size(request.query.get("limit"), default=1000, ceiling=1000)
        if not offset.isdecimal():
            raise Refusal("query", "The offset must be a whole number.")
        return int(offset), size

    def _collection(self, request: Request, items: list[Any], offset: int, total: int) -> Row:
        return {
            "links": [{"rel": "self", "href": f"{request.origin}{request.target}"}],
            "count": len(items), "hasMore": offset + len(items) < total, "items": items, "offset": offset,
            "totalResults": total,
        }  # fmt: skip

    # Records

    @route("GET", RECORD + "/{name}")
    def get_list(self, request: Request, name: str) -> Reply:
        """Ids alone: whoever wants more asks for each record."""
        table = self._record_table(name)
        rows = sorted(table.rows.values(), key=lambda row: int(row["id"]))
        rows = [row for row in rows if self._is_asked_for(row, request.query.get("q", ""))]
        offset, size = self._place(request)
        items = [{"links": self._self_link(request, name, row["id"]), "id": row["id"]} for row in rows]
        return Reply(200, self._collection(request, items[offset : offset + size], offset, len(rows)))

    def _is_asked_for(self, row: Row, condition: str) -> bool:
        if not condition:
            return True
        match = re.fullmatch(r'\s*(\w+)\s+(IS|ON_OR_AFTER)\s+"?([^"]*)"?\s*', condition)
        if match is None:
            raise Refusal("query", f"The condition cannot be read: {condition}")
        value = row.get(match[1])
        if match[2] == "IS":
            return str(value) == match[3]
        return value is not None and str(value)[:10] >= _account_date(match[3])

    @route("GET", RECORD + "/{name}/{key}")
    def get_one(self, request: Request, name: str, key: str) -> Reply:
        table = self._record_table(name)
        row = self.row(table, self._internal(table, key))
        return Reply(200, self._record(request, table, row))

    def _record(self, request: Request, table: Table, row: Row) -> Row:
        """References are objects with an id; sublists are links unless they are asked for; empty fields are left out."""
        expanded = request.query.get("expandSubResources") == "true"
        shown: Row = {"links": self._self_link(request, table.kind.name, row["id"])}
        for name, value in self.shown(table.kind, row).items():
            field = table.kind.field(name)
            if value is None:
                continue
            if field and field.references:
                shown[name] = {"id": value, "links": self._self_link(request, field.references, value)}
            elif name in netsuite_data.SUBLISTS.get(table.kind.name, ()) and not expanded:
                shown[name] = {"links": [{"rel": "self", "href": f"{request.origin}{request.path}/{name}"}]}
            else:
                shown[name] = value
        return shown

    @route("POST", RECORD + "/{name}")
    def post_one(self, request: Request, name: str) -> Reply:
        return self._now_or_later(request, lambda asked: self._create(asked, name))

    @route("PUT", RECORD + "/{name}/{key}")
    def put_one(self, request: Request, name: str, key: str) -> Reply:
        """An external id that nobody bears makes a record; one that is borne changes it."""
        return self._now_or_later(request, lambda asked: self._upsert(asked, name, key))

    @route("PATCH", RECORD + "/{name}/{key}")
    def patch_one(self, request: Request, name: str, key: str) -> Reply:
        return self._now_or_later(request, lambda asked: self._change(asked, name, key))

    @route("DELETE", RECORD + "/{name}/{key}")
    def delete_one(self, request: Request, name: str, key: str) -> Reply:
        table = self._record_table(name)
        self.row(table, self._internal(table, key))
        self.delete(table.kind, self._internal(table, key))
        return Reply(204)

    def _create(self, request: Request, name: str, **fixed: str) -> Reply:
        table = self._record_table(name)
        row = self.insert(table.kind, {**self._values(table, request), **fixed})
        return Reply(204, None, {"Location": self._address(request, name, row["id"])})

    def _upsert(self, request: Request, name: str, key: str) -> Reply:
        table, external = self._record_table(name), key.removeprefix("eid:")
        if not key.startswith("eid:") or not _EXTERNAL.fullmatch(external):
            raise Refusal("malformed", f"{key} is no external id: write eid: and letters, digits, - or _.")
        if not table.find("externalId", external):
            return self._create(request, name, externalId=external)
        return self._change(request, name, key)

    def _change(self, request: Request, name: str, key: str) -> Reply:
        table = self._record_table(name)
        internal = self._internal(table, key)
        self.row(table, internal)
        self.update(table.kind, internal, self._values(table, request))
        return Reply(204, None, {"Location": self._address(request, name, internal)})

    def _values(self, table: Table, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        flat = {name: value.get("id") if _is_reference(table, name, value) else value for name, value in body.items()}
        return table.check_values(flat)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        if kind is netsuite_data.TIME_BILL and not re.fullmatch(r"\d{1,3}:[0-5]\d", str(row["hours"])):
            raise Problem(
                "value", "hours", f"Invalid value for hours: {row['hours']}. Write hours and minutes as 8:00."
            )
        if row.get("externalId") and not _EXTERNAL.fullmatch(row["externalId"]):
            raise Problem(
                "value", "externalId", f"The external id {row['externalId']} holds characters that are not allowed."
            )
        return row

    def _record_table(self, name: str) -> Table:
        if name not in netsuite_data.RECORDS:
            raise Refusal("not_found", f"Record type '{name}' does not exist.")
        return self.table(name)

    def _internal(self, table: Table, key: str) -> str:
        if not key.startswith("eid:"):
            return key
        found = table.find("externalId", key.removeprefix("eid:"))
        if not found:
            raise Refusal(
                "not_found", f"There is no {table.kind.name} with the external id {key.removeprefix('eid:')}."
            )
        return str(found[0]["id"])

    def _address(self, request: Request, name: str, key: str) -> str:
        return f"{request.origin}{RECORD}/{name}/{key}"

    def _self_link(self, request: Request, name: str, key: Any) -> list[dict[str, str]]:
        return [{"rel": "self", "href": self._address(request, name, str(key))}]

    # Asynchronous requests

    def _now_or_later(self, request: Request, act: Any) -> Reply:
        """Carry a write out, or accept it: an idempotency key counts for accepted requests alone."""
        if "respond-async" not in request.headers.get("prefer", "").lower():
            return act(request)
        key = request.headers.get("x-netsuite-idempotency-key", "")
        if key and not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", key):
            raise Refusal("malformed", "The idempotency key must be a UUID.")
        if key in self.jobs.by_key:
            where = {"Location": f"{request.origin}{JOBS}/{self.jobs.by_key[key]}"}
            raise Refusal("repeated", "A request with the same idempotency key is already submitted.", headers=where)
        job = self.jobs.accept(request, key)
        head = {"Preference-Applied": "respond-async", "Location": f"{request.origin}{JOBS}/{job.number}"}
        return Reply(202, None, head)

    @route("GET", JOBS + "/{number}")
    def get_job(self, request: Request, number: str) -> Reply:
        job = self._job(number)
        state = self.jobs.ask(job, self.settings.job_steps, self._carried_out)
        tasks = [{"rel": "self", "href": f"{request.origin}{JOBS}/{number}/task"}]
        return Reply(200, {**state, "task": {"links": tasks}})

    def _carried_out(self, request: Request) -> Reply:
        now = Request(
            request.method, request.target, {n: v for n, v in request.headers.items() if n != "prefer"}, request.body
        )
        try:
            for method, pattern, name in self._routes:
                if method == now.method and (found := pattern.fullmatch(now.path)):
                    return getattr(self, name)(now, **found.groupdict())
        except Refusal as refusal:
            return self._refused(refusal)
        except Problem as problem:
            return self._refused(Refusal(problem.kind, problem.message, field=problem.field))
        raise Refusal("not_found", "The request of the job leads nowhere.")

    @route("GET", JOBS + "/{number}/task")
    def get_tasks(self, request: Request, number: str) -> Reply:
        self._job(number)
        links = [{"rel": "self", "href": f"{request.origin}{JOBS}/{number}/task/1"}]
        return Reply(200, self._collection(request, [{"id": "1", "links": links}], 0, 1))

    @route("GET", JOBS + "/{number}/task/{task}/result")
    def get_result(self, request: Request, number: str, task: str) -> Reply:
        job = self._job(number)
        if job.result is None or task != "1":
            raise Refusal("not_found", "There is no result yet.")
        return Reply(job.result.status, job.result.body, dict(job.result.headers))

    def _job(self, number: str) -> AsyncJob:
        job = self.jobs.jobs.get(int(number)) if number.isdecimal() else None
        if job is None:
            raise Refusal("not_found", f"There is no job {number}.")
        return job


def _is_reference(table: Table, name: str, value: Any) -> bool:
    field = table.kind.field(name)
    return bool(field and field.references and isinstance(value, dict))


def _account_date(text: str) -> str:
    """The account writes dates as month/day/year."""
    try:
        return datetime.strptime(text, "%m/%d/%Y").date().isoformat()
    except ValueError:
        raise Refusal("query", f"{text} is no date of this account; write it as 12/31/2026.") from None
