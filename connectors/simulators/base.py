"""The engine under the four simulators: requests, replies, refusals, routes, tables and the life of a request."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from threading import RLock
from typing import Any, ClassVar
from urllib.parse import unquote

from connectors.simulators import planted
from connectors.simulators.clock import Clock
from connectors.simulators.faults import FaultBoard, TransportFault
from connectors.simulators.firm import Firm, build_firm
from connectors.simulators.journal import Journal
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Problem, Row, Table


@dataclass(slots=True)
class Settings:
    """What a test may turn: the largest page, the life of a token in seconds, the calls a day (0: no limit).

    `locked_writes` is how many of the next writes meet a row that somebody else has locked, `rotates` whether a refresh
    token is replaced when it is used, `job_steps` how often an asynchronous job is asked before it moves on.
    """

    page_limit: int = 0
    token_seconds: int = 3600
    daily_limit: int = 0
    locked_writes: int = 0
    rotates: int = 0
    job_steps: int = 1
    # requests at once, and rows that one query can reach
    concurrency: int = 0
    row_limit: int = 0


@dataclass(frozen=True, slots=True)
class Drift:
    """A change of the model that nobody announced: what reads show for one field."""

    object: str
    field: str
    action: str
    to: Any = None


Handler = Callable[..., Reply]


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """Serve `template`, in which `{name}` stands for one part of the path and is passed on under its name."""
    pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))

    def mark(handler: Handler) -> Handler:
        handler.route = (method, pattern)  # type: ignore[attr-defined]
        return handler

    return mark


class Simulator(ABC):
    """One simulated system: tables, a guard at the door, and its own words for what goes wrong."""

    system: ClassVar[str]
    label: ClassVar[str]
    kinds: ClassVar[tuple[ObjectType, ...]]
    # kind of refusal -> (HTTP status, the system's own code)
    WORDS: ClassVar[Mapping[str, tuple[int, str]]]
    _routes: ClassVar[list[tuple[str, re.Pattern[str], str]]]

    def __init_subclass__(cls) -> None:
        found = {name: handler for kind in reversed(cls.__mro__) for name, handler in vars(kind).items()}
        cls._routes = [(*handler.route, name) for name, handler in found.items() if hasattr(handler, "route")]

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = RLock()
        self.faults, self.journal, self.settings = FaultBoard(), Journal(), Settings()
        self.drifts: list[Drift] = []
        self.firm: Firm | None = None
        self.tables: dict[str, Table] = {kind.name: Table(kind) for kind in self.kinds}
        self._numbers: dict[str, int] = {}
        # Told of every write and every seeding; see `memory.py`.
        self.remember: Callable[[str, str, str, Row | None, datetime], None] = lambda *write: None
        self.forget: Callable[[str, Mapping[str, Any]], None] = lambda system, seeding: None

    # What a system must tell about itself

    @abstractmethod
    def guard(self, request: Request) -> None:
        """Raise Refusal("unauthorised") unless the request may pass."""

    @abstractmethod
    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        """The body of an error, in the house style."""

    @abstractmethod
    def stamp(self, instant: datetime) -> str:
        """An instant as this system writes it."""

    @abstractmethod
    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        """The firm as this system knows it, by object."""

    @abstractmethod
    def new_id(self, kind: ObjectType, n: int) -> str:
        """The id of the n-th row of an object."""

    def credentials(self) -> dict[str, str]:
        """What a connection to this system may sign in with, by the names of the form's fields."""
        return {}

    def act(self, name: str, spec: Mapping[str, Any]) -> Any:
        """Let somebody do something inside the system that no request of its API can do; ValueError where nobody can."""
        raise ValueError(f"Nobody can {name} in this system.")

    def revoke_tokens(self) -> None:  # noqa: B027 - systems with fixed keys have nothing to revoke
        """Forget every token handed out."""

    def deliver(self) -> list[dict[str, Any]]:
        """Send the notifications that are due; how each was answered."""
        return []

    def throttled(self, retry_after: int | None) -> Refusal:
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return Refusal("throttled", "Too many requests.", headers=headers)

    # The life of a request

    def answer(self, request: Request) -> Reply:
        """Never raises: journal, transport faults, guard, handler."""
        started = time.monotonic()
        fired = self.faults.take(request.method, request.target, request.body)
        reply = self._with_faults(request, fired)
        self.journal.add(
            at=self.clock.now(), request=request, status=0 if reply.drop else reply.status,
            seconds=time.monotonic() - started, faults=[fault.id for fault in fired],
        )  # fmt: skip
        return reply

    def _with_faults(self, request: Request, fired: list[TransportFault]) -> Reply:
        for fault in fired:
            if (reply := self._before(fault)) is not None:
                return reply
        reply = self._dispatch(request)
        for fault in fired:
            self._after(fault, reply)
        return reply

    def _before(self, fault: TransportFault) -> Reply | None:
        match fault.kind:
            case "latency":
                time.sleep(fault.seconds)
            case "drop" if fault.when == "before":
                return Reply(drop=True)
            case "status":
                kind = {429: "throttled"}.get(fault.status, "server")
                return self._refused(Refusal(kind, fault.message, headers=fault.headers()), status=fault.status)
            case "throttle":
                return self._refused(self.throttled(fault.retry_after))
            case "html":
                return Reply(fault.status, fault.page(), {"Content-Type": "text/html; charset=utf-8"})
            case "expire_token":
                self.revoke_tokens()
                return self._refused(Refusal("unauthorised", "Session expired or invalid"))
        return None

    def _after(self, fault: TransportFault, reply: Reply) -> None:
        match fault.kind:
            case "drop":
                reply.drop = True
            case "partial":
                reply.cut = fault.keep_bytes
            case "truncate":
                body = reply.payload()
                reply.headers.setdefault("Content-Type", "application/json")
                reply.body = body[: min(fault.keep_bytes, len(body) // 2)]

    def _dispatch(self, request: Request) -> Reply:
        with self.lock:
            try:
                return self._route(request)
            except Refusal as refusal:
                return self._refused(refusal)
            except Problem as problem:
                return self._refused(Refusal(problem.kind, problem.message, field=problem.field))

    def _route(self, request: Request) -> Reply:
        matches = ((method, pattern.fullmatch(request.path), name) for method, pattern, name in self._routes)
        fits = [(method, found, name) for method, found, name in matches if found]
        if not fits:
            self.guard(request)
            raise Refusal("not_found", f"There is nothing at {request.path}.")
        for method, found, name in fits:
            if method == request.method:
                return self._call(getattr(self, name), request, found)
        raise Refusal("method", f"{request.method} is not allowed here.")

    def _call(self, handler: Handler, request: Request, found: re.Match[str]) -> Reply:
        if not getattr(handler, "open_door", False):
            self.guard(request)
        return handler(request, **{name: unquote(part) for name, part in found.groupdict().items()})

    def _refused(self, refusal: Refusal, status: int | None = None) -> Reply:
        known_status, code = self.WORDS[refusal.kind]
        status = status or known_status
        return Reply(status, self.error_body(status, code, refusal), {**self.error_headers(refusal), **refusal.headers})

    def error_headers(self, refusal: Refusal) -> dict[str, str]:
        return {}

    # Data

    def seed(self, profile: str, *, seed: int, today: date) -> None:
        """Fill all tables with the firm, faults included; what was written before is gone."""
        firm = _firm(profile, seed, today)
        with self.lock:
            self.firm, self._numbers = firm, {}
            self.tables = {kind.name: Table(kind) for kind in self.kinds}
            rows = {name: {stamped.key: stamped for stamped in items} for name, items in self.seed_rows(firm).items()}
            planted.spoil(self.system, rows, firm)
            for name, items in rows.items():
                for stamped in items.values():
                    self._load(self.tables[name], stamped)

    def _load(self, table: Table, stamped: Stamped) -> None:
        if table.kind.modified:
            stamped.row[table.kind.modified] = self.stamp(stamped.changed_at)
        table.load(stamped.row, stamped.changed_at)

    def insert(self, kind: ObjectType, values: Row) -> Row:
        """A new row with defaults, a fresh id and the time of now."""
        table, now = self.tables[kind.name], self.clock.now()
        n = self._numbers.get(kind.name, 0) + 1
        self.check_references(kind, values)
        row: Row = {f.name: None for f in kind.fields} | values | {kind.key: self.new_id(kind, 900_000 + n)}
        if kind.modified:
            row[kind.modified] = self.stamp(now)
        inserted = table.insert(self.derive(kind, row, None), now)
        self._numbers[kind.name] = n
        self.remember(self.system, kind.name, str(inserted[kind.key]), inserted, now)
        return inserted

    def update(self, kind: ObjectType, key: str, changes: Row) -> Row:
        table, now = self.tables[kind.name], self.clock.now()
        self.check_references(kind, changes)
        stamp = {kind.modified: self.stamp(now)} if kind.modified else {}
        merged = self.derive(kind, {**table.rows[key], **changes, **stamp}, table.rows[key])
        row = table.update(key, merged, now)
        self.remember(self.system, kind.name, key, row, now)
        return row

    def delete(self, kind: ObjectType, key: str) -> None:
        now = self.clock.now()
        self.tables[kind.name].delete(key, now)
        self.remember(self.system, kind.name, key, None, now)

    def recall(self, object_name: str, key: str, row: Row | None, at: datetime) -> None:
        """Take over a write of an earlier process; `row` is None for a deletion."""
        table = self.tables[object_name]
        if row is None:
            table.delete(key, at)
            return
        if key not in table.rows:
            self._numbers[object_name] = self._numbers.get(object_name, 0) + 1
        table.load(row, at)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        """Fields that the system computes on every write; refuses what its business rules forbid."""
        return row

    def check_references(self, kind: ObjectType, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            field_ = kind.field(name)
            if field_ and field_.references and value not in (None, ""):
                target, _, by = field_.references.partition(".")
                if not self.tables[target].find(by or self.tables[target].kind.key, value):
                    raise Problem("reference", name, f"{name} {value} could not be found in {target}.")

    def table(self, name: str) -> Table:
        if name not in self.tables:
            raise Refusal("not_found", f"There is no object {name}.")
        return self.tables[name]

    def row(self, table: Table, key: str) -> Row:
        if key not in table.rows:
            raise Refusal("not_found", f"{table.kind.name} {key} does not exist.")
        return table.rows[key]

    def shown(self, kind: ObjectType, row: Row) -> Row:
        """`row` as a read shows it, with unannounced changes of the model applied."""
        drifts = [drift for drift in self.drifts if drift.object == kind.name]
        return _drifted(dict(row), drifts) if drifts else row

    def page_size(self, asked: str | None, *, default: int, ceiling: int) -> int:
        size = int(asked) if asked and asked.isdecimal() else default
        return max(1, min(size, self.settings.page_limit or ceiling, ceiling))


@lru_cache(maxsize=1)
def _firm(profile: str, seed: int, today: date) -> Firm:
    """The four systems of a process share one firm; nobody changes it after it is built."""
    return build_firm(profile, seed=seed, today=today)


def open_door(handler: Handler) -> Handler:
    """Let requests through that show no credentials, such as the call for a token."""
    handler.open_door = True  # type: ignore[attr-defined]
    return handler


def _drifted(row: Row, drifts: list[Drift]) -> Row:
    for drift in drifts:
        match drift.action:
            case "drop":
                row.pop(drift.field, None)
            case "rename" if drift.field in row:
                row[str(drift.to)] = row.pop(drift.field)
            case "set":
                row[drift.field] = drift.to
            case "text" if row.get(drift.field) is not None:
                row[drift.field] = str(row[drift.field])
    return row
