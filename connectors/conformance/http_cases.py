"""The cases of every protocol that speaks HTTP. What is particular to a protocol stands in its dialect."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.base import Connector
from connectors.catalog import Declaration
from connectors.conformance.cases import Case, Finding, Verdict, register_case
from connectors.conformance.server import Answer, HostileServer, Request
from hub.common.errors import HubError
from hub.common.records import Page, Record, StreamSpec

PAGE_SIZE = 3
TIMEOUT_SECONDS = 1.0
MAX_RESPONSE_BYTES = 2_000_000
# What is read at a time, decompressed and parsed, may stand in memory together a few times.
MEMORY_LIMIT_BYTES = 8 * MAX_RESPONSE_BYTES
BOMB_BYTES = 200_000_000
# No honest reading of these few pages takes as many requests.
MOST_REQUESTS = 60
OTHER_HOST = "127.0.0.2"

_LOGIN_PAGE = (
    b"<!doctype html><html><head><title>Sign in</title></head><body><form method=post>"
    b"<input name=user><input type=password name=password></form></body></html>"
)
_XML_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "boom">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]><b>&a9;</b>"
)

# How a stream tells what comes next: not at all, by an address, by a token, or by counting.
Layout = Literal["none", "link", "token", "count"]


class Dialect(ABC):
    """How a protocol speaks, so that the hostile server's honest pages are believed."""

    @abstractmethod
    def streams(self, declaration: Declaration) -> Sequence[str]:
        """The streams to try: one of each way of paging is enough."""

    @abstractmethod
    def layout(self, declaration: Declaration, stream: str) -> Layout:
        """How the stream tells what comes next."""

    @abstractmethod
    def connect(self, declaration: Declaration, stream: str, url: str) -> Connector:
        """A connector that follows the declaration at `url`, with the limits of this module and loopback open."""

    @abstractmethod
    def record(self, declaration: Declaration, stream: str, number: int, text: str) -> Record:
        """An honest record; `text` stands in its field `conformance_text`."""

    @abstractmethod
    def page(
        self, declaration: Declaration, stream: str, request: Request, records: Sequence[Record], following: str
    ) -> Answer:
        """An honest page. `following` is the token or address of the next page, empty on the last one."""

    def ids(self, declaration: Declaration, stream: str, records: Iterable[Record]) -> list[str]:
        """What tells the records apart."""
        return [str(record["conformance_id"]) for record in records]

    def double_a_name(self, body: bytes) -> bytes:
        """The body with one field of its first record stated twice, with another value."""
        raise NotImplementedError


_DIALECTS: dict[str, Dialect] = {}


def register_dialect(protocol: str, dialect: Dialect) -> None:
    """Let a protocol take part in the cases of this module."""
    _DIALECTS[protocol] = dialect


@dataclass(slots=True)
class Trial:
    """One stream of a declaration at a hostile server, and what was read of it."""

    declaration: Declaration
    stream: str
    dialect: Dialect
    pages: list[Page] = field(default_factory=list)
    error: HubError | None = None
    peak_bytes: int = 0
    requests: int = 0

    @property
    def layout(self) -> Layout:
        return self.dialect.layout(self.declaration, self.stream)

    def records(self, count: int, start: int = 0, text: str = "Zoë €") -> list[Record]:
        return [self.dialect.record(self.declaration, self.stream, start + n, text) for n in range(count)]

    def page(self, request: Request, records: Sequence[Record], following: str = "") -> Answer:
        return self.dialect.page(self.declaration, self.stream, request, records, following)

    def only_page(self, request: Request, count: int, server: HostileServer) -> Answer:
        """The one page there is; whoever counts on gets an empty one."""
        return self.page(request, self.records(count if len(server.requests) == 1 else 0))

    def read(self, server: HostileServer, *, watch_memory: bool = False) -> None:
        """Read the stream to its end or to the error; `pages`, `error` and `peak_bytes` then say what happened."""
        connector = self.dialect.connect(self.declaration, self.stream, server.url)
        if watch_memory:
            tracemalloc.start()
        try:
            for page in connector.read(StreamSpec(self.stream, page_size=PAGE_SIZE), cursor=None):
                self.pages.append(page)
                if len(server.requests) > MOST_REQUESTS:
                    break
        except HubError as error:
            self.error = error
        finally:
            if watch_memory:
                self.peak_bytes = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
            self.requests = len(server.requests)
            connector.close()

    # What must be true -----------------------------------------------------------------------------------------

    def got(self) -> list[str]:
        found = [record for page in self.pages for record in page.records]
        return self.dialect.ids(self.declaration, self.stream, found)

    def refused(self, *codes: str) -> str:
        """Why the reading did not end in one of these errors with a sentence; empty text when it did."""
        if self.error is None:
            return f"It was taken without a word ({len(self.got())} records, {self.requests} requests)."
        if codes and self.error.code not in codes:
            return f"It ended in {self.error.code}, not in {' or '.join(codes)}: {self.error}"
        words = self.error.what.split()
        is_sentence = len(words) >= 4 and words[0][:1].isupper()
        return "" if is_sentence else f"That is no sentence: {self.error.what!r}"

    def lost_nothing(self, sent: int) -> str:
        """Why records that were read before the trouble are not whole, or their crawl counts as finished."""
        if self.got() != self.dialect.ids(self.declaration, self.stream, self.records(sent)):
            return f"Of {sent} records before the trouble, these arrived: {', '.join(self.got()) or 'none'}."
        if any(page.resume is None for page in self.pages):
            return "The reading counts as complete, although it was not."
        return ""

    def finding(self, case: str, *reasons: str) -> Finding:
        wrong = " ".join(filter(None, reasons))
        verdict: Verdict = "failed" if wrong else "passed"
        return Finding(case, self.stream, verdict, wrong or str(self.error or "Everything was read once."))


class NotApplicable(Exception):
    """The case has no meaning for this protocol; the text says why."""


Body = Callable[[Trial], Iterable[str]]


def http_case(does: str, must: str, *, layouts: frozenset[str] = frozenset()) -> Callable[[Body], Case]:
    """Make a case of a function that tries one stream and yields what is wrong; its name is the case's."""

    def mark(body: Body) -> Case:
        name = body.__name__

        def run(declaration: Declaration) -> Iterator[Finding]:
            dialect = _DIALECTS[declaration.protocol]
            for stream in dialect.streams(declaration):
                trial = Trial(declaration, stream, dialect)
                try:
                    if layouts and trial.layout not in layouts:
                        raise NotApplicable(f"It is about paging by {' or '.join(sorted(layouts))}.")
                    yield trial.finding(name, *body(trial))
                except NotApplicable as why:
                    yield Finding(name, stream, "not applicable", str(why))

        return register_case(Case(name, does, must, _DIALECTS.keys(), run))

    return mark


# --- paging --------------------------------------------------------------------------------------------------------

_NEXT = "conformance-next"


@http_case(
    "Every page names the same next page, for ever.",
    "The reading stops with a sentence after a few requests, and does not count as complete.",
    layouts=frozenset({"link", "token", "count"}),
)
def endless_page_loop(trial: Trial) -> Iterator[str]:
    with HostileServer(
        lambda request: trial.page(request, trial.records(PAGE_SIZE), f"{server.url}/{_NEXT}")
    ) as server:
        trial.read(server)
    yield trial.refused("ENDLESS")
    yield "" if trial.requests <= 4 else f"It took {trial.requests} requests to notice."
    complete = any(page.resume is None for page in trial.pages)
    yield "The reading counts as complete, although it was not." if complete else ""


@http_case(
    "Two pages lead to each other, with records that look new each time.",
    "The reading stops with a sentence when a token or address comes back.",
    layouts=frozenset({"link", "token"}),
)
def page_loop_of_two(trial: Trial) -> Iterator[str]:
    def answer(request: Request) -> Answer:
        number = len(server.requests) - 1
        records = trial.records(PAGE_SIZE, start=number * PAGE_SIZE)
        return trial.page(request, records, f"{server.url}/{_NEXT}{number % 2}")

    with HostileServer(answer) as server:
        trial.read(server)
    yield trial.refused("ENDLESS")


@http_case(
    "All records come in the first answer, however small a page was asked for.",
    "Each record is read once, and the reading ends.",
    layouts=frozenset({"link", "token", "count"}),
)
def page_size_ignored(trial: Trial) -> Iterator[str]:
    count = 4 * PAGE_SIZE
    with HostileServer(lambda request: trial.page(request, trial.records(count))) as server:
        trial.read(server)
    yield f"It ended in an error: {trial.error}" if trial.error else ""
    yield "" if trial.got() == _ids(trial, count) else f"{len(trial.got())} of {count} records arrived."
    yield "" if trial.pages[-1:] and trial.pages[-1].resume is None else "The reading did not end."


@http_case(
    "The address of the next page leads to another host.",
    "That host is never asked, and learns no credentials; the first page is kept.",
    layouts=frozenset({"link"}),
)
def next_link_to_another_host(trial: Trial) -> Iterator[str]:
    with HostileServer(lambda request: Answer(b"{}"), OTHER_HOST) as stranger:
        link = f"{stranger.url}/{_NEXT}"
        with HostileServer(lambda request: trial.page(request, trial.records(PAGE_SIZE), link)) as server:
            trial.read(server)
        yield "The other host was asked." if stranger.requests else ""
    yield trial.refused("STRANGE_HOST")
    yield trial.lost_nothing(PAGE_SIZE)


@http_case(
    "The answer is a redirect to a private address.",
    "It is not followed; a sentence says where it leads.",
)
def redirect_to_a_private_address(trial: Trial) -> Iterator[str]:
    with HostileServer(lambda request: Answer(b"{}"), OTHER_HOST) as inner:
        redirect = Answer(status=302, headers={"Location": f"{inner.url}/latest/meta-data"})
        with HostileServer(lambda request: redirect) as server:
            trial.read(server)
        yield "The private address was asked." if inner.requests else ""
    yield trial.refused()
    yield trial.lost_nothing(0)


# --- bodies --------------------------------------------------------------------------------------------------------


@http_case(
    f"A small compressed answer unfolds to {BOMB_BYTES // 1_000_000} MB.",
    "It is given up at `limits.max_response_bytes`, and memory stays within a few times of that.",
)
def gzip_bomb(trial: Trial) -> Iterator[str]:
    bomb = Answer(_bomb(), headers={"Content-Encoding": "gzip"})
    with HostileServer(lambda request: bomb) as server:
        trial.read(server, watch_memory=True)
    yield trial.refused("TOO_LARGE")
    yield trial.lost_nothing(0)
    yield "" if trial.peak_bytes < MEMORY_LIMIT_BYTES else f"{trial.peak_bytes:,} bytes of memory were used."


@http_case(
    "The answer comes byte by byte, each in time for a time-out of its own.",
    "The deadline holds for the whole answer.",
)
def slow_body(trial: Trial) -> Iterator[str]:
    with HostileServer(lambda request: _slow(trial.page(request, trial.records(PAGE_SIZE)))) as server:
        trial.read(server)
        yield "It was waited for to the end." if server.sent_whole else ""
    yield trial.refused("TIMEOUT")
    yield trial.lost_nothing(0)


@http_case(
    "The answer is XML whose entities unfold to gigabytes.",
    "It is refused without unfolding.",
)
def xml_bomb(trial: Trial) -> Iterator[str]:
    bomb = Answer(_XML_BOMB, headers={"Content-Type": "text/xml; charset=utf-8"})
    with HostileServer(lambda request: bomb) as server:
        trial.read(server, watch_memory=True)
    yield trial.refused()
    yield trial.lost_nothing(0)
    yield "" if trial.peak_bytes < MEMORY_LIMIT_BYTES else f"{trial.peak_bytes:,} bytes of memory were used."


@http_case(
    "A sign-in page comes with status 200.",
    "It is known for a refused sign-in, not for an empty list.",
)
def login_page_with_200(trial: Trial) -> Iterator[str]:
    with HostileServer(lambda request: Answer(_LOGIN_PAGE, headers={"Content-Type": "text/html"})) as server:
        trial.read(server)
    yield trial.refused("AUTH_DENIED")
    yield trial.lost_nothing(0)


@http_case(
    "The answer says UTF-8, but is written in Latin-1.",
    "It is refused whole: a guess would spoil names.",
)
def wrong_charset(trial: Trial) -> Iterator[str]:
    with HostileServer(lambda request: _in_latin1(trial, request)) as server:
        trial.read(server)
    yield trial.refused()
    yield trial.lost_nothing(0)


@http_case(
    "The answer says Latin-1, but is written in UTF-8.",
    "Every character arrives as it was sent.",
)
def charset_that_lies(trial: Trial) -> Iterator[str]:
    def answer(request: Request) -> Answer:
        page = trial.only_page(request, 1, server)
        kind = page.headers.get("Content-Type", "application/json").partition(";")[0]
        return Answer(page.body, page.status, {**page.headers, "Content-Type": f"{kind}; charset=iso-8859-1"})

    with HostileServer(answer) as server:
        trial.read(server)
    texts = {record.get("conformance_text") for page in trial.pages for record in page.records}
    yield f"It ended in an error: {trial.error}" if trial.error else ""
    yield "" if texts == {"Zoë €"} else f"The text arrived as {texts}."


@http_case(
    "One record states a field twice, with two values.",
    "That record is set aside with a sentence; the others are read.",
)
def duplicate_names(trial: Trial) -> Iterator[str]:
    if type(trial.dialect).double_a_name is Dialect.double_a_name:
        raise NotApplicable("No field can be stated twice in this protocol.")

    def answer(request: Request) -> Answer:
        page = trial.only_page(request, 2, server)
        return Answer(trial.dialect.double_a_name(page.body), page.status, page.headers)

    with HostileServer(answer) as server:
        trial.read(server)
    bad = [bad for page in trial.pages for bad in page.bad]
    yield f"It ended in an error: {trial.error}" if trial.error else ""
    yield "" if len(bad) == 1 and bad[0].raw else f"{len(bad)} records were set aside, not one."
    # an answer that is one record holds no others
    others = [] if trial.declaration.streams[trial.stream].get("single") else _ids(trial, 2)[1:]
    yield "" if trial.got() == others else f"Read were: {', '.join(trial.got()) or 'none'}."


def _ids(trial: Trial, count: int) -> list[str]:
    return trial.dialect.ids(trial.declaration, trial.stream, trial.records(count))


def _slow(answer: Answer) -> Answer:
    return Answer(answer.body + b" " * 10_000, answer.status, answer.headers, drips=True)


def _in_latin1(trial: Trial, request: Request) -> Answer:
    page = trial.page(request, trial.records(1, text="Zoë"))
    return Answer(page.body.decode().encode("latin1"), page.status, page.headers)


_bombs: list[bytes] = []
_bomb_lock = threading.Lock()


def _bomb() -> bytes:
    """Blanks without end, compressed; made once."""
    with _bomb_lock:
        if not _bombs:
            part = gzip.compress(b" " * 1_000_000)
            _bombs.append(part * (BOMB_BYTES // 1_000_000))
        return _bombs[0]
