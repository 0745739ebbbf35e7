"""What an answer proves about each record that was written. No answer, no proof: the outcome is then unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from connectors.base import HARMLESS
from connectors.failures import MAX_WORDS, Failure, holds, write_error
from connectors.paths import first, get
from connectors.rest.client import ApiClient, Reply
from connectors.template import Scope, render
from hub.common.errors import HubError, TransientError, UnknownOutcome
from hub.common.records import WriteItem, WriteOutcome, WriteStatus

MAX_RESPONSE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Job:
    """One item with the operation that is carried out for it; `ref` may have been looked up."""

    position: int
    item: WriteItem
    operation: str
    ref: str | None

    def outcome(self, status: WriteStatus, **more: Any) -> WriteOutcome:
        return WriteOutcome(self.item.key, status, **more)

    def error(self, error: HubError, **more: Any) -> WriteOutcome:
        """The outcome of an error: unsure when it leaves open whether the write was done."""
        status: WriteStatus = "unsure" if isinstance(error, UnknownOutcome) else "failed"
        return self.outcome(status, ref=self.ref, error=error, **more)


class Judge:
    """Judges the answers to one write operation. `operation` is its section of the declaration."""

    def __init__(self, api: ApiClient, operation: Mapping[str, Any]) -> None:
        self.api, self.operation = api, operation
        self.is_repeatable = operation.get("safety", "D") in HARMLESS

    def one(self, job: Job, reply: Reply, scope: Scope) -> WriteOutcome:
        """The outcome of a request for one record."""
        more = {"http_status": reply.answer.status, "response": self.shown(reply.answer.body)}
        error = self.refused(reply.failure) if reply.failure else self._not_proven(reply)
        if error:
            return job.error(error, **more)
        ref = self._ref(job, reply, scope)
        if ref is None:
            return job.error(no_id(reply.answer.where), **more)
        facts = {"data": reply.data, "status": reply.answer.status, "headers": reply.answer.headers}
        created = self.operation.get("created_when", _CREATED)
        return job.outcome(_status(job, created, facts), ref=ref, **more)

    def refused(self, failure: Failure) -> HubError:
        return write_error(failure, safe_to_repeat=self.is_repeatable)

    def _not_proven(self, reply: Reply) -> HubError | None:
        """Why an answer with a good status is no proof of success."""
        where = reply.answer.where
        if reply.broken:
            return UnknownOutcome(f"The answer cannot be read: {reply.broken}.", where=where, code="BROKEN")
        facts = {"data": reply.data, "status": reply.answer.status, "headers": reply.answer.headers}
        unmet = next((c for c in self.operation.get("success", ()) if not holds(c, **facts)), None)
        if unmet is None:
            return self._told_error(reply)
        if "path" in unmet and get(reply.data, unmet["path"]) is not None:
            failure = self.api.classifier.judge(
                status=reply.answer.status, data=reply.data, headers=reply.answer.headers, where=where
            )
            return write_error(failure, safe_to_repeat=True)
        return UnknownOutcome(f"The answer does not confirm the write ({unmet}).", where=where, code="UNCONFIRMED")

    def _told_error(self, reply: Reply) -> HubError | None:
        """An error inside a good answer, where nothing is declared that would prove success."""
        is_good = 200 <= reply.answer.status < 300 and "success" not in self.operation
        told = isinstance(reply.data, dict) and (get(reply.data, "error") or get(reply.data, "errors"))
        if not told or not is_good:
            return None
        words = self.api.http.redact(orjson.dumps(told, default=str).decode())[:MAX_WORDS]
        return UnknownOutcome(
            f"The answer has a good status, but holds an error: {words}",
            where=reply.answer.where,
            fix="State what proves a write: `success`; or what a refusal looks like: `errors.failed_when`.",
            code="UNCONFIRMED",
        )

    def _ref(self, job: Job, reply: Reply, scope: Scope) -> str | None:
        usual = ["id", f"{self.operation.get('wrap', 'data')}.id"]
        found = first(reply.data, self.operation.get("ref", usual)) if reply.data is not None else None
        if found is None and "ref_header" in self.operation:
            found = id_in_address(reply.answer.headers.get(self.operation["ref_header"].lower(), ""))
        if found is None and "ref_value" in self.operation:
            found = render(self.operation["ref_value"], scope) or None
        return str(found) if found not in (None, "") and not isinstance(found, dict | list) else job.ref

    def shown(self, body: bytes) -> str:
        """The beginning of an answer as it is kept: without secrets."""
        text = body[: 4 * MAX_RESPONSE_CHARACTERS].decode("utf-8", "replace").replace("\x00", "")
        return self.api.http.redact(text)[:MAX_RESPONSE_CHARACTERS]


_CREATED: Sequence[Mapping[str, Any]] = ({"status": 201},)


def _status(job: Job, created: Sequence[Mapping[str, Any]], facts: dict[str, Any]) -> WriteStatus:
    """Created or updated; an upsert is created when all conditions hold."""
    if job.operation != "upsert":
        return "created" if job.operation == "create" else "updated"
    return "created" if all(holds(condition, **facts) for condition in created) else "updated"


class BatchAnswer:
    """Takes the answer to a batch apart: one outcome for each item, unsure for those that it does not mention."""

    def __init__(self, judge: Judge, jobs: Sequence[Job], scopes: Sequence[Scope], reply: Reply) -> None:
        self.judge, self.jobs, self.scopes, self.reply = judge, jobs, scopes, reply
        self.operation = judge.operation
        self.batch: Mapping[str, Any] = judge.operation["batch"]

    def outcomes(self) -> dict[int, WriteOutcome]:
        reply = self.reply
        if reply.failure:
            error = self.judge.refused(reply.failure)
            return {job.position: job.error(error, **self._facts(None)) for job in self.jobs}
        results = self._results()
        found = {
            job.position: self._outcome(job, self.scopes[index], results.get(index))
            for index, job in enumerate(self.jobs)
        }
        return self._undone(found) if self.batch.get("atomic") else found

    def _results(self) -> dict[int, Any]:
        """The result of each item by its index in the request."""
        listed = get(self.reply.data, self.batch.get("results", "$"))
        if not isinstance(listed, list):
            return {}
        match = self.batch.get("match", "order")
        if match == "order":
            # a list of another length cannot be matched by order
            return dict(enumerate(listed)) if len(listed) == len(self.jobs) else {}
        named = {str(get(result, self.batch["key"])): result for result in listed}
        names = [str(index) if match == "index" else job.item.key for index, job in enumerate(self.jobs)]
        return {index: named[name] for index, name in enumerate(names) if name in named}

    def _outcome(self, job: Job, scope: Scope, result: Any) -> WriteOutcome:
        if result is None:
            why = self.reply.broken or "the answer does not mention this record"
            return job.error(UnknownOutcome(f"It is not known whether the record was written: {why}.", code="MISSING"))
        facts, status = self._facts(result), self._result_status(result)
        if not self._is_ok(result, status):
            failure = self.judge.api.classifier.judge(
                status=status or 400,
                data=result,
                headers=self.reply.answer.headers,
                where=self.reply.answer.where,
                code=self.batch.get("code"),
                message=self.batch.get("message"),
                field=self.batch.get("field"),
            )
            return job.error(write_error(failure, safe_to_repeat=True), **facts)
        ref = first(result, self.batch.get("ref") or self.operation.get("ref", "id")) if result else None
        if ref is None and "ref_value" in self.operation:
            ref = render(self.operation["ref_value"], scope)
        ref = str(ref) if ref not in (None, "") else job.ref
        if ref is None:
            return job.error(no_id(self.reply.answer.where), **facts)
        seen = {"data": result, "status": status, "headers": {}}
        return job.outcome(_status(job, self.batch.get("created_when", _CREATED), seen), ref=ref, **facts)

    def _result_status(self, result: Any) -> int:
        told = get(result, self.batch["status"]) if "status" in self.batch else None
        return int(str(told)) if str(told or "").isdigit() else 0

    def _is_ok(self, result: Any, status: int) -> bool:
        facts = {"data": result, "status": status, "headers": {}}
        if "ok" in self.batch:
            return all(holds(condition, **facts) for condition in self.batch["ok"])
        told = [first(result, self.batch[name]) for name in ("code", "message") if name in self.batch]
        return status < 400 and not any(told) and not get(result, "error") and not get(result, "errors")

    def _undone(self, found: dict[int, WriteOutcome]) -> dict[int, WriteOutcome]:
        """In an all-or-nothing request one failure undoes all, even those that are reported as done."""
        if all(outcome.status in ("created", "updated") for outcome in found.values()):
            return found
        undone = TransientError("Another record of the same request failed, so this one was undone too.", code="UNDONE")
        good = {job.position: job for job in self.jobs if found[job.position].status in ("created", "updated")}
        return {**found, **{position: job.error(undone) for position, job in good.items()}}

    def _facts(self, result: Any) -> dict[str, Any]:
        body = orjson.dumps(result, default=str) if result is not None else self.reply.answer.body
        return {"http_status": self.reply.answer.status, "response": self.judge.shown(body)}


def no_id(where: str) -> UnknownOutcome:
    return UnknownOutcome(
        "The system accepted the record but named no id for it.",
        where=where,
        fix="State where the id stands: `ref`, `ref_header` or `ref_value`.",
        code="NO_ID",
    )


def id_in_address(address: str) -> str | None:
    """The id in an address: what stands in the last brackets, else the last part of the path."""
    path = unquote(urlsplit(address).path).rstrip("/")
    if path.endswith(")"):
        inner = path[path.rfind("(") + 1 : -1]
        return (inner[1:-1] if inner[:1] == inner[-1:] == "'" else inner) or None
    return path.rpartition("/")[2] or None
