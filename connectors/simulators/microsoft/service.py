"""The OData engine under the simulated Microsoft services: sign-in, sets, keys, pages, versions, batches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode

from connectors.simulators import odata
from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.erp_data import stamp
from connectors.simulators.ids import erp_id
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.microsoft.batching import answer_batch
from connectors.simulators.microsoft.description import describe
from connectors.simulators.tables import Field, ObjectType, Row, Table
from connectors.simulators.tokens import TokenBook

CLIENT_ID, CLIENT_SECRET = "4c1b8a70-0d5e-4d7e-9a42-5e1f6f4f9d10", "demo-microsoft-secret"
TENANT = "harrowvale"
ETAG = "@odata.etag"
_ENTITY = re.compile(r"(?P<set>\w+)(?:\((?P<key>.*?)\))?(?:/(?P<action>[\w.]+))?")
_NAMED = re.compile(r"(\w+)=('(?:[^']|'')*'|[^,]*)")


class ODataService(Simulator):
    """Entity sets below ROOT (a pattern). What differs from service to service are the class attributes and hooks."""

    ROOT: ClassVar[str]
    SCOPE: ClassVar[str]
    NAMESPACE: ClassVar[str] = "Microsoft.NAV"
    # key fields of sets whose key is not the one field that `ObjectType.key` names
    KEYS: ClassVar[Mapping[str, Sequence[str]]] = {}
    ALTERNATE: ClassVar[Mapping[str, Sequence[str]]] = {}
    ENUMS: ClassVar[Mapping[str, Sequence[str]]] = {}
    MOST_IN_PAGE: ClassVar[int] = 5_000
    MOST_IN_BATCH: ClassVar[int] = 1_000
    NEEDS_IF_MATCH: ClassVar[bool] = False

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("eyJ0eXAiOiJKV1Qi.demo.", clock)
        self._versions = 1
        self._root = re.compile(f"(?P<root>{self.ROOT})(?:/(?P<rest>.*))?")

    def credentials(self) -> dict[str, str]:
        return {"tenant": TENANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    def stamp(self, instant: datetime) -> str:
        return stamp(instant)

    def new_id(self, kind: ObjectType, n: int) -> str:
        return erp_id(f"{self.system}/{kind.name}", f"new-{n}")

    def guard(self, request: Request) -> None:
        if not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "The access token is missing, unknown or has expired.")

    def recall(self, object_name: str, key: str, row: Row | None, at: datetime) -> None:
        super().recall(object_name, key, row, at)
        self._versions += 1

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        self._versions += 1
        row[ETAG] = f'W/"{self._versions}"'
        return row

    # Signing in

    @route("POST", "/{tenant}/oauth2/v2.0/token")
    @open_door
    def post_token(self, request: Request, tenant: str) -> Reply:
        form = request.form()
        client = (form.get("client_id", ""), form.get("client_secret", "")) if "client_id" in form else request.basic()
        if tenant != TENANT or form.get("grant_type") != "client_credentials" or not self.is_scope(form, request):
            return Reply(400, {"error": "invalid_request", "error_description": "AADSTS90014: tenant, grant or scope."})
        if client != (CLIENT_ID, CLIENT_SECRET):
            return Reply(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})
        seconds = self.settings.token_seconds
        return Reply(200, {"token_type": "Bearer", "expires_in": seconds, "access_token": self.tokens.issue(seconds)})

    def is_scope(self, form: Mapping[str, str], request: Request) -> bool:
        """A service of one's own is its own scope; shared services have one for all."""
        return form.get("scope") == (self.SCOPE or f"{request.origin}/.default")

    # Addresses

    def _route(self, request: Request) -> Reply:
        found = self._root.fullmatch(request.path)
        if not found:
            return super()._route(request)
        self.guard(request)
        self.check_place(found.groupdict())
        return self.serve(request, found["root"], unquote(found["rest"] or ""))

    def check_place(self, place: Mapping[str, str | None]) -> None:
        """Refuse addresses of a tenant, environment or company that is not there."""

    def serve(self, request: Request, root: str, rest: str) -> Reply:
        if rest == "$metadata":
            return Reply(200, self._described(), {"Content-Type": "application/xml"})
        if rest == "$batch":
            return answer_batch(self, request, root, most=self.MOST_IN_BATCH)
        found = _ENTITY.fullmatch(rest)
        if not found:
            raise Refusal("not_found", f"There is nothing at {request.path}.")
        table = self.table(found["set"])
        if found["action"]:
            return self.bound_action(request, table, self.located(table, found["key"] or ""), found["action"])
        if found["key"] is None:
            return self._on_set(request, table)
        return self._on_entity(request, table, found["key"])

    def bound_action(self, request: Request, table: Table, key: str | None, action: str) -> Reply:
        """A bound action."""
        raise Refusal("not_found", f"There is no action {action}.")

    def _on_set(self, request: Request, table: Table) -> Reply:
        match request.method:
            case "GET":
                return self.listed(request, table)
            case "POST":
                return self.posted(request, table, self.body(table, request))
        raise Refusal("method", f"{request.method} is not allowed on {table.kind.name}.")

    def _on_entity(self, request: Request, table: Table, predicate: str) -> Reply:
        key = self.located(table, predicate)
        match request.method:
            case "GET":
                return self._shown_one(request, table, self.present(table, key, predicate))
            case "PATCH":
                return self.patched(request, table, key, predicate)
            case "DELETE":
                row = self.present(table, key, predicate)
                self.check_version(row, request)
                self.delete(table.kind, str(row[table.kind.key]))
                return Reply(204)
        raise Refusal("method", f"{request.method} is not allowed on one of {table.kind.name}.")

    def key_names(self, kind: ObjectType) -> Sequence[str]:
        return self.KEYS.get(kind.name, (kind.key,))

    def key_values(self, predicate: str) -> dict[str, str]:
        """The named values in the brackets; empty when a bare value stands there."""
        found = _NAMED.findall(predicate) if "=" in predicate.partition("'")[0] else []
        return {name: _plain(value) for name, value in found}

    def located(self, table: Table, predicate: str) -> str | None:
        """The key in the table of the entity that the brackets name, None when it is not there."""
        named = self.key_values(predicate)
        if not named:
            bare = _plain(predicate)
            return bare if bare in table.rows else None
        key, alternate = set(self.key_names(table.kind)), set(self.ALTERNATE.get(table.kind.name, ()))
        if set(named) not in (key, alternate):
            raise Refusal("malformed", f"{', '.join(named)} is no key of {table.kind.name}.")
        return next((k for k, row in table.rows.items() if all(str(row[n]) == v for n, v in named.items())), None)

    def present(self, table: Table, key: str | None, predicate: str) -> Row:
        if key is None:
            raise Refusal("not_found", f"{table.kind.name}({predicate}) does not exist.")
        return table.rows[key]

    # Reading

    def listed(self, request: Request, table: Table) -> Reply:
        query = request.query
        try:
            rows = self.found(table, query)
        except odata.ODataError as error:
            raise Refusal("filter", str(error)) from None
        body: Row = {"@odata.context": f"{request.origin}/$metadata#{table.kind.name}"}
        if query.get("$count") == "true":
            body["@odata.count"] = len(rows)
        start = self._start(table, rows, query)
        asked = request.headers.get("prefer", "").partition("odata.maxpagesize=")[2].split(",")[0]
        end = start + self.page_size(asked, default=self.MOST_IN_PAGE, ceiling=self.MOST_IN_PAGE)
        chosen = {name.strip() for name in query.get("$select", "").split(",")} - {""}
        unknown = chosen - {field.name for field in table.kind.fields}
        if unknown:
            raise Refusal("filter", f"Could not find a property named '{min(unknown)}' on type '{table.kind.name}'.")
        body["value"] = [self.entity(request, table.kind, row, chosen) for row in rows[start:end]]
        if end < len(rows):
            onward = urlencode(query | {"$skiptoken": rows[end - 1][table.kind.key]}, quote_via=quote)
            body["@odata.nextLink"] = f"{request.origin}{request.path}?{onward}"
        return Reply(200, body, {"OData-Version": "4.0"})

    def found(self, table: Table, query: Mapping[str, str]) -> list[Row]:
        names = {field.name for field in table.kind.fields}
        order = odata.parse_order(query.get("$orderby", ""), names)
        test = odata.parse_filter(query["$filter"], names) if "$filter" in query else None
        by_change = bool(order) and order[0] == (table.kind.modified, False)
        key = table.kind.key
        rows = list(table.by_change()) if by_change else sorted(table.rows.values(), key=lambda row: str(row[key]))
        rows = [row for row in rows if test(row)] if test else rows
        for name, descending in [] if by_change else reversed(order):
            rows.sort(key=lambda row: (row[name] is not None, row[name]), reverse=descending)
        return rows

    def _start(self, table: Table, rows: Sequence[Row], query: Mapping[str, str]) -> int:
        token = query.get("$skiptoken")
        return next((n + 1 for n, row in enumerate(rows) if row[table.kind.key] == token), len(rows)) if token else 0

    def entity(self, request: Request, kind: ObjectType, row: Row, chosen: set[str] | None = None) -> Row:
        """A row as the service shows it; decimals as text when the caller asks for exact ones."""
        names = [field.name for field in kind.fields if not chosen or field.name in chosen]
        shown = self.shown(kind, row)
        picked = {name: shown[name] for name in names if name in shown}
        if _is_exact(request.headers.get("accept", "")):
            picked = {n: f"{v:f}" if isinstance(v, Decimal) else v for n, v in picked.items()}
        return {ETAG: row.get(ETAG, 'W/"1"'), **picked}

    def _shown_one(self, request: Request, table: Table, row: Row, status: int = 200) -> Reply:
        shown = self.entity(request, table.kind, row)
        return Reply(status, shown, {"ETag": shown[ETAG], "OData-Version": "4.0"})

    def _described(self) -> bytes:
        keys = {kind.name: self.key_names(kind) for kind in self.kinds}
        return describe(self.kinds, self.NAMESPACE, keys, alternate=self.ALTERNATE, enums=self.ENUMS)

    # Writing

    def posted(self, request: Request, table: Table, values: Row) -> Reply:
        return self._shown_one(request, table, self.insert(table.kind, values), 201)

    def patched(self, request: Request, table: Table, key: str | None, predicate: str) -> Reply:
        row = self.present(table, key, predicate)
        self.check_version(row, request)
        changed = self.update(table.kind, str(row[table.kind.key]), self.body(table, request))
        return self._shown_one(request, table, changed)

    def check_version(self, row: Row, request: Request) -> None:
        given = request.headers.get("if-match")
        if given is None and self.NEEDS_IF_MATCH:
            raise Refusal("no_etag", "The request must have an If-Match header.")
        if given not in (None, "*", row.get(ETAG, 'W/"1"')):
            raise Refusal("etag", "Another user has already changed the record.")

    def body(self, table: Table, request: Request) -> Row:
        """The checked values of a body; without the exact format, a decimal must be a number."""
        given = request.json()
        if not isinstance(given, dict):
            raise Refusal("malformed", "The body must be an object.")
        if not table.kind.writable:
            raise Refusal("method", f"{table.kind.name} cannot be written.")
        if _is_exact(request.headers.get("content-type", "")):
            given = {name: _from_text(table.kind.field(name), value) for name, value in given.items()}
        return table.check_values(given)


def _plain(text: str) -> str:
    return text[1:-1].replace("''", "'") if text[:1] == "'" and text[-1:] == "'" else text


def _is_exact(media_type: str) -> bool:
    return "ieee754compatible=true" in media_type.lower().replace(" ", "")


def _from_text(field: Field | None, value: Any) -> Any:
    if field is None or field.type != "decimal" or not isinstance(value, str):
        return value
    try:
        return Decimal(value)
    except InvalidOperation:
        return value
