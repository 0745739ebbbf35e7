"""Bulk jobs: large reads and writes that a system works through by itself, with CSV in and out.

The protocol is that of Salesforce's Bulk API 2.0: a job is created, handed its data, asked for its state until it is over,
and tells row by row what it did. What is particular to a system stands in the `bulk` section of its declaration.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connectors.cursors import HighWater
from connectors.failures import read_error
from connectors.paths import get
from connectors.rest.client import ApiClient, Reply
from connectors.rest.reading import Crawl, Source
from connectors.template import Scope, render, to_text
from hub.common.errors import ConfigError, HubError, TransientError
from hub.common.records import Page, Record

Kind = Literal["query", "ingest"]
DEFAULT_POLL_SECONDS, DEFAULT_WAIT_SECONDS = 5.0, 900.0
DEFAULT_PAGE_SIZE, DEFAULT_BATCH, DEFAULT_MAX_BYTES = 10_000, 10_000, 100_000_000
OVER = frozenset({"JobComplete", "Failed", "Aborted"})
_END = ("", "null")


@dataclass(frozen=True, slots=True)
class Job:
    """What a system says about a job."""

    id: str
    state: str
    error: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in OVER


class JobGone(TransientError):
    """The system does not know the job (any more)."""


class Jobs:
    """The jobs of one stream. `section` is its `bulk` section."""

    def __init__(self, api: ApiClient, section: Mapping[str, Any], scope: Scope) -> None:
        self.api, self._scope = api, scope
        self._path: str = section["path"]
        self._poll = float(section.get("poll_seconds", DEFAULT_POLL_SECONDS))
        self._wait = float(section.get("wait_seconds", DEFAULT_WAIT_SECONDS))

    def create(self, kind: Kind, spec: Mapping[str, Any]) -> Job:
        return self._job(self._send("POST", kind, json=dict(spec)))

    def look(self, kind: Kind, job_id: str) -> Job:
        """Raises JobGone for one that the system does not know."""
        return self._job(self._send("GET", f"{kind}/{job_id}"))

    def change(self, job_id: str, state: str) -> Job:
        return self._job(self._send("PATCH", f"ingest/{job_id}", json={"state": state}))

    def upload(self, job_id: str, data: bytes) -> None:
        headers = {"Content-Type": "text/csv; charset=UTF-8"}
        self._send("PUT", f"ingest/{job_id}/batches", raw=data, headers=headers)

    def wait(self, kind: Kind, job_id: str) -> Job:
        """The job when it is over; raises TransientError when that takes too long."""
        give_up_at = time.monotonic() + self._wait
        while not (job := self.look(kind, job_id)).is_over:
            if time.monotonic() >= give_up_at:
                raise TransientError(
                    f"The system still works on the job {job_id} ({job.state}).",
                    fix="It is asked again; nothing is sent twice meanwhile.",
                    code="JOB_RUNNING",
                )
            time.sleep(self._poll)
        return job

    def rows(self, path: str, query: Mapping[str, Any] | None = None) -> tuple[list[dict[str, str]], Reply]:
        """The lines of a CSV answer by column."""
        reply = self._send("GET", path, query=query, headers={"Accept": "text/csv"})
        try:
            text = reply.answer.body.decode("utf-8-sig")
            found = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise TransientError(
                f"The CSV cannot be read: {error}.", where=reply.answer.where, code="BROKEN"
            ) from error
        return found, reply

    def _send(self, method: str, path: str, **body: Any) -> Reply:
        self.api.sign_in()
        url = f"{self.api.url(self._path, self._scope).rstrip('/')}/{path}"
        reply = self.api.send(method, url, **body)
        if reply.failure is None:
            return reply
        if reply.failure.kind == "not_found":
            raise JobGone(f"The system does not know this job: {reply.failure.words}", where=url, code="JOB_GONE")
        # a refusal is about the job, not about one of its records
        raise read_error(reply.failure)

    def _job(self, reply: Reply) -> Job:
        job_id, state = get(reply.data, "id"), get(reply.data, "state")
        if not job_id or not state:
            raise TransientError("The answer names no job.", where=reply.answer.where, code="BROKEN")
        return Job(str(job_id), str(state), str(get(reply.data, "errorMessage") or ""))


class SizedCrawl(Crawl):
    """A usual reading that keeps the number of records which its first answer promised."""

    total = 0

    def query_text(self) -> str:
        """The query that a job carries out: the one that the first page would ask for."""
        section = self.source.section
        asked = {**section.get("query", {}), **self._changes.get("query", {})}
        query = render(asked, self._scope).get(section["bulk"].get("query_param", "q"))
        if not query:
            raise no_query(self.source.name)
        return str(query)

    def _page(self, reply: Reply, items: Any, following: Any) -> Page:
        if not self.total:
            told = get(reply.data, self.source.section["bulk"].get("total_path", "totalSize"))
            self.total = int(told) if str(told or "").isdigit() else 0
        return super()._page(reply, items, following)


def read_by_size(crawl: SizedCrawl, at_once: Callable[[], Iterator[Page]], above: int) -> Iterator[Page]:
    """The usual pages, or those of a job when the first answer promises more than `above` records."""
    pages = crawl.pages()
    first = next(pages)
    if crawl.total > above:
        yield from at_once()
        return
    yield first
    yield from pages


class JobCrawl:
    """One pass over a stream by a query job. The id of the job travels in `resume`, so that no pass begins anew."""

    def __init__(
        self, api: ApiClient, source: Source, scope: Scope, cursor: str | None, resume: Any, query: str
    ) -> None:
        self._section: Mapping[str, Any] = source.section["bulk"]
        self._jobs, self._source, self._query = Jobs(api, self._section, scope), source, query
        self._start: Mapping[str, Any] = resume or {}
        self._from: str | None = self._start.get("from", cursor)
        high = self._start.get("high", self._from) if source.cursor_paths else None
        self._high = HighWater(source.cursor_paths, source.form, high)
        self._kinds = {name: _kind(field) for name, field in source.section.get("fields", {}).items()}
        self._scope = scope

    def pages(self) -> Iterator[Page]:
        job_id, locator = self._start.get("job", ""), self._start.get("locator", "")
        if job_id and not self._is_of_use(job_id):
            job_id = locator = ""
        if not job_id:
            job_id = self._jobs.create("query", {"operation": self._operation(), "query": self._query}).id
            # the place is kept before the job is over: whoever goes on from here need not ask for it again
            yield Page([], resume=self._resume(job_id, ""), cursor=self._high.value)
        job = self._jobs.wait("query", job_id)
        if job.state != "JobComplete":
            raise TransientError(
                f"The query job ended as {job.state}: {job.error or 'no reason given'}.", code="JOB_FAILED"
            )
        is_begun = False
        while not is_begun or locator not in _END:
            page, locator = self._page(job_id, locator)
            is_begun = True
            yield page

    def _is_of_use(self, job_id: str) -> bool:
        try:
            return self._jobs.look("query", job_id).state not in ("Failed", "Aborted")
        except JobGone:
            return False

    def _operation(self) -> str:
        operation: str = self._section.get("operation", "query")
        return to_text(render(operation, self._scope))

    def _page(self, job_id: str, locator: str) -> tuple[Page, str]:
        query = {"maxRecords": self._section.get("page_size", DEFAULT_PAGE_SIZE), "locator": locator or None}
        rows, reply = self._jobs.rows(f"query/{job_id}/results", query)
        told = reply.answer.headers.get("sforce-numberofrecords", "")
        if told.isdigit() and int(told) != len(rows):
            raise TransientError(f"A page promised {told} records and held {len(rows)}.", where=reply.answer.where)
        records, bad = self._source.reader.read([self._typed(row) for row in rows], size=len(reply.answer.body))
        high = self._high.raise_to(records) if self._source.cursor_paths else None
        following = reply.answer.headers.get("sforce-locator", "")
        resume = None if following in _END else self._resume(job_id, following)
        is_ordered = bool(self._source.section.get("incremental", {}).get("ordered"))
        return Page(records, resume=resume, cursor=high, ordered=is_ordered, bad=bad), following

    def _resume(self, job_id: str, locator: str) -> dict[str, Any]:
        return {"job": job_id, "locator": locator, "from": self._from, "high": self._high.value}

    def _typed(self, row: Mapping[str, str]) -> Record:
        """The record as the usual reading gives it: a blank is nothing, flags and numbers are no text."""
        return {name: _value(self._kinds.get(name, "string"), text) for name, text in row.items()}


def _kind(field: str | Mapping[str, Any]) -> str:
    return field if isinstance(field, str) else str(field["type"])


def _value(kind: str, text: str) -> Any:
    if text in ("", None):
        return None
    if kind == "boolean":
        return text.lower() == "true"
    try:
        return int(text) if kind == "integer" else float(text) if kind == "number" else text
    except ValueError:
        return text


def to_csv(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Rows as CSV with LF; a column that a row does not have stays blank."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def ended_badly(job: Job) -> HubError:
    """Why a record that a job did not come to was not written."""
    words = f": {job.error}" if job.error else ""
    return TransientError(
        f"The job {job.id} ended as {job.state} before it came to this record{words}.", code="JOB_FAILED"
    )


def no_query(stream: str) -> ConfigError:
    return ConfigError(
        f"The stream {stream!r} has no query that a job could carry out.",
        where="bulk.query_param",
        fix="Name the query parameter that holds the query, or leave out `bulk.read_above`.",
    )
