"""Reading a stream page by page: the request, the pages, the cursor, and where to resume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.cursors import CursorFormat, HighWater, start_value
from connectors.exact_json import find_doubled
from connectors.failures import holds, read_error
from connectors.page_records import RecordReader
from connectors.paths import get
from connectors.rest.client import ApiClient, Reply
from connectors.rest.paginators import Got, Paginator, State, endless
from connectors.template import Scope, to_text
from hub.common.errors import ConfigError, TransientError
from hub.common.records import Page, Record


@dataclass(frozen=True, slots=True)
class Source:
    """Everything about one stream that its pages need. `section` is the stream's declaration."""

    name: str
    section: Mapping[str, Any]
    paginator: Paginator
    reader: RecordReader
    form: CursorFormat
    cursor_paths: tuple[str, ...]


class Crawl:
    """One pass over a stream from `cursor`; resumes from the JSON value of an earlier page."""

    def __init__(self, api: ApiClient, source: Source, scope: Scope, cursor: str | None, resume: Any = None) -> None:
        self.api, self.source = api, source
        resume = resume or {}
        # A crawl is finished from the cursor it began with: a later one would shift what its offsets count.
        self.cursor: str | None = resume.get("from", cursor)
        self.state: State = resume.get("at") or source.paginator.first()
        self._print: str = resume.get("print", "")
        self._seen = {self._print} if self._print else set()
        self._steps = {_step(self.state)}
        high = resume.get("high", self.cursor) if source.cursor_paths else None
        self._high = HighWater(source.cursor_paths, source.form, high)
        self._incremental: Mapping[str, Any] = source.section.get("incremental", {})
        self._told: str | None = resume.get("told")
        self._scope = scope.extend(cursor=self._cursor_value())
        self._changes: Mapping[str, Any] = self._incremental if self._cursor_value() else {}

    def pages(self) -> Iterator[Page]:
        """The pages that are left; at least one, which may be empty."""
        state: State | None = self.state
        self._prepare()
        while state is not None:
            reply = self._ask(state)
            if reply is None:
                yield Page([], cursor=self._high.value)
                return
            items = extract_items(reply.data, self.source.section)
            _refuse_doubled(reply, items)
            got = Got(reply.data, reply.answer.headers, items)
            if self._is_repeated(state, items):
                yield Page([], cursor=self._high.value)
                return
            following = self.source.paginator.next(state, got)
            if following and "url" in following:
                following["url"] = self.api.follow(following["url"], reply.url)
            self._refuse_loop(following)
            yield self._page(reply, items, following)
            state = following

    @property
    def _told_path(self) -> str:
        """Where the last page tells the cursor, when it does not stand in the records."""
        return str(self._incremental.get("delta_link") or self._incremental.get("token_path") or "")

    def _prepare(self) -> None:
        """Send the request that the system wants before it is read."""
        section = self.source.section.get("prepare")
        if section:
            reply = self.api.ask(section, self._scope, method="POST")
            if reply.failure:
                raise read_error(reply.failure)

    # --- requests --------------------------------------------------------------------------------------------------

    def _cursor_value(self) -> str | None:
        section = self._incremental
        if not self.cursor or section.get("client_filter") or section.get("delta_link"):
            return section.get("initial") if not self.cursor else None
        if section.get("token_path"):
            return self.cursor
        overlap = section.get("overlap_seconds", 0) or (0 if section.get("inclusive", True) else 1)
        return start_value(
            self.cursor, form=self.source.form, overlap_seconds=overlap, send_format=section.get("send_format", "")
        )

    def _ask(self, state: State) -> Reply | None:
        """The answer to the request of a page, None when the pages are over."""
        paginator = self.source.paginator
        link = state.get("url") or (self.cursor if self._incremental.get("delta_link") else None) or ""
        reply = self.api.ask(
            self.source.section,
            self._scope.extend(**paginator.values(state)),
            changes=self._changes,
            parameters=paginator.parameters(state),
            link=link,
        )
        is_first = state == paginator.first()
        if reply.failure and is_first and self._is_cursor_expired(reply):
            return self._begin_anew()
        if reply.failure and reply.failure.kind == "not_found" and not is_first and paginator.ends_with_not_found:
            return None
        return read_reply(reply)

    def _is_cursor_expired(self, reply: Reply) -> bool:
        """Whether the system has forgotten the place that reading should go on from."""
        facts = {"data": reply.data, "status": reply.answer.status, "headers": reply.answer.headers}
        return bool(self.cursor) and any(holds(c, **facts) for c in self._incremental.get("expired_when", ()))

    def _begin_anew(self) -> Reply | None:
        """Read everything: what changed since can no longer be told."""
        self.cursor = None
        self._high = HighWater(self.source.cursor_paths, self.source.form)
        self._scope = self._scope.extend(cursor=self._cursor_value())
        self._changes = self._incremental if self._cursor_value() else {}
        return self._ask(self.source.paginator.first())

    # --- pages -----------------------------------------------------------------------------------------------------

    def _is_repeated(self, state: State, items: Sequence[Any]) -> bool:
        """Whether the page was there before; raises ConfigError when that may hide records that were not."""
        if not items or self.source.section.get("paging", {}).get("type", "none") == "none":
            return False
        mark = fingerprint(items)
        if mark not in self._seen:
            self._seen.add(mark)
            self._print = mark
            return False
        if len(items) > self.source.paginator.size or len(items) < state.get("widest", 0):
            # The system ignores the page size and sends everything each time, or repeats its last page for ever.
            return True
        raise endless("the same records came twice; the system seems to ignore the paging parameters")

    def _refuse_loop(self, following: State | None) -> None:
        """Raise ConfigError when a token or an address comes back, although its records may look new."""
        step = _step(following or {})
        if step and step in self._steps:
            raise endless("the answers lead back to a page that was read before")
        self._steps.add(step)

    def _page(self, reply: Reply, items: Sequence[Any], following: State | None) -> Page:
        records, bad = self.source.reader.read(
            items, size=len(reply.answer.body), suspicious=reply.careful or b"\\u0000" in reply.answer.body
        )
        if self._incremental.get("client_filter") and self.cursor:
            records = self._newer(records)
        high = self._high.raise_to(records) if self.source.cursor_paths else None
        if told := self._told_path:
            high = to_text(get(reply.data, told) or "") or self.cursor
        if "answer_cursor" in self._incremental:
            high = self._told_cursor(reply)
        return Page(
            records,
            resume=self._resume(following),
            cursor=high,
            ordered=bool(self._incremental.get("ordered"))
            and not self._told_path
            and "answer_cursor" not in self._incremental,
            bad=bad,
        )

    def _told_cursor(self, reply: Reply) -> str | None:
        """What the first answer names; a later one may name a moment that its own records had not seen."""
        if self._told is None:
            told = get(reply.data, self._incremental["answer_cursor"])
            self._told = str(told) if told not in (None, "") else self.cursor
        return self._told

    def _newer(self, records: list[Record]) -> list[Record]:
        assert self.cursor is not None
        start = self.source.form.back(self.cursor, self._incremental.get("overlap_seconds", 0))
        return [record for record in records if not self._high.is_before(record, start)]

    def _resume(self, following: State | None) -> dict[str, Any] | None:
        if following is None:
            return None
        resume = {"at": following, "from": self.cursor, "high": self._high.value}
        if self._told is not None:
            resume["told"] = self._told
        return {**resume, "print": self._print} if self._seen else resume


def _step(state: State) -> bytes:
    """A short mark of the token or address that a state leads to; nothing for states that count."""
    place = state.get("url", state.get("next"))
    return hashlib.blake2b(repr(place).encode("utf-8", "surrogatepass"), digest_size=8).digest() if place else b""


def fingerprint(items: Sequence[Any]) -> str:
    """A short mark of a page: its first and last item and their number."""
    ends = repr((items[0], items[-1], len(items))).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(ends, digest_size=8).hexdigest()


def read_reply(reply: Reply) -> Reply:
    """The reply itself; raises when it is a refusal or holds no data."""
    if reply.failure:
        raise read_error(reply.failure)
    if reply.data is None and reply.answer.status != 204:
        why = reply.broken or "it is empty"
        raise TransientError(
            f"The answer cannot be read: {why}.", where=reply.answer.where, code="BROKEN", fix="It is asked for again."
        )
    return reply


def _refuse_doubled(reply: Reply, items: Sequence[Any]) -> None:
    """Raise TransientError for a name that stands twice around the records, where paging is told."""
    doubled = find_doubled(reply.data, skip={id(item) for item in items}) if reply.careful else None
    if doubled is not None:
        raise TransientError(
            f"The answer cannot be read: {doubled!r} stands twice in it, with two values.",
            where=reply.answer.where,
            code="BROKEN",
            fix="It is asked for again.",
        )


def extract_items(data: Any, section: Mapping[str, Any]) -> list[Any]:
    """The items of an answer; raises ConfigError when the answer has no such place."""
    path = section.get("records", "$")
    found = get(data, path)
    if section.get("single"):
        found = [] if found in (None, {}) else [found]
    elif isinstance(found, dict):
        found = _by_id(data, found, path, section)
    elif found is None:
        found = _nothing(data, path)
    if not isinstance(found, list):
        raise _no_list(path, found)
    item = section.get("item")
    return [get(entry, item) for entry in found] if item else found


def _by_id(data: Any, found: Mapping[str, Any], path: str, section: Mapping[str, Any]) -> list[Any]:
    """Records that are keyed by id, in the order that the answer states."""
    order = get(data, section["records_order"]) if "records_order" in section else None
    if order is not None:
        name = path.rpartition(".")[2]
        ids = [str(entry["id"]) for entry in order if entry.get("key", name) == name]
        return [found[key] for key in ids if key in found]
    if found and not all(isinstance(value, dict) for value in found.values()):
        raise _no_list(path, found)
    return list(found.values())


def _nothing(data: Any, path: str) -> list[Any]:
    """An answer without the list: fine when it is empty or says that there is nothing, else the path is wrong."""
    empty = not data or (isinstance(data, dict) and (path.split(".")[0] in data or not any(data.values())))
    if empty or path in ("", "$"):
        return []
    names = ", ".join(map(str, list(data)[:8])) if isinstance(data, dict) else type(data).__name__
    raise ConfigError(
        f"The answer has no list at {path!r}; it has: {names}.",
        where="records",
        fix="Correct `records`.",
        code="RECORDS",
    )


def _no_list(path: str, found: Any) -> ConfigError:
    kind = "one object" if isinstance(found, dict) else type(found).__name__
    return ConfigError(
        f"At {path!r} the answer holds {kind}, not a list of records.",
        where="records",
        fix="Correct `records`, or set `single: true` when the answer is one record.",
        code="RECORDS",
    )
