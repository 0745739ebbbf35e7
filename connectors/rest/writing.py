"""Writing records: one request each or in batches, and what the answer proves about every single one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from connectors.base import HARMLESS
from connectors.failures import write_error
from connectors.inheritance import laid_over
from connectors.jobs import MemoryBook
from connectors.paths import get
from connectors.rest.client import ApiClient, Reply
from connectors.rest.finding import Finder
from connectors.rest.jobs import JobWriter
from connectors.rest.open_jobs import OpenJobs, Patience
from connectors.rest.outcomes import BatchAnswer, Job, Judge
from connectors.template import Scope, render
from hub.common.errors import ConfigError, HubError, PermanentError, RecordError, UnknownOutcome
from hub.common.records import Operation, WriteItem, WriteOutcome

METHODS = {"create": "POST", "update": "PATCH", "upsert": "PATCH", "deactivate": "PATCH", "delete": "DELETE"}

# What one record may be refused for, although the whole request was refused.
OF_ONE = ("validation", "duplicate", "permission")

# Refusals of a look-up that may be due to one key; any other says that the account may not look at all.
OF_A_KEY = frozenset({"VALIDATION", "DUPLICATE", "NOT_FOUND"})


class Writer:
    """Writes items of one stream. `section` is the stream's declaration, `open_jobs` remembers what is carried out later."""

    def __init__(
        self,
        api: ApiClient,
        section: Mapping[str, Any],
        scope: Scope,
        finder: Finder | None,
        pool: ThreadPoolExecutor,
        open_jobs: OpenJobs | None = None,
    ) -> None:
        self.api, self.finder, self._pool = api, finder, pool
        self._open_jobs = open_jobs or OpenJobs(MemoryBook(), "", Patience())
        self._scope = scope
        self._operations: Mapping[str, Mapping[str, Any]] = section.get("write", {})

    def write(self, items: Sequence[WriteItem]) -> list[WriteOutcome]:
        """One outcome for each item, in the same order."""
        outcomes: dict[int, WriteOutcome] = {}
        jobs = self._plan(items, outcomes)
        at_once = [job for job in jobs if "job" not in self._operations[job.operation]]
        for done in self._pool.map(self._carry_out, self._chunks(at_once)):
            outcomes.update(done)
        outcomes.update(self._write_later([job for job in jobs if "job" in self._operations[job.operation]]))
        outcomes.update(self._settle_races(jobs, outcomes))
        return [outcomes[position] for position in range(len(items))]

    def _settle_races(self, jobs: Sequence[Job], outcomes: Mapping[int, WriteOutcome]) -> dict[int, WriteOutcome]:
        """Upserts whose `create` met a double that came into being meanwhile are carried out as updates."""
        lost = [job for job in jobs if job.item.operation == "upsert" and job.operation == "create"]
        lost = [job for job in lost if (error := outcomes[job.position].error) and error.code == "DUPLICATE"]
        if not lost or self.finder is None or "update" not in self._operations:
            return {}
        try:
            refs = self.finder.refs([job.item.key for job in lost])
            refs = {**self._adopted([job for job in lost if job.item.key not in refs]), **refs}
        except HubError:
            return {}
        again = [Job(job.position, job.item, "update", refs[job.item.key]) for job in lost if job.item.key in refs]
        return {position: outcome for job in again for position, outcome in self._carry_out([job]).items()}

    def _adopted(self, jobs: Sequence[Job]) -> dict[str, str]:
        """The ids of records that were made by other hands and stand in the way, by the key that they are to get."""
        double = self._operations["create"].get("on_duplicate")
        if double is None or self.finder is None:
            return {}
        found = {job.item.key: self.finder.double(self._job_scope(job), **double) for job in jobs}
        return {key: ref for key, ref in found.items() if ref is not None}

    # --- which operation -------------------------------------------------------------------------------------------

    def _plan(self, items: Sequence[WriteItem], outcomes: dict[int, WriteOutcome]) -> list[Job]:
        """A job for each item; those that no operation fits get their outcome at once."""
        jobs = [Job(position, item, item.operation, item.ref) for position, item in enumerate(items)]
        found = self._look_up(jobs, outcomes)
        planned = []
        for job in jobs:
            if job.position in outcomes:
                continue
            ref = job.ref or found.get(job.item.key)
            operation = self._operation_for(job.item.operation, ref)
            if operation in self._operations:
                planned.append(Job(job.position, job.item, operation, ref))
            else:
                outcomes[job.position] = job.error(self._not_offered(operation))
        return planned

    def _operation_for(self, operation: Operation, ref: str | None) -> str:
        if operation != "upsert" or "upsert" in self._operations:
            return operation
        return "update" if ref else "create"

    def _look_up(self, jobs: Sequence[Job], outcomes: dict[int, WriteOutcome]) -> dict[str, str]:
        """The system's ids of items that come without one and whose operation needs it."""
        needy = [job for job in jobs if job.ref is None and self._needs_ref(job.item.operation)]
        if not needy or self.finder is None:
            return {}
        try:
            return self.finder.refs([job.item.key for job in needy])
        except HubError as error:
            # nothing was written yet, so each may safely be tried again
            if isinstance(error, ConfigError) and error.code not in OF_A_KEY:
                raise
            if isinstance(error, ConfigError | RecordError) and len(needy) > 1:
                return {key: ref for job in needy for key, ref in self._look_up([job], outcomes).items()}
            outcomes.update({job.position: job.outcome("failed", error=error) for job in needy})
            return {}

    def _needs_ref(self, operation: Operation) -> bool:
        return operation != "create" and not (operation == "upsert" and "upsert" in self._operations)

    def _not_offered(self, operation: str) -> HubError:
        offered = ", ".join(self._operations) or "nothing"
        return ConfigError(
            f"The stream does not declare how to {operation} a record.",
            where=f"write.{operation}",
            fix=f"It declares: {offered}.",
            code="OPERATION",
        )

    # --- requests --------------------------------------------------------------------------------------------------

    def _chunks(self, jobs: Sequence[Job]) -> Iterable[list[Job]]:
        """Jobs that go into one request, operation by operation."""
        for operation in dict.fromkeys(job.operation for job in jobs):
            same = [job for job in jobs if job.operation == operation]
            size = self._operations[operation].get("batch", {}).get("max", 1)
            yield from (same[start : start + size] for start in range(0, len(same), size))

    def _carry_out(self, jobs: list[Job]) -> dict[int, WriteOutcome]:
        operation = self._operations[jobs[0].operation]
        try:
            if "job" in operation:
                return self._write_later(jobs)
            if "batch" in operation:
                return self._write_batch(jobs, operation)
            return {jobs[0].position: self._write_one(jobs[0], operation)}
        except HubError as error:
            return {job.position: job.error(self._unanswered(error, operation)) for job in jobs}

    def _write_later(self, jobs: Sequence[Job]) -> dict[int, WriteOutcome]:
        """The outcomes of records that the system accepts now and carries out later."""
        outcomes: dict[int, WriteOutcome] = {}
        for name in dict.fromkeys(job.operation for job in jobs):
            same = [job for job in jobs if job.operation == name]
            writer = JobWriter(self.api, self._operations[name], self._open_jobs, self._pool, self._job_scope)
            outcomes.update(writer.write(same))
        return outcomes

    def _unanswered(self, error: HubError, operation: Mapping[str, Any]) -> HubError:
        """A request without an answer that can be read: repeatable where the system tells doubles apart, else unsure.

        An answer that is too large says nothing about the record, so it is no reason to give that up.
        """
        is_repeatable = operation.get("safety", "D") in HARMLESS and not isinstance(error, PermanentError)
        if is_repeatable or not error.maybe_done:
            return error
        return UnknownOutcome(error.what, where=error.where, fix="Ask the system before it is sent again.")

    def _job_scope(self, job: Job, /, **more: Any) -> Scope:
        operation = self._operations[job.operation]
        body = {name: value for name, value in job.item.body.items() if name not in operation.get("omit", ())}
        key = job.item.idempotency_key or None
        scope = self._scope.extend(key=job.item.key, ref=job.ref, body=body, idempotency_key=key, **more)
        return scope.extend(body={**body, **render(operation["add"], scope)}) if "add" in operation else scope

    def _write_one(self, job: Job, operation: Mapping[str, Any]) -> WriteOutcome:
        scope = self._job_scope(job)
        held = self._held(operation, scope)
        if held:
            scope = scope.extend(etag=held.answer.headers.get("etag") or get(held.data, "@odata.etag"))
        reply = self.api.ask(
            operation,
            scope,
            method=METHODS[job.operation],
            body=self._body(job, operation, scope, held.data if held and "complete_from" in operation else None),
            headers=_idempotency(operation, job.item.idempotency_key),
            good=operation.get("ok_status", ()),
        )
        return self._judge(operation).one(job, reply, scope)

    def _judge(self, operation: Mapping[str, Any]) -> Judge:
        return Judge(self.api, operation)

    def _body(self, job: Job, operation: Mapping[str, Any], scope: Scope, held: Any) -> Any:
        if job.operation == "delete" and "json" not in operation:
            return None
        body = render(operation.get("json", "${body}"), scope)
        body = laid_over(held, body) if held is not None else body
        return {operation["wrap"]: body} if "wrap" in operation else body

    def _held(self, operation: Mapping[str, Any], scope: Scope) -> Reply | None:
        """What the system holds before the write, where the declaration asks for it."""
        place = operation.get("complete_from") or operation.get("fetch_etag")
        if place is None:
            return None
        self.api.sign_in()
        reply = self.api.send("GET", self.api.url(place, scope))
        if reply.failure:
            raise write_error(reply.failure, safe_to_repeat=True)
        return reply

    # --- batches ---------------------------------------------------------------------------------------------------

    def _write_batch(self, jobs: list[Job], operation: Mapping[str, Any]) -> dict[int, WriteOutcome]:
        batch = operation["batch"]
        scopes = [self._job_scope(job, index=index) for index, job in enumerate(jobs)]
        items = [_batch_item(batch, scope) for scope in scopes]
        key = _batch_key(jobs)
        scope = self._scope.extend(items=items, idempotency_key=key)
        reply = self.api.ask(
            {**operation, **{name: batch[name] for name in ("method", "path", "headers") if name in batch}},
            scope,
            method=METHODS[jobs[0].operation] if jobs[0].operation != "upsert" else "POST",
            body=render(batch.get("json", "${items}"), scope),
            headers=_idempotency(operation, key),
        )
        if reply.failure and reply.failure.kind in OF_ONE and len(jobs) > 1:
            # the system refused the request for the sake of one record: find it by halves
            middle = len(jobs) // 2
            return {**self._carry_out(jobs[:middle]), **self._carry_out(jobs[middle:])}
        return BatchAnswer(self._judge(operation), jobs, scopes, reply).outcomes()


def _idempotency(operation: Mapping[str, Any], key: str) -> dict[str, str]:
    return {operation["idempotency_header"]: key} if "idempotency_header" in operation and key else {}


def _batch_item(batch: Mapping[str, Any], scope: Scope) -> Any:
    item = render(batch.get("item", "${body}"), scope)
    return {**render(batch["add"], scope), **item} if "add" in batch else item


def _batch_key(jobs: Sequence[Job]) -> str:
    """A key for a whole batch: the same when the very same items are sent again, another one for any others."""
    keys = [job.item.idempotency_key for job in jobs]
    return hashlib.blake2b("\n".join(keys).encode(), digest_size=16).hexdigest() if all(keys) else ""
