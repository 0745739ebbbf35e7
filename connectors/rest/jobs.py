"""Asynchronous writes: submit, remember the handle, ask until it is over, then read what became of each record.

Whoever is killed while a job runs loses nothing: the handle is kept before the first wait, and the next attempt at the same
record finds it and asks. A job that takes longer than a worker should wait leaves its records due, for the same reason.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.base import HARMLESS
from connectors.failures import Failure, holds, read_error, write_error
from connectors.paths import first, get
from connectors.rest.client import ApiClient, Reply
from connectors.rest.job_files import packed_rows, report_words
from connectors.rest.open_jobs import OpenJobs, Submitted
from connectors.rest.outcomes import Job, id_in_address, no_id
from connectors.template import Scope, render
from hub.common.errors import AuthError, HubError, PermanentError, TransientError, UnknownOutcome
from hub.common.records import WriteOutcome

RUNNING = "RUNNING"
Outcomes = dict[int, WriteOutcome]


@dataclass(slots=True)
class Waiting:
    """A job that is waited for, and the records of this write that it holds.

    `same` are those that it holds as they are now: the others have changed since, and go into another job when it is over.
    """

    submitted: Submitted
    jobs: Sequence[Job]
    same: Sequence[Job]
    state: str = ""
    outcomes: Outcomes = field(default_factory=dict)
    is_over: bool = False


class JobWriter:
    """Writes the records of one operation that declares `job`. `scope_of` gives the values of one record.

    Requests go through the pool; what is kept of them is written down by the calling thread, before any waiting.
    """

    def __init__(
        self,
        api: ApiClient,
        operation: Mapping[str, Any],
        open_jobs: OpenJobs,
        pool: Executor,
        scope_of: Callable[..., Scope],
    ) -> None:
        self.api, self._open, self._pool, self._scope_of = api, open_jobs, pool, scope_of
        self.operation, self.section = operation, operation["job"]
        self._patience = open_jobs.patience

    def write(self, jobs: Sequence[Job]) -> Outcomes:
        """One outcome for each record."""
        begun = [_waiting(submitted, jobs) for submitted in self._open.holding(job.item.key for job in jobs)]
        outcomes = self._settle(begun)
        held = {job.position for waiting in begun for job in waiting.jobs}
        fresh = [job for job in jobs if job.position not in outcomes]
        fresh = [job for job in fresh if job.position not in held or _is_free(job, begun)]
        return {**outcomes, **self._write_fresh(fresh)} if fresh else outcomes

    def _write_fresh(self, jobs: Sequence[Job]) -> Outcomes:
        size = self.section.get("max", 1)
        chunks = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        outcomes: Outcomes = {}
        begun: list[Waiting] = []
        for waiting, refused in self._pool.map(self._begin, chunks):
            outcomes.update(refused)
            if waiting is not None:
                self._open.add(waiting.submitted)
                begun.append(waiting)
        return {**outcomes, **self._settle(begun)}

    # --- submitting ------------------------------------------------------------------------------------------------

    def _begin(self, jobs: Sequence[Job]) -> tuple[Waiting | None, Outcomes]:
        """The accepted job, and the outcomes of records that did not get into it."""
        staged, outcomes = self._stage(jobs)
        if not staged:
            return None, outcomes
        facts: dict[str, Any] = {"key": batch_key(staged)}
        if "file" in self.section:
            facts["file"] = packed_rows(self.section["file"], [job.item.body for job in staged])
        refused = self._prepare(staged, facts) or self._submit(staged, facts)
        facts.pop("file", None)
        if refused is not None:
            return None, {**outcomes, **{job.position: job.error(refused) for job in staged}}
        return Waiting(Submitted(facts, {job.item.key: attempt_of(job) for job in staged}), staged, staged), outcomes

    def _stage(self, jobs: Sequence[Job]) -> tuple[list[Job], Outcomes]:
        """Lay down each record for the job to take up, unless it lies there; those that are refused get their outcome."""
        stage = self.section.get("stage")
        if stage is None:
            return list(jobs), {}
        refused: Outcomes = {}
        for job in jobs:
            try:
                failure = self._stage_one(stage, job)
            except HubError as error:
                # what lies there twice is looked for before it is laid down again, so nothing is in doubt yet
                refused[job.position] = job.outcome("failed", ref=job.ref, error=error)
                continue
            if failure is not None:
                found = write_error(failure, safe_to_repeat="find" in stage)
                refused[job.position] = job.error(found, http_status=failure.status)
        return [job for job in jobs if job.position not in refused], refused

    def _stage_one(self, stage: Mapping[str, Any], job: Job) -> Failure | None:
        scope = self._scope_of(job)
        lying = self._lying(stage, scope)
        request = stage["create"]
        if lying is not None:
            scope = self._scope_of(job, found=lying)
            request = stage.get("update")
        if request is None:
            return None
        return self.api.ask(
            request, scope, method="PATCH" if lying else "POST", body=self._body(request, scope)
        ).failure

    def _lying(self, stage: Mapping[str, Any], scope: Scope) -> Any:
        """What lies there under the record's key, None when nothing does."""
        if "find" not in stage:
            return None
        reply = self.api.ask(stage["find"], scope)
        if reply.failure and reply.failure.kind == "not_found":
            return None
        if reply.failure:
            raise read_error(reply.failure)
        found = get(reply.data, stage["find"].get("records", "$"))
        return (found[0] if found else None) if isinstance(found, list) else found

    def _prepare(self, jobs: Sequence[Job], facts: dict[str, Any]) -> HubError | None:
        """What has to be done before; an answer that is lost here leaves nothing in doubt."""
        try:
            return self._steps("before", jobs, facts)
        except HubError as error:
            return error

    def _steps(self, name: str, jobs: Sequence[Job], facts: dict[str, Any]) -> HubError | None:
        """Requests before (or after) the job, each of which may keep something of its answer in `facts`."""
        for step in self.section.get(name, ()):
            scope = self._scope_of(jobs[0], job=facts)
            reply = self.api.ask(step, scope, method="POST")
            if reply.failure:
                return write_error(reply.failure, safe_to_repeat=True)
            for fact, path in step.get("keep", {}).items():
                facts[fact] = get(reply.data, path)
        return None

    def _submit(self, jobs: Sequence[Job], facts: dict[str, Any]) -> HubError | None:
        """Submit and put the handle into `facts`; why it was refused, None when it was accepted."""
        try:
            return self._submit_now(jobs, facts)
        except HubError as error:
            is_repeatable = self.operation.get("safety", "D") in HARMLESS
            if is_repeatable or not error.maybe_done:
                return error
            fix = "Ask the system before it is sent again."
            return UnknownOutcome(error.what, where=error.where, fix=fix)

    def _submit_now(self, jobs: Sequence[Job], facts: dict[str, Any]) -> HubError | None:
        operation = self.operation
        scope = self._scope_of(jobs[0], job=facts, items=[self._item(job) for job in jobs])
        reply = self.api.ask(
            operation,
            scope,
            method="POST",
            body=render(operation.get("json", "${items}" if self.section.get("max", 1) > 1 else "${body}"), scope),
            headers=self._idempotency(jobs),
        )
        if reply.failure and not self._is_accepted_before(reply):
            return write_error(reply.failure, safe_to_repeat=operation.get("safety", "D") in HARMLESS)
        handle = self._handle(reply)
        if handle is None:
            return UnknownOutcome(
                "The system accepted the job but named no handle for it.",
                where=reply.answer.where,
                fix="State where the handle stands: `job.handle` or `job.handle_header`.",
                code="NO_ID",
            )
        facts["handle"] = handle
        return None

    def _idempotency(self, jobs: Sequence[Job]) -> dict[str, str]:
        """With several records in a job the key is that of exactly these, so only the same job counts as a repetition."""
        name = self.operation.get("idempotency_header")
        if name is None:
            return {}
        return {name: jobs[0].item.idempotency_key if len(jobs) == 1 else batch_key(jobs)}

    def _is_accepted_before(self, reply: Reply) -> bool:
        """Whether a refusal says that the very same job is there already."""
        facts = {"data": reply.data, "status": reply.answer.status, "headers": reply.answer.headers}
        conditions = self.section.get("accepted_when", ())
        return bool(conditions) and all(holds(condition, **facts) for condition in conditions)

    def _handle(self, reply: Reply) -> str | None:
        found = get(reply.data, self.section["handle"]) if "handle" in self.section else None
        if found is None and "handle_header" in self.section:
            found = id_in_address(reply.answer.headers.get(self.section["handle_header"].lower(), ""))
        return str(found) if found not in (None, "") and not isinstance(found, dict | list) else None

    def _item(self, job: Job) -> Any:
        return render(self.section.get("item", "${body}"), self._scope_of(job))

    def _body(self, request: Mapping[str, Any], scope: Scope) -> Any:
        return render(request.get("json", "${body}"), scope)

    # --- waiting ---------------------------------------------------------------------------------------------------

    def _settle(self, begun: Sequence[Waiting]) -> Outcomes:
        """Ask about all these jobs until they are over or the patience ends, then read what became of their records."""
        ends_at = time.monotonic() + self._patience.wait
        left = list(begun)
        while left:
            list(self._pool.map(self._ask, left))
            left = [waiting for waiting in left if not waiting.state and not waiting.outcomes]
            if left and time.monotonic() + self._patience.every > ends_at:
                break
            if left:
                time.sleep(self._patience.every)
        for waiting in left:
            waiting.outcomes = self._late(waiting, self._running(waiting.submitted.facts))
        list(self._pool.map(self._read, [waiting for waiting in begun if waiting.state]))
        self._open.settle(job.item.key for waiting in begun if waiting.is_over for job in waiting.jobs)
        return {position: outcome for waiting in begun for position, outcome in waiting.outcomes.items()}

    def _ask(self, waiting: Waiting) -> None:
        """Note the state in which a job ended; a job that the system has forgotten is over."""
        poll = self.section["poll"]
        try:
            reply = self.api.ask(poll, self._scope_of(waiting.jobs[0], job=waiting.submitted.facts))
            if reply.failure and reply.failure.kind != "not_found":
                raise read_error(reply.failure)
        except HubError as error:
            waiting.outcomes = self._late(waiting, error)
            return
        state = "forgotten" if reply.failure else str(get(reply.data, poll["state"]))
        if reply.failure or state in poll["done"] or state in poll["failed"]:
            waiting.state = state

    def _read(self, waiting: Waiting) -> None:
        """Take the results of a job that is over."""
        try:
            waiting.outcomes = self._results(waiting.same, dict(waiting.submitted.facts), waiting.state)
            waiting.is_over = True
        except HubError as error:
            waiting.outcomes = self._late(waiting, error)

    def _late(self, waiting: Waiting, error: HubError) -> Outcomes:
        """The handle is kept: whatever went wrong in asking, nothing is in doubt and nothing is given up."""
        later = _asked_later(error, self._patience.every)
        return {job.position: job.outcome("failed", ref=job.ref, error=later) for job in waiting.jobs}

    def _running(self, facts: Mapping[str, Any]) -> TransientError:
        return TransientError(
            f"The system is still at work on the job {facts['handle']}.",
            retry_after=self._patience.every,
            fix="It is asked again by itself.",
            code=RUNNING,
        )

    # --- results ---------------------------------------------------------------------------------------------------

    def _results(self, jobs: Sequence[Job], facts: dict[str, Any], state: str) -> Outcomes:
        outcomes: Outcomes = {}
        if jobs and (refused := self._steps("after", jobs, facts)) is not None:
            raise refused
        for look in self.section.get("results", ()):
            left = [job for job in jobs if job.position not in outcomes]
            for job, result, reply in self._look(look, left, facts):
                outcomes[job.position] = self._outcome(look, job, result, reply)
        left = [job for job in jobs if job.position not in outcomes]
        return {**outcomes, **self._untold(left, facts, state)} if left else outcomes

    def _look(
        self, look: Mapping[str, Any], jobs: Sequence[Job], facts: Mapping[str, Any]
    ) -> Iterator[tuple[Job, Any, Reply]]:
        """Each record that this look tells of, with its result: by one question for all, or by one for each."""
        if "key" in look and jobs:
            reply = self._answer(look, self._scope_of(jobs[0], job=facts, keys=[job.item.key for job in jobs]))
            found = _listed(look, reply) if reply else []
            named = {str(get(result, look["key"])): result for result in found}
            yield from ((job, named[job.item.key], reply) for job in jobs if reply and job.item.key in named)
            return
        for job in jobs:
            reply = self._answer(look, self._scope_of(job, job=facts))
            if reply and reply.failure:
                yield job, None, reply
            elif reply and (found := _listed(look, reply)):
                yield job, found[0], reply

    def _answer(self, look: Mapping[str, Any], scope: Scope) -> Reply | None:
        """The answer to a look, None where there is nothing; a refusal is a result where the answer itself is one."""
        reply = self.api.ask(look, scope)
        if reply.failure and reply.failure.kind == "not_found":
            return None
        if reply.failure and ("records" in look or reply.failure.kind in _NO_RESULT):
            raise read_error(reply.failure)
        return reply

    def _outcome(self, look: Mapping[str, Any], job: Job, result: Any, reply: Reply) -> WriteOutcome:
        more = {"http_status": reply.answer.status, "response": _shown(self.api, result)}
        if reply.failure:
            return job.error(write_error(reply.failure, safe_to_repeat=True), **more)
        if look.get("means", "written") == "refused":
            paths = {name: look[name] for name in ("code", "message", "field") if name in look}
            failure = self.api.classifier.judge(status=400, data=result, where=reply.answer.where, **paths)
            return job.error(write_error(failure, safe_to_repeat=True), **more)
        ref = self._ref(look, job, result, reply)
        if ref is None:
            return job.error(no_id(reply.answer.where), **more)
        return job.outcome("updated" if job.operation == "update" else "created", ref=ref, **more)

    def _ref(self, look: Mapping[str, Any], job: Job, result: Any, reply: Reply) -> str | None:
        found = first(result, look.get("ref", "id")) if isinstance(result, dict) else None
        if found is None and "ref_header" in look:
            found = id_in_address(reply.answer.headers.get(look["ref_header"].lower(), ""))
        return str(found) if found not in (None, "") and not isinstance(found, dict | list) else job.ref

    def _untold(self, jobs: Sequence[Job], facts: dict[str, Any], state: str) -> Outcomes:
        """The outcomes of records that no look tells of."""
        parts = self._failed_parts(jobs[0], facts)
        if state in self.section["poll"]["failed"] or parts:
            error: HubError = self._failed(jobs[0], facts, state, parts)
        elif state in self.section["poll"]["done"] and not self.section.get("results"):
            return {job.position: self._taken(job, facts) for job in jobs}
        else:
            error = UnknownOutcome(
                f"The job {facts['handle']} is over ({state}), but nothing tells what became of this record.",
                where=self.operation["path"],
                fix="Look for the record in the system before it is sent again.",
                code="MISSING",
            )
        return {job.position: job.error(error) for job in jobs}

    def _taken(self, job: Job, facts: Mapping[str, Any]) -> WriteOutcome:
        ref = render(self.operation.get("ref_value", "${job.handle}"), self._scope_of(job, job=facts))
        return job.outcome("updated" if job.operation == "update" else "created", ref=str(ref))

    def _failed(self, job: Job, facts: Mapping[str, Any], state: str, parts: Sequence[str]) -> PermanentError:
        """What the system's own report says, and which part of the job failed."""
        words = f"The job {facts['handle']} ended as {state}"
        words += f", and its part {'; '.join(parts)}" if parts else ""
        report = self._report(job, facts)
        return PermanentError(
            f"{words}: {report}" if report else f"{words}.",
            where=self.operation["path"],
            fix="Correct what the system names there, then send the record again.",
            code="JOB_FAILED",
        )

    def _failed_parts(self, job: Job, facts: Mapping[str, Any]) -> list[str]:
        """The parts of the job that failed: the whole may look like a success while a part of it did not run."""
        section = self.section.get("parts")
        if section is None:
            return []
        reply = self.api.ask(section, self._scope_of(job, job=facts))
        if reply.failure:
            raise read_error(reply.failure)
        failed = section.get("failed", self.section["poll"]["failed"])
        nodes = _nodes(_parsed(get(reply.data, section.get("at", "$"))), section["state"])
        return [_part_words(section, node) for node in nodes if node[section["state"]] in failed]

    def _report(self, job: Job, facts: Mapping[str, Any]) -> str:
        section = self.section.get("report")
        if section is None:
            return ""
        reply = self.api.ask(section, self._scope_of(job, job=facts))
        return "" if reply.failure else self.api.http.redact(report_words(get(reply.data, section.get("at", "$"))))


# Failures of a look that say nothing about the record.
_NO_RESULT = frozenset(
    {"auth_expired", "auth_denied", "throttled", "quota", "timeout", "server_transient", "redirect", "page"}
)


def attempt_of(job: Job) -> str:
    """What tells one version of a record from the next: the engine's key, else what is sent."""
    return job.item.idempotency_key or orjson.dumps(job.item.body, option=orjson.OPT_SORT_KEYS, default=str).decode()


def batch_key(jobs: Sequence[Job]) -> str:
    """A key for exactly these records in these versions, fit for the name of a file."""
    text = "\n".join(f"{job.item.key}\x00{attempt_of(job)}" for job in jobs)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _waiting(submitted: Submitted, jobs: Sequence[Job]) -> Waiting:
    held = [job for job in jobs if job.item.key in submitted.attempts]
    return Waiting(submitted, held, [job for job in held if submitted.attempts[job.item.key] == attempt_of(job)])


def _is_free(job: Job, begun: Sequence[Waiting]) -> bool:
    """Whether every job that held an earlier version of the record is over."""
    return all(waiting.is_over for waiting in begun if job in waiting.jobs)


def _asked_later(error: HubError, seconds: float) -> HubError:
    """An error met in asking about a job: never one that puts the write in doubt or gives it up."""
    if isinstance(error, TransientError | AuthError):
        return error
    return TransientError(
        f"What became of the job cannot be asked: {error.what}", where=error.where, fix=error.fix, retry_after=seconds
    )


def _listed(look: Mapping[str, Any], reply: Reply) -> list[Any]:
    """The results of an answer that the look is about; without `records` the answer is one, and may be empty."""
    found = get(reply.data, look["records"]) if "records" in look else (reply.data or {})
    results = found if isinstance(found, list) else [] if found is None else [found]
    return [result for result in results if _fits(look, result)]


def _fits(look: Mapping[str, Any], result: Any) -> bool:
    return all(holds(condition, data=result, status=0, headers={}) for condition in look.get("when", ()))


def _shown(api: ApiClient, result: Any) -> str:
    return api.http.redact(orjson.dumps(result, default=str).decode()[:2_000]) if result is not None else ""


def _parsed(value: Any) -> Any:
    """Some systems write a tree of jobs as a text that is itself JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def _nodes(tree: Any, state: str) -> Iterator[Mapping[str, Any]]:
    """Every object of a tree that has a state."""
    if isinstance(tree, dict):
        if isinstance(tree.get(state), str):
            yield tree
        for value in tree.values():
            yield from _nodes(value, state)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value, state)


def _part_words(section: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    name, number = node.get(section.get("name", ""), "job"), node.get(section.get("id", ""), "")
    return f"{name} {number} as {node[section['state']]}".replace("  ", " ")
