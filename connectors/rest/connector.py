"""The connector for REST APIs: carries out any declaration with `protocol: rest`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import islice
from typing import Any, ClassVar, Literal

from connectors.base import DEFAULT_SETTLE_SECONDS, REMOVALS, Quota
from connectors.checking import Step, StepName, run_steps
from connectors.cursors import CursorFormat
from connectors.declared import DeclaredConnector, field_infos, key_fields, stream_label
from connectors.failures import read_error
from connectors.inference import infer_fields
from connectors.jobs import JobBook, MemoryBook
from connectors.page_records import DEFAULT_MAX_RECORD_BYTES, RecordReader
from connectors.paths import first
from connectors.rest import bulk
from connectors.rest.bulk_writing import BulkWriter
from connectors.rest.children import Children
from connectors.rest.client import ApiClient, Reply
from connectors.rest.finding import Finder
from connectors.rest.issued import LocalTokens
from connectors.rest.open_jobs import OpenJobs, Patience
from connectors.rest.paginators import DEFAULT_PAGE_SIZE, build_paginator
from connectors.rest.reading import Crawl, Source
from connectors.rest.writing import Writer
from connectors.template import to_text
from hub.common.egress import checked_addresses
from hub.common.errors import AuthError, ConfigError, HubError
from hub.common.http import Redactor
from hub.common.records import CheckStep, Page, Record, StreamInfo, StreamSpec, WriteItem, WriteOutcome
from hub.common.wire import parse_url

SAMPLE_SIZE = 20
SIGN_IN_SECONDS = 10.0


class RestConnector(DeclaredConnector):
    """`on_secret_changed(name, value)` is called when the system replaces a refresh token; the old one is then dead."""

    protocol: ClassVar[str] = "rest"
    label: ClassVar[str] = "REST API"
    batch_size = 500
    reports_requests = True

    client_class: ClassVar[type[ApiClient]] = ApiClient
    # the option that makes a stream readable
    source_option: ClassVar[str] = "path"
    on_secret_changed: Callable[[str, str], None] | None = None

    @cached_property
    def api(self) -> ApiClient:
        own = LocalTokens(self.secrets, self._rotated)
        return self.client_class(self, tokens=lambda: self.tokens or own)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.api.concurrency, thread_name_prefix="write")

    @cached_property
    def _bulk_writers(self) -> dict[str, BulkWriter]:
        return {}

    @cached_property
    def _own_book(self) -> JobBook:
        return MemoryBook()

    def _rotated(self, name: str, value: str) -> None:
        if self.on_secret_changed:
            self.on_secret_changed(name, value)

    def declared_stream(self, spec: StreamSpec) -> Mapping[str, Any]:
        """As declared; what the connection says about bulk jobs itself is laid over."""
        section, own = super().declared_stream(spec), self.config.get("bulk")
        return {**section, "bulk": {**section["bulk"], **own}} if own and "bulk" in section else section

    # --- check -----------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[CheckStep]:
        return run_steps(self._steps(), Redactor(self.secrets.values()))

    def _steps(self) -> Iterator[tuple[StepName, Step]]:
        yield "resolve", self._resolve
        yield "connect", self._connect
        yield "authenticate", self._authenticate
        if self._test_stream():
            yield "read", self._read_one

    def _resolve(self, seconds: float) -> str:
        target = parse_url(self.api.base_url)
        host = target.url.host.decode()
        addresses = checked_addresses(host, target.port, self.allowed_networks, timeout_seconds=seconds)
        return f"{host} is {', '.join(addresses[:3])}."

    def _connect(self, seconds: float) -> str:
        self.api.http.try_to_connect(self.api.base_url, timeout_seconds=seconds)
        return f"{parse_url(self.api.base_url).host} answers."

    def refusal(self) -> str:
        try:
            self._authenticate(SIGN_IN_SECONDS)
        except AuthError as error:
            return str(error)
        except HubError:
            # that it does not answer is for those to find who have work for it
            return ""
        return ""

    def _authenticate(self, seconds: float) -> str:
        section = self.declaration.body.get("check", {})
        self.api.time_limit = seconds
        if not {"path", "call", "operation"} & set(section):
            self.api.sign_in()
            return "No request is declared that tells whose account it is."
        reply = self.api.ask(section, self.scope)
        if reply.failure:
            raise read_error(reply.failure)
        return signed_in_as(section, reply)

    def _test_stream(self) -> str:
        chosen = self.declaration.body.get("check", {}).get("stream")
        streams = self.declaration.streams
        plain = (name for name, stream in streams.items() if self._is_readable(stream) and "for_each" not in stream)
        return chosen or next(plain, "")

    def _read_one(self, seconds: float) -> str:
        name = self._test_stream()
        self.api.time_limit = seconds
        page = next(self.read(StreamSpec(name, page_size=1), cursor=None))
        label = stream_label(name, self.declaration.streams[name])
        if page.bad and not page.records:
            raise page.bad[0].error
        return f"{label}: {'a record was read' if page.records else 'no record is there'}."

    # --- discover --------------------------------------------------------------------------------------------------

    def discover(self) -> Sequence[StreamInfo]:
        return [self._describe(name, stream) for name, stream in self.declaration.streams.items()]

    def _describe(self, name: str, stream: Mapping[str, Any]) -> StreamInfo:
        readable = self._is_readable(stream)
        write = stream.get("write", {})
        return StreamInfo(
            name,
            stream_label(name, stream),
            fields=field_infos(stream) or (self._sampled(name) if readable else ()),
            key=key_fields(stream),
            cursor=cursor_paths(stream)[0] if cursor_paths(stream) else "",
            readable=readable,
            writable=bool(write),
            safety=write_safety(write, can_find="find" in stream),
        )

    def _is_readable(self, stream: Mapping[str, Any]) -> bool:
        return self.source_option in stream

    def _sampled(self, name: str) -> Sequence[Any]:
        """The fields of a few records; nothing when the account may not read this stream."""
        try:
            pages = self.read(StreamSpec(name, page_size=SAMPLE_SIZE), cursor=None)
            found = next((page.records for page in islice(pages, 3) if page.records), [])
        except AuthError:
            raise
        except HubError:
            return ()
        return infer_fields(found[:SAMPLE_SIZE])

    # --- read ------------------------------------------------------------------------------------------------------

    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        section = self.declared_stream(stream)
        if not self._is_readable(section):
            raise ConfigError(f"The stream {stream.name!r} can only be written.", where=self.declaration.source)
        if "for_each" in section:
            parent = StreamSpec(section["for_each"]["stream"])
            parents = partial(self.read, parent, cursor=None)
            return Children(self.api, self.source(stream, section), self.scope, parents).pages(cursor, resume)
        if "read_above" in section.get("bulk", {}) and not 0 < stream.page_size <= SAMPLE_SIZE:
            return self._read_by_size(stream, section, cursor, resume)
        return self._crawl(stream, section, cursor, resume).pages()

    def _crawl(self, stream: StreamSpec, section: Mapping[str, Any], cursor: str | None, resume: Any) -> Crawl:
        return Crawl(self.api, self.source(stream, section), self.scope, cursor, resume)

    def _read_by_size(
        self, stream: StreamSpec, section: Mapping[str, Any], cursor: str | None, resume: Any
    ) -> Iterator[Page]:
        """By a job what is large, page by page what is not; a pass that has begun goes on as it began."""
        source, above = self.source(stream, section), section["bulk"]["read_above"]
        crawl = bulk.SizedCrawl(self.api, source, self.scope, cursor, resume)
        by_job = partial(bulk.JobCrawl, self.api, source, self.scope, cursor)
        if resume and "job" in resume:
            return by_job(resume, crawl.query_text()).pages()
        if resume:
            return crawl.pages()
        return bulk.read_by_size(crawl, lambda: by_job(None, crawl.query_text()).pages(), above)

    def source(self, stream: StreamSpec, section: Mapping[str, Any]) -> Source:
        """What the pages of a stream need to know about it."""
        paging = section.get("paging", {"type": "none"})
        size = stream.page_size or paging.get("size") or self.limits.get("page_size", DEFAULT_PAGE_SIZE)
        incremental = section.get("incremental", {})
        form = CursorFormat(incremental.get("format", "iso"), self.zone_of(incremental))
        return Source(
            stream.name,
            section,
            build_paginator(paging, size),
            self._reader(stream, section),
            form,
            cursor_paths(section) or ((stream.cursor,) if stream.cursor else ()),
        )

    def _reader(self, stream: StreamSpec, section: Mapping[str, Any]) -> RecordReader:
        max_bytes = self.limits.get("max_record_bytes", DEFAULT_MAX_RECORD_BYTES)
        return RecordReader(key_fields(section, stream), section.get("fields", {}), max_bytes)

    # --- write and find --------------------------------------------------------------------------------------------

    def write(self, stream: StreamSpec, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        section = self.declared_stream(stream)
        if not section.get("write"):
            raise ConfigError(f"The stream {stream.name!r} can only be read.", where=self.declaration.source)
        finder = self._finder(stream, section) if "find" in section else None
        writer = self._writer(stream, section, finder)
        done = self._write_by_job(stream, section, items)
        rest = [position for position in range(len(items)) if position not in done]
        done |= dict(zip(rest, writer.write([items[position] for position in rest]), strict=True))
        return [done[position] for position in range(len(items))]

    def _writer(self, stream: StreamSpec, section: Mapping[str, Any], finder: Finder | None) -> Writer:
        jobs = OpenJobs(self._book, stream.name, Patience.of(self.limits))
        return Writer(self.api, section, self.scope, finder, self._pool, jobs)

    @property
    def _book(self) -> JobBook:
        return self.jobs or self._own_book

    def _write_by_job(
        self, stream: StreamSpec, section: Mapping[str, Any], items: Sequence[WriteItem]
    ) -> dict[int, WriteOutcome]:
        """What a bulk job does of these items; nothing where none is declared, or where there are too few for one."""
        above = section.get("bulk", {}).get("write_above")
        if above is None or "upsert" not in section["write"]:
            return {}
        if stream.name not in self._bulk_writers:
            self._bulk_writers[stream.name] = BulkWriter(self.api, stream.name, section, self.scope, self._book)
        writer = self._bulk_writers[stream.name]
        return writer.write(items, above=above) if len(items) > above or writer.has_open_job() else {}

    def batch_for(self, stream: StreamSpec) -> int:
        section = self.declared_stream(stream).get("bulk", {})
        batch: int = section.get("batch", bulk.DEFAULT_BATCH) if "write_above" in section else self.batch_size
        return batch

    def safety(self, stream: StreamSpec, *, updating: bool = False) -> str:
        section = self.declared_stream(stream)
        return write_safety(section.get("write", {}), can_find="find" in section, updating=updating)

    def removals(self, stream: StreamSpec) -> frozenset[str]:
        return REMOVALS.intersection(self.declared_stream(stream).get("write", {}))

    def settle_seconds(self, stream: StreamSpec) -> float:
        return settling(self.declared_stream(stream).get("write", {}))

    def find(self, stream: StreamSpec, keys: Sequence[str]) -> dict[str, Record]:
        section = self.declared_stream(stream)
        if "find" not in section:
            raise NotImplementedError(f"The stream {stream.name!r} declares no `find`.")
        return self._finder(stream, section).find(keys)

    def _finder(self, stream: StreamSpec, section: Mapping[str, Any]) -> Finder:
        def read_all() -> Iterator[Record]:
            return (record for page in self.read(StreamSpec(stream.name), cursor=None) for record in page.records)

        reader, key = self._reader(stream, section), key_fields(section, stream)
        return Finder(self.api, section, self.scope, reader, key, read_all)

    def quota(self) -> Quota | None:
        return self.api.usage.last

    def server(self) -> str:
        return self.api.base_url if self.api.base_url.startswith("https://") else ""

    def close(self) -> None:
        if "_pool" in self.__dict__:
            self._pool.shutdown(wait=False, cancel_futures=True)
            del self.__dict__["_pool"]
        if "api" in self.__dict__:
            self.api.http.close()


def cursor_paths(section: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a record of the stream holds its cursor."""
    paths = section.get("incremental", {}).get("cursor", ())
    return (paths,) if isinstance(paths, str) else tuple(paths)


def settling(write: Mapping[str, Any]) -> float:
    """The longest settling time that the operations of a stream declare."""
    return max(
        (float(o["settle_seconds"]) for o in write.values() if "settle_seconds" in o), default=DEFAULT_SETTLE_SECONDS
    )


def write_safety(write: Mapping[str, Any], *, can_find: bool, updating: bool = False) -> Literal["A", "B", "C", "D"]:
    """What a repeated upsert does: as declared, else C where a double can be found before, else D.

    A record whose id is known is written by `update` where there is no `upsert`.
    """
    order = ("upsert", "update", "create") if updating else ("upsert", "create", "update")
    operation: Mapping[str, Any] = next((write[name] for name in order if write.get(name)), {})
    declared: Literal["A", "B", "C", "D"] = operation.get("safety", "C" if can_find else "D")
    return declared


def signed_in_as(section: Mapping[str, Any], reply: Reply) -> str:
    """Whose account it is; raises AuthError when the answer names nobody, or a name that means nobody."""
    if "who" not in section:
        return "The test request was answered; the declaration does not say where the account's name stands."
    who = first(reply.data, section["who"])
    nobody = {name.lower() for name in section.get("anonymous", ())}
    if who in (None, "", False) or to_text(who).lower() in nobody:
        said = f"{to_text(who)!r}" if who else "nobody"
        error = AuthError(
            f"The system answers, but takes us for {said}: it did not accept the credentials.",
            where=reply.answer.where,
            fix="Check user, password or key of the connection.",
            code="AUTH_DENIED",
        )
        error.add_note(reply.answer.body[:300].decode("utf-8", "replace"))
        raise error
    return f"Signed in as {to_text(who)}."
