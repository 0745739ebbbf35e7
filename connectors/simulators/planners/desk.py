"""What small REST systems have in common: flat records below one address. Each vendor states what is its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from connectors.simulators.base import Simulator
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Row, Table

_OF_A_RECORD = ("unknown", "read_only", "required", "length", "value", "duplicate", "reference", "rule")
# kinds of refusal -> status, where a vendor does not differ
USUAL_WORDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "Bad Request"),
    "unauthorised": (401, "Unauthorized"),
    "denied": (403, "Forbidden"),
    "not_found": (404, "Not Found"),
    "method": (405, "Method Not Allowed"),
    "throttled": (429, "Too Many Requests"),
    "server": (503, "Service Unavailable"),
    **dict.fromkeys(_OF_A_RECORD, (422, "Unprocessable Entity")),
}
Seed = Iterable[Row]
# by verb, and whether the address names one record
_Handlers = dict[tuple[str, bool], Callable[[Table, Request, str], Reply]]


def number(name: str, **more: Any) -> Field:
    return Field(name, "integer", **more)


def kind(name: str, key: str, modified: str, *fields: Field, writable: bool = True) -> ObjectType:
    """An object with a whole number as its id and a time of its last change."""
    own = (number(key, read_only=True), *fields, Field(modified, read_only=True))
    return ObjectType(name, own, key=key, modified=modified, writable=writable)


class DeskSimulator(Simulator):
    """Lists, reads, makes, changes and deletes records at `base`/OBJECT/ID. A request that is sent twice counts twice."""

    base: ClassVar[str]
    token: ClassVar[str]
    # verb that changes a record
    changes: ClassVar[str] = "PATCH"
    created_status: ClassVar[int] = 201
    # headers without which the system answers nothing
    demanded: ClassVar[Mapping[str, str]] = {}
    default_page: ClassVar[int]
    largest_page: ClassVar[int]
    # fields that are written under one name and shown under another
    hidden: ClassVar[frozenset[str]] = frozenset()
    WORDS = USUAL_WORDS

    @abstractmethod
    def page(self, table: Table, rows: list[Row], request: Request) -> Reply:
        """One page of the rows, in the vendor's envelope."""

    @abstractmethod
    def seeds(self, firm: Firm) -> dict[str, Seed]:
        """The rows of each object."""

    def guard(self, request: Request) -> None:
        if request.headers.get("authorization", "") != f"Bearer {self.token}":
            raise Refusal("unauthorised", "The token is not valid.")
        for name, message in self.demanded.items():
            if not request.headers.get(name):
                raise Refusal("malformed", message)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return str(n)

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        return {**row, kind.key: int(row[kind.key])}

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return {name: list(self._stamped(name, rows, firm)) for name, rows in self.seeds(firm).items()}

    def _stamped(self, name: str, rows: Seed, firm: Firm) -> Iterable[Stamped]:
        kind = self.tables[name].kind
        for n, row in enumerate(rows, start=1):
            whole = {field.name: None for field in kind.fields} | row
            yield Stamped(str(whole[kind.key]), self.complete(kind, whole), quiet_moment(firm, n))

    def complete(self, kind: ObjectType, row: Row) -> Row:
        """The parts of a row that follow from others, such as the name beside an id."""
        return row

    # The life of a request

    def _route(self, request: Request) -> Reply:
        if any(pattern.fullmatch(request.path) for _, pattern, _ in self._routes):
            return super()._route(request)
        self.guard(request)
        if not request.path.startswith(f"{self.base}/"):
            raise Refusal("not_found", f"There is nothing at {request.path}.")
        name, _, key = request.path.removeprefix(self.base).strip("/").partition("/")
        table = self.table(name)
        handler = self._handlers(table).get((request.method, bool(key)))
        if handler is None:
            raise Refusal("method", f"{request.method} is not allowed here.")
        return handler(table, request, key)

    def _handlers(self, table: Table) -> _Handlers:
        reads: _Handlers = {("GET", False): self._list, ("GET", True): self._one}
        writes: _Handlers = {
            ("POST", False): self._make,
            (self.changes, True): self._change,
            ("DELETE", True): self._remove,
        }
        return reads | writes if table.kind.writable else reads

    def _list(self, table: Table, request: Request, key: str) -> Reply:
        return self.page(table, self.selected(table, request.query), request)

    def selected(self, table: Table, query: Mapping[str, str]) -> list[Row]:
        """The rows that the parameters leave, in the vendor's order."""
        return list(table.rows.values())

    def _one(self, table: Table, request: Request, key: str) -> Reply:
        return Reply(200, self.single(table.kind, self.row(table, key)))

    def single(self, kind: ObjectType, row: Row) -> Any:
        return self.shown(kind, row)

    def shown(self, kind: ObjectType, row: Row) -> Row:
        return {name: value for name, value in super().shown(kind, row).items() if name not in self.hidden}

    def _make(self, table: Table, request: Request, key: str) -> Reply:
        row = self.insert(table.kind, self._values(table, request))
        return Reply(self.created_status, self.single(table.kind, row))

    def _change(self, table: Table, request: Request, key: str) -> Reply:
        self.judge_change(table.kind, self.row(table, key))
        return Reply(200, self.single(table.kind, self.update(table.kind, key, self._values(table, request))))

    def judge_change(self, kind: ObjectType, row: Row) -> None:
        """Refuse a change that the vendor's rules forbid."""

    def _remove(self, table: Table, request: Request, key: str) -> Reply:
        self.judge_change(table.kind, self.row(table, key))
        self.delete(table.kind, key)
        return Reply(204)

    def _values(self, table: Table, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        return table.check_values(body, strict=False)


def whole(query: Mapping[str, str], name: str, default: int) -> int:
    """A parameter that must be a whole number from zero."""
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise Refusal("malformed", f"{name} must be a whole number, not {text!r}.")
    return int(text)


def utc_seconds(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def plain_seconds(instant: datetime) -> str:
    """Without an offset, as some systems write times."""
    return instant.strftime("%Y-%m-%d %H:%M:%S")
