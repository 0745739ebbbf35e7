"""Simulated Coupa: fifty records at a time, conditions in brackets, and an export mark that is a request of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from connectors.simulators import coupa_data
from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request, parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import ObjectType, Problem, Row, Table
from connectors.simulators.tokens import TokenBook

CLIENT_ID, CLIENT_SECRET = "coupa-client", "demo-coupa-secret"
SCOPES = frozenset(
    f"core.{name}.{right}"
    for name in ("supplier", "purchase_order", "invoice", "expense", "requisition", "user")
    for right in ("read", "write")
)
LIMIT = 50
_CONDITION = re.compile(r"([a-z_]+)((?:\[[a-z_]+\])*)")
_OPERATORS = frozenset({"not_eq", "gt", "gt_or_eq", "lt", "lt_or_eq", "in", "contains", "starts_with", "blank"})
_NO_CONDITIONS = frozenset({"limit", "offset", "order_by", "dir", "fields", "return_object"})


class CoupaSimulator(Simulator):
    system, label = "coupa", "Simulated Coupa"
    kinds = coupa_data.KINDS
    WORDS = {
        "malformed": (400, "base"),
        "filter": (400, "base"),
        "grant": (401, "invalid_client"),
        "scope": (400, "invalid_scope"),
        "unauthorised": (401, "base"),
        "not_found": (404, "base"),
        "method": (405, "base"),
        "throttled": (429, "base"),
        "server": (500, "base"),
        "unknown": (400, "base"),
        "read_only": (400, "base"),
        "required": (400, "base"),
        "length": (400, "base"),
        "value": (400, "base"),
        "duplicate": (400, "base"),
        "reference": (400, "base"),
        "rule": (400, "base"),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("coupa-access-", clock)

    # House style

    def credentials(self) -> dict[str, str]:
        return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def guard(self, request: Request) -> None:
        if not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "Access token is invalid or has expired.")

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        if refusal.kind in ("grant", "scope"):
            return {"error": code, "error_description": refusal.message}
        return {"errors": {refusal.field or code: [refusal.message]}}

    def throttled(self, retry_after: int | None) -> Refusal:
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return Refusal("throttled", "Too many requests.", headers=headers)

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    def stamp(self, instant: datetime) -> str:
        return coupa_data.stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> Any:
        return coupa_data.number(kind.name, n)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        return coupa_data.rows(firm)

    def answer(self, request: Request) -> Reply:
        """Whoever asks for XML gets it, errors included."""
        reply = super().answer(request)
        if "xml" in request.headers.get("accept", "") and isinstance(reply.body, list | dict):
            reply.body, reply.headers = _xml(request, reply.body), {**reply.headers, "Content-Type": "application/xml"}
        return reply

    # Signing in

    @route("POST", "/oauth2/token")
    @open_door
    def post_token(self, request: Request) -> Reply:
        form = request.form()
        client = (form.get("client_id", ""), form.get("client_secret", "")) if "client_id" in form else request.basic()
        if form.get("grant_type") != "client_credentials" or client != (CLIENT_ID, CLIENT_SECRET):
            raise Refusal("grant", "Client authentication failed due to unknown client or wrong secret.")
        scopes = form.get("scope", "").split()
        if not scopes or not set(scopes) <= SCOPES:
            raise Refusal("scope", "The requested scope is invalid, unknown, or malformed.")
        seconds = self.settings.token_seconds
        token = self.tokens.issue(seconds)
        return Reply(
            200, {"access_token": token, "token_type": "bearer", "expires_in": seconds, "scope": " ".join(scopes)}
        )

    # Reading

    @route("GET", "/api/{name}")
    def get_list(self, request: Request, name: str) -> Reply:
        table, query = self.table(name), request.query
        rows = [row for row in table.by_change() if all(_holds(row, *condition) for condition in _conditions(query))]
        order = query.get("order_by", "id").replace("_", "-")
        if table.kind.field(order) is None:
            raise Refusal("filter", f"{order} cannot be sorted by.")
        rows.sort(key=lambda row: (row[order] is not None, row[order]), reverse=query.get("dir") == "desc")
        offset = query.get("offset", "0")
        if not offset.isdecimal():
            raise Refusal("filter", "offset must be a whole number.")
        size = self.page_size(query.get("limit"), default=LIMIT, ceiling=LIMIT)
        page = rows[int(offset) : int(offset) + size]
        return Reply(200, [self._chosen(self.shown(table.kind, row), query.get("fields", "")) for row in page])

    @route("GET", "/api/{name}/{key}")
    def get_one(self, request: Request, name: str, key: str) -> Reply:
        table = self.table(name)
        return Reply(200, self.shown(table.kind, self.row(table, key)))

    def _chosen(self, row: Row, fields: str) -> Row:
        """`fields` is JSON: names, and objects that choose within what they name."""
        if not fields:
            return row
        try:
            wanted = json.loads(fields)
        except ValueError:
            raise Refusal("filter", "fields must be JSON.") from None
        return _picked(row, wanted)

    # Writing

    @route("POST", "/api/{name}")
    def post_one(self, request: Request, name: str) -> Reply:
        table = self.table(name)
        values = self._values(table, request)
        self._check_supplier(values)
        row = self.insert(table.kind, values)
        return Reply(201, self.shown(table.kind, row))

    @route("PUT", "/api/{name}/{key}")
    def put_one(self, request: Request, name: str, key: str) -> Reply:
        """With `exported` in the address this is a mark and nothing else: whatever the body holds is ignored."""
        table = self.table(name)
        self.row(table, key)
        if "exported" in request.query:
            return Reply(200, self.shown(table.kind, self._mark(table, key, request.query["exported"] == "true")))
        values = self._values(table, request)
        self._check_supplier(values)
        return Reply(200, self.shown(table.kind, self.update(table.kind, key, values)))

    def _mark(self, table: Table, key: str, exported: bool) -> Row:
        if table.kind.name not in coupa_data.EXPORTABLE:
            raise Refusal("rule", f"{table.kind.name} are not exported.", field="exported")
        at = self.stamp(self.clock.now()) if exported else None
        return self.update(table.kind, key, {"exported": exported, "last-exported-at": at})

    def insert(self, kind: ObjectType, values: Row) -> Row:
        own: Row = {"created-at": self.stamp(self.clock.now())}
        if kind.field("exported"):
            own |= {"exported": False}
        if kind is coupa_data.ORDERS:
            own |= {"po-number": str(8_000 + len(self.tables[kind.name].rows)), "version": 1}
        if kind.field("status") and "status" not in values:
            own |= {"status": "draft"}
        return super().insert(kind, {**values, **own})

    def _check_supplier(self, values: Mapping[str, Any]) -> None:
        supplier = values.get("supplier")
        if not isinstance(supplier, dict):
            return
        by = "id" if "id" in supplier else "number" if "number" in supplier else "name"
        if not self.tables["suppliers"].find(by, supplier.get(by)):
            raise Problem("reference", "supplier", f"Supplier {supplier.get(by)} could not be found.")

    def _values(self, table: Table, request: Request) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("malformed", "The body must be an object.")
        return table.check_values({name: _number(table.kind, name, value) for name, value in body.items()})


def _number(kind: ObjectType, name: str, value: Any) -> Any:
    """Amounts may be written as text."""
    field = kind.field(name)
    if field is None or field.type != "decimal" or not isinstance(value, str):
        return value
    return Decimal(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else value


def _conditions(query: Mapping[str, str]) -> list[tuple[list[str], str, str]]:
    """(path, operator, value) of each condition; names have underscores in addresses and hyphens in records."""
    found = []
    for name, value in query.items():
        if name in _NO_CONDITIONS:
            continue
        match = _CONDITION.fullmatch(name)
        if match is None:
            raise Refusal("filter", f"The condition {name} cannot be read.")
        parts = [match[1], *re.findall(r"\[([a-z_]+)\]", match[2])]
        operator = parts.pop() if parts[-1] in _OPERATORS else "eq"
        found.append(([part.replace("_", "-") for part in parts], operator, value))
    return found


def _holds(row: Row, path: list[str], operator: str, wanted: str) -> bool:
    value: Any = row
    for part in path:
        if not isinstance(value, dict) or part not in value:
            raise Refusal("filter", f"{'.'.join(path)} is not a field that can be asked for.")
        value = value[part]
    match operator:
        case "blank":
            return (value in (None, "")) is (wanted == "true")
        case "in":
            return _text(value) in wanted.split(",")
        case "contains":
            return wanted.lower() in _text(value).lower()
        case "starts_with":
            return _text(value).lower().startswith(wanted.lower())
        case "eq" | "not_eq":
            return (_text(value) == wanted) is (operator == "eq")
    return value is not None and _compared(value, operator, wanted)


def _compared(value: Any, operator: str, wanted: str) -> bool:
    left: Any = str(value)
    right: Any = wanted
    read: Any = parse_instant if "T" in wanted else Decimal
    with suppress(ValueError, ArithmeticError):
        left, right = read(left), read(right)
    return bool(
        {"gt": left > right, "gt_or_eq": left >= right, "lt": left < right, "lt_or_eq": left <= right}[operator]
    )


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _picked(row: Any, wanted: Any) -> Any:
    if isinstance(row, list):
        return [_picked(each, wanted) for each in row]
    if not isinstance(row, dict):
        return row
    shown: Row = {}
    for each in wanted if isinstance(wanted, list) else []:
        if isinstance(each, str):
            shown[each] = row.get(each)
        elif isinstance(each, dict):
            shown |= {name: _picked(row.get(name), inner) for name, inner in each.items()}
    return shown


def _xml(request: Request, body: Any) -> bytes:
    """What JSON says, as Coupa writes it in XML: lists have a type, and each entry the name in the singular."""
    name = request.path.rstrip("/").split("/")[2].replace("_", "-") if request.path.startswith("/api/") else "response"
    root = name if isinstance(body, list) else "errors" if "errors" in body else name.removesuffix("s")
    return f'<?xml version="1.0" encoding="UTF-8"?>{_element(root, body)}'.encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        inner = "".join(_element(name.removesuffix("s"), each) for each in value)
        return f'<{name} type="array">{inner}</{name}>'
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(key, each) for key, each in value.items())}</{name}>"
    return f'<{name} nil="true"/>' if value is None else f"<{name}>{escape(_text(value))}</{name}>"
