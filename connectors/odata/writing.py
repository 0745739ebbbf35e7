"""Writing to an entity set: addresses by key, exact decimals, versions that are asked for again, and `$batch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import orjson

from connectors.failures import write_error
from connectors.odata import batch
from connectors.odata.batch import Part
from connectors.odata.expansion import CONTINUE
from connectors.odata.keys import EntityKey
from connectors.odata.literals import edm_type, predicate, split_key
from connectors.paths import get
from connectors.rest.client import ApiClient, Reply, with_query
from connectors.rest.finding import Finder
from connectors.rest.outcomes import Job, Judge
from connectors.rest.writing import METHODS, OF_ONE, Writer
from connectors.template import Scope, render, to_text
from hub.common.errors import HubError, RecordError, TransientError, UnknownOutcome
from hub.common.http import HttpAnswer
from hub.common.records import WriteOutcome

EXACT_BODY = "application/json;IEEE754Compatible=true"
_REFUSED_FOR_ANOTHER = 424


class ODataJudge(Judge):
    """The reference of a record is its key, wherever the answer shows it."""

    def __init__(self, api: ApiClient, operation: Mapping[str, Any], key: EntityKey) -> None:
        super().__init__(api, operation)
        self._key = key

    def _ref(self, job: Job, reply: Reply, scope: Scope) -> str | None:
        stated = "ref" in self.operation or "ref_value" in self.operation
        shown = None if stated else self._key.ref(reply.data)
        if shown:
            return shown
        found = super()._ref(job, reply, scope)
        # the header with the entity's address names a key of several fields as brackets do
        is_address = found is not None and found != job.ref and len(self._key.names) > 1
        return self._key.from_predicate(found) if found and is_address else found


@dataclass(frozen=True, slots=True)
class Service:
    """What a writer must know beside the stream: its key, the service's root address, how decimals are written."""

    key: Sequence[str]
    root: str
    decimals_as_text: bool


class ODataWriter(Writer):
    """Writes items of one entity set. `section` is its declaration, written out."""

    def __init__(
        self,
        api: ApiClient,
        section: Mapping[str, Any],
        scope: Scope,
        finder: Finder | None,
        pool: ThreadPoolExecutor,
        *,
        service: Service,
        **more: Any,
    ) -> None:
        super().__init__(api, section, scope, finder, pool, **more)
        self._fields: Mapping[str, Any] = section.get("fields", {})
        self._key, self._root = EntityKey(service.key, self._fields), service.root.rstrip("/")
        self._decimals = {name for name in self._fields if edm_type(self._fields, name) == "Edm.Decimal"}
        self._as_text = service.decimals_as_text
        if self._as_text:
            self._operations = {name: _exactly(name, each) for name, each in self._operations.items()}

    def _judge(self, operation: Mapping[str, Any]) -> Judge:
        return ODataJudge(self.api, operation, self._key)

    def _job_scope(self, job: Job, /, **more: Any) -> Scope:
        operation = self._operations[job.operation]
        added = render(operation.get("defaults", {}), self._scope)
        body = {**added, **job.item.body}
        job = replace(job, item=replace(job.item, body={name: self._exact(name, body[name]) for name in body}))
        return super()._job_scope(job, predicate=self._predicate(job, operation), **more)

    def _predicate(self, job: Job, operation: Mapping[str, Any]) -> str | None:
        names = operation.get("alternate_key")
        if not names:
            return self._key.predicate(job.ref)
        values = split_key(job.item.key, names)
        return predicate(values, names, self._fields, named=True)

    def _exact(self, name: str, value: Any) -> Any:
        """Decimals with all their digits: as text where the service takes text, else as the very same number."""
        if name not in self._decimals or value is None or isinstance(value, bool):
            return value
        try:
            digits = f"{Decimal(to_text(value)):f}"
        except InvalidOperation:
            raise RecordError(
                f"{value!r} is no number.", field=name, fix="Correct the mapping of this field."
            ) from None
        return digits if self._as_text else orjson.Fragment(digits)

    # --- one by one ------------------------------------------------------------------------------------------------

    def _write_one(self, job: Job, operation: Mapping[str, Any]) -> WriteOutcome:
        outcome = super()._write_one(job, operation)
        # somebody was faster between asking for the version and writing: once more with the version of now
        return super()._write_one(job, operation) if _is_overtaken(outcome, operation) else outcome

    # --- batches ---------------------------------------------------------------------------------------------------

    def _write_batch(self, jobs: list[Job], operation: Mapping[str, Any]) -> dict[int, WriteOutcome]:
        if len(jobs) == 1:
            return {jobs[0].position: self._write_one(jobs[0], operation)}
        outcomes: dict[int, WriteOutcome] = {}
        scopes = self._scopes(jobs, operation, outcomes)
        sound = [job for job in jobs if job.position in scopes]
        if not sound:
            return outcomes
        parts = [self._part(job, operation, scopes[job.position]) for job in sound]
        reply, answers = self._send_batch(parts, operation["batch"], operation.get("query", {}))
        whole = _refused_whole(reply, answers, operation["batch"])
        if whole and len(sound) > 1:
            # refused for the sake of one record, and not said for which: find it by halves
            middle = len(sound) // 2
            return {**outcomes, **self._carry_out(sound[:middle]), **self._carry_out(sound[middle:])}
        judge = self._judge(operation)
        for n, job in enumerate(sound):
            outcomes[job.position] = self._outcome(judge, job, scopes[job.position], reply, answers.get(n))
        if operation["batch"].get("atomic"):
            return outcomes
        again = [job for job in sound if _is_overtaken(outcomes[job.position], operation)]
        return outcomes | {job.position: self._write_one(job, operation) for job in again}

    def _scopes(
        self, jobs: Sequence[Job], operation: Mapping[str, Any], outcomes: dict[int, WriteOutcome]
    ) -> dict[int, Scope]:
        """What the templates of each item may use; an item that cannot be written at all gets its outcome at once."""
        scopes: dict[int, Scope] = {}
        for job in jobs:
            try:
                scopes[job.position] = self._job_scope(job)
            except RecordError as error:
                outcomes[job.position] = job.error(error)
        return self._with_versions(jobs, operation, scopes, outcomes) if "fetch_etag" in operation else scopes

    def _with_versions(
        self,
        jobs: Sequence[Job],
        operation: Mapping[str, Any],
        scopes: dict[int, Scope],
        outcomes: dict[int, WriteOutcome],
    ) -> dict[int, Scope]:
        """The versions of all records, asked for in one batch."""
        asked = [job for job in jobs if job.position in scopes]
        if not asked:
            return {}
        urls = [self._relative(self.api.url(operation["fetch_etag"], scopes[job.position])) for job in asked]
        reply, answers = self._send_batch([Part("GET", url) for url in urls], {**operation["batch"], "atomic": False})
        found = {}
        for n, job in enumerate(asked):
            shown = self._shown(answers.get(n), reply)
            if shown.failure:
                outcomes[job.position] = job.error(write_error(shown.failure, safe_to_repeat=True))
                continue
            etag = shown.answer.headers.get("etag") or get(shown.data, "@odata.etag")
            found[job.position] = self._job_scope(job, etag=etag)
        return found

    def _shown(self, answer: HttpAnswer | None, reply: Reply) -> Reply:
        if answer is not None:
            return self.api.read_reply(answer)
        if reply.failure:
            return reply
        raise TransientError("The answer to a batch of questions is not complete.", where=reply.answer.where)

    def _part(self, job: Job, operation: Mapping[str, Any], scope: Scope) -> Part:
        headers = {name: to_text(value) for name, value in render(operation.get("headers", {}), scope).items()}
        url = with_query(self.api.url(operation["path"], scope), render(operation.get("query", {}), scope))
        method = operation.get("method", METHODS[job.operation])
        return Part(method, self._relative(url), headers, self._body(job, operation, scope, None))

    def _relative(self, url: str) -> str:
        """The address below the root, as batches want it; an address elsewhere stays whole."""
        return url.removeprefix(f"{self._root}/") if url.startswith(f"{self._root}/") else urlsplit(url).path

    def _send_batch(
        self, parts: Sequence[Part], section: Mapping[str, Any], query: Mapping[str, Any] | None = None
    ) -> tuple[Reply, dict[int, HttpAnswer]]:
        """The answer to a batch, and within it those to each request by its number."""
        atomic, as_json = bool(section.get("atomic")), section.get("format", "json") == "json"
        make = batch.json_body if as_json else batch.multipart_body
        headers = {
            "Content-Type": "application/json" if as_json else batch.multipart_type(),
            **({"Accept": "application/json" if as_json else "multipart/mixed"}),
            **({} if atomic else {"Prefer": CONTINUE}),
            **render(section.get("headers", {}), self._scope),
        }
        url = self.api.url(section.get("path", f"{self._root}/$batch"), self._scope)
        self.api.sign_in()
        reply = self.api.send("POST", url, headers=headers, raw=make(parts, atomic=atomic))
        if reply.failure:
            return reply, {}
        where = reply.answer.where
        if as_json:
            return reply, batch.json_answers(reply.data, len(parts), where)
        kind = reply.answer.headers.get("content-type", "")
        return reply, batch.multipart_answers(reply.answer.body, kind, len(parts), where, atomic=atomic)

    def _outcome(self, judge: Judge, job: Job, scope: Scope, reply: Reply, answer: HttpAnswer | None) -> WriteOutcome:
        more = {"http_status": reply.answer.status, "response": judge.shown(reply.answer.body)}
        if reply.failure:
            return job.error(judge.refused(reply.failure), **more)
        if answer is None:
            what = "The answer to the batch does not mention this record."
            error: HubError = UnknownOutcome(what, where=reply.answer.where, code="MISSING")
            return job.error(TransientError(what, code="MISSING") if judge.is_repeatable else error, **more)
        if answer.status == _REFUSED_FOR_ANOTHER:
            undone = TransientError(
                "Another record of the same request failed, so this one was undone too.", code="UNDONE"
            )
            return job.error(undone, http_status=answer.status, response=judge.shown(answer.body))
        return judge.one(job, self.api.read_reply(answer), scope)


def _exactly(name: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """The operation with a body in which decimals are text."""
    kind = {} if name == "delete" else {"Content-Type": EXACT_BODY}
    return {**operation, "headers": {**kind, **operation.get("headers", {})}}


def _is_overtaken(outcome: WriteOutcome, operation: Mapping[str, Any]) -> bool:
    return "fetch_etag" in operation and outcome.error is not None and outcome.error.code == "CONFLICT"


def _refused_whole(reply: Reply, answers: Mapping[int, HttpAnswer], section: Mapping[str, Any]) -> bool:
    """Whether all records were refused although perhaps only one is at fault."""
    if reply.failure:
        return reply.failure.kind in OF_ONE
    statuses = {answer.status for answer in answers.values()}
    texts = {answer.body for answer in answers.values()}
    told_apart = len(statuses) > 1 or len(texts) > 1
    return bool(section.get("atomic") and answers and not told_apart and min(statuses) in range(400, 500))
