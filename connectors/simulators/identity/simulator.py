"""Simulated SCIM 2.0 service: filters, pages from one, PATCH by path, unique names, versions that must match."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from connectors.simulators.base import Simulator, open_door, route
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Person
from connectors.simulators.identity.filters import BadFilter, own_name, parse_filter
from connectors.simulators.identity.patching import BadPatch, Manner, patched
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Problem, Row
from connectors.simulators.tokens import TokenBook

TOKEN = "scim-rehearsal-token"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_MEDIA = {"Content-Type": "application/scim+json; charset=utf-8"}
_LARGEST_PAGE = 100
_BAD = ("invalidFilter", "invalidSyntax", "invalidPath", "invalidValue", "noTarget", "mutability")

USERS = ObjectType("Users", (Field("userName", required=True), Field("active", "boolean")), key="id")
GROUPS = ObjectType("Groups", (Field("displayName", required=True),), key="id")
_UNIQUE = {"Users": "userName", "Groups": "displayName"}
_SCHEMA = {"Users": USER, "Groups": GROUP}


class ScimSimulator(Simulator):
    """By the book. `manner` says how strictly a PATCH is read."""

    system, label = "scim", "Simulated identity provider (SCIM)"
    kinds = (USERS, GROUPS)
    base: ClassVar[str] = ""
    manner: ClassVar[Manner] = Manner()
    WORDS = {
        **{kind: (400, kind) for kind in _BAD},
        "malformed": (400, "invalidSyntax"),
        "required": (400, "invalidValue"),
        "value": (400, "invalidValue"),
        "unauthorised": (401, ""),
        "denied": (403, ""),
        "not_found": (404, ""),
        "method": (405, ""),
        "duplicate": (409, "uniqueness"),
        "stale": (412, "invalidVers"),
        "throttled": (429, ""),
        "server": (503, ""),
        "unsupported": (501, ""),
    }

    def guard(self, request: Request) -> None:
        if request.headers.get("authorization", "") != f"Bearer {TOKEN}":
            raise Refusal("unauthorised", "The token is not valid.")

    def credentials(self) -> dict[str, str]:
        """In a rehearsal the key is the name that the system itself keeps unique."""
        return {"match_by": "userName"}

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        body = {"schemas": [_ERROR], "status": str(status), "detail": refusal.message}
        return body | ({"scimType": code} if code else {})

    def error_headers(self, refusal: Refusal) -> dict[str, str]:
        return dict(_MEDIA)

    def stamp(self, instant: datetime) -> str:
        return instant.strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_id(self, kind: ObjectType, n: int) -> str:
        return hashlib.blake2b(f"{kind.name}:{n}".encode(), digest_size=16).hexdigest()

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        people = [self._seeded("Users", n, _account(person), firm) for n, person in enumerate(firm.people, start=1)]
        roles = dict.fromkeys(person.role for person in firm.people)
        groups = [
            self._seeded("Groups", n, {"displayName": role, "members": _members(people, role)}, firm)
            for n, role in enumerate(roles, start=1)
        ]
        return {"Users": people, "Groups": groups}

    def _seeded(self, name: str, n: int, values: Row, firm: Firm) -> Stamped:
        kind, at = self.tables[name].kind, quiet_moment(firm, n)
        row = {"schemas": [_SCHEMA[name]], "id": self.new_id(kind, n), **values}
        return Stamped(row["id"], self._versioned(name, row, None, at), at)

    # Reading

    def _route(self, request: Request) -> Reply:
        """Addresses are written in any case, and below the path of the service."""
        path = request.path.removeprefix(self.base)
        first, *rest = path.strip("/").split("/")
        request.path = "/".join(["", own_name([*self.tables, "ServiceProviderConfig"], first), *rest])
        reply = super()._route(request)
        reply.headers = {**_MEDIA, **reply.headers}
        return reply

    @route("GET", "/ServiceProviderConfig")
    def get_config(self, request: Request) -> Reply:
        return Reply(200, {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": True}, "bulk": {"supported": False}, "etag": {"supported": True},
            "filter": {"supported": True, "maxResults": _LARGEST_PAGE}, "sort": {"supported": False},
        })  # fmt: skip

    @route("GET", "/{name}")
    def get_list(self, request: Request, name: str) -> Reply:
        query = request.query
        rows = list(self.table(name).by_change())
        if "filter" in query:
            rows = [row for row in rows if self._test(query["filter"])(row)]
        # anything below one is read as one
        start = max(1, _whole(query.get("startIndex", "1"), "startIndex"))
        _whole(query.get("count", "0"), "count")
        size = self.page_size(query.get("count"), default=_LARGEST_PAGE, ceiling=_LARGEST_PAGE)
        page = rows[start - 1 : start - 1 + size]
        return Reply(200, {
            "schemas": [_LIST], "totalResults": len(rows), "startIndex": start, "itemsPerPage": len(page),
            "Resources": [self.shown(self.table(name).kind, row) for row in page],
        })  # fmt: skip

    def _test(self, text: str) -> Any:
        try:
            return parse_filter(text)
        except BadFilter as error:
            raise Refusal("invalidFilter", str(error)) from None

    @route("GET", "/{name}/{key}")
    def get_one(self, request: Request, name: str, key: str) -> Reply:
        return self._answer(name, self.row(self.table(name), key))

    def _answer(self, name: str, row: Row, status: int = 200) -> Reply:
        return Reply(status, self.shown(self.tables[name].kind, row), {"ETag": row["meta"]["version"]})

    # Writing

    @route("POST", "/{name}")
    def post_one(self, request: Request, name: str) -> Reply:
        values = self._resource(request, name)
        row = self.insert(self.table(name).kind, values)
        return self._answer(name, row, 201)

    @route("PUT", "/{name}/{key}")
    def put_one(self, request: Request, name: str, key: str) -> Reply:
        """Replaces the whole: what is not sent is gone."""
        self._expect_version(request, name, key)
        values = self._resource(request, name)
        return self._answer(name, self._replace(name, key, values))

    @route("PATCH", "/{name}/{key}")
    def patch_one(self, request: Request, name: str, key: str) -> Reply:
        self._expect_version(request, name, key)
        body = request.json()
        if not isinstance(body, dict) or _PATCH not in body.get("schemas", ()):
            raise Refusal("invalidSyntax", f"schemas must hold {_PATCH}.")
        self.judge_patch(name, body.get("Operations"))
        try:
            values = patched(self.tables[name].rows[key], body.get("Operations"), self.manner)
        except BadPatch as error:
            raise Refusal(error.kind, error.message) from None
        return self._answer(name, self._replace(name, key, values))

    def judge_patch(self, name: str, operations: Any) -> None:
        """Refuse what this system's PATCH does not offer."""

    @route("DELETE", "/{name}/{key}")
    def delete_one(self, request: Request, name: str, key: str) -> Reply:
        self._expect_version(request, name, key)
        self.delete(self.table(name).kind, key)
        return Reply(204)

    def _resource(self, request: Request, name: str) -> Row:
        body = request.json()
        if not isinstance(body, dict):
            raise Refusal("invalidSyntax", "The body must be a resource.")
        if _SCHEMA[self.table(name).kind.name] not in body.get("schemas", ()):
            raise Refusal("invalidSyntax", f"schemas must hold {_SCHEMA[name]}.")
        values = {own_name(("userName", "displayName", "externalId"), key): value for key, value in body.items()}
        if "active" in values:
            values["active"] = self._judged(values["active"])
        return {
            key: value for key, value in values.items() if key not in ("id", "meta", "groups") and value is not None
        }

    def _judged(self, active: Any) -> Any:
        try:
            return self.manner.value("active", active)
        except BadPatch as error:
            raise Refusal(error.kind, error.message) from None

    def _replace(self, name: str, key: str, values: Row) -> Row:
        """The row with exactly these values; `update` alone would keep what is not among them."""
        table, now = self.tables[name], self.clock.now()
        before = table.rows[key]
        kept = {"schemas": before["schemas"], **values, "id": key}
        row = self._checked(table.kind, self._versioned(name, kept, before, now))
        table.load(row, now)
        self.remember(self.system, name, key, row, now)
        return row

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        full = {key: value for key, value in row.items() if value is not None}
        if kind is USERS:
            full.setdefault("active", True)
        return self._checked(kind, self._versioned(kind.name, full, before, self.clock.now()))

    def _checked(self, kind: ObjectType, row: Row) -> Row:
        """The name is there, and no other resource has it in any case."""
        attribute = _UNIQUE[kind.name]
        name = str(row.get(attribute) or "")
        if not name:
            raise Problem("required", attribute, f"{attribute} must be given.")
        rows = self.tables[kind.name].rows.values()
        if any(str(r[attribute]).casefold() == name.casefold() and r["id"] != row["id"] for r in rows):
            raise Problem("duplicate", attribute, f"{attribute} {name!r} is taken.")
        return row

    def _versioned(self, name: str, row: Row, before: Row | None, at: datetime) -> Row:
        """With the times and the version that the system keeps; the version follows the content."""
        content = json.dumps({k: v for k, v in row.items() if k != "meta"}, sort_keys=True, default=str)
        mark = hashlib.blake2b(f"{content}{at.isoformat()}".encode(), digest_size=6).hexdigest()
        created = before["meta"]["created"] if before else self.stamp(at)
        kind = name.removesuffix("s")
        meta = {"resourceType": kind, "created": created, "lastModified": self.stamp(at), "version": f'W/"{mark}"'}
        return {**row, "meta": meta}

    def _expect_version(self, request: Request, name: str, key: str) -> None:
        row, wanted = self.row(self.table(name), key), request.headers.get("if-match")
        if wanted not in (None, "*", row["meta"]["version"]):
            raise Refusal("stale", f"The resource has the version {row['meta']['version']} by now.")


class EntraSimulator(ScimSimulator):
    """In Entra's manner: tokens of an application, and PATCH with operations in any case and booleans as text."""

    system, label = "entra", "Simulated Entra ID"
    base = "/rp/scim"
    manner = Manner(lenient=True)
    client = ("entra-rehearsal", "entra-rehearsal-secret")

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = TokenBook("entra-", clock)

    def guard(self, request: Request) -> None:
        if not self.tokens.valid(request.headers.get("authorization", "")):
            raise Refusal("unauthorised", "Access token has expired or is not yet valid.")

    def revoke_tokens(self) -> None:
        self.tokens.revoke()

    @route("POST", "/{tenant}/oauth2/v2.0/token")
    @open_door
    def post_token(self, request: Request, tenant: str) -> Reply:
        form = request.form()
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return Reply(401, {"error": "invalid_client", "error_description": "The secret is not valid."})
        if not form.get("scope", "").endswith("/.default"):
            return Reply(400, {"error": "invalid_scope", "error_description": "The scope must end with /.default."})
        seconds = self.settings.token_seconds
        return Reply(200, {"token_type": "Bearer", "expires_in": seconds, "access_token": self.tokens.issue(seconds)})


class OktaSimulator(ScimSimulator):
    """As systems are that were built for Okta: PUT replaces the whole, PATCH knows the state and members alone."""

    system, label = "okta", "Simulated SCIM service in Okta's manner"

    def judge_patch(self, name: str, operations: Any) -> None:
        for each in operations if isinstance(operations, list) else ():
            value = each.get("value") if isinstance(each, dict) else None
            names = {each.get("path")} if isinstance(each, dict) and each.get("path") else set(value or ())
            if not {str(each).partition("[")[0] for each in names} <= {"active", "members"}:
                raise Refusal("unsupported", "PATCH changes active and members only. Use PUT.")


def _account(person: Person) -> Row:
    return {
        "externalId": person.number,
        "userName": person.email,
        "name": {"givenName": person.given, "familyName": person.family},
        "displayName": person.name,
        "active": True,
        "title": person.role,
        "emails": [{"value": person.email, "type": "work", "primary": True}],
        ENTERPRISE: {"employeeNumber": person.number, "costCenter": person.cost_centre},
    }


def _members(people: list[Stamped], role: str) -> list[Row]:
    return [{"value": each.key, "display": each.row["displayName"]} for each in people if each.row["title"] == role]


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refusal("invalidValue", f"{name} must be a whole number, not {text!r}.") from None
