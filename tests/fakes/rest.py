"""A small system with a REST API: customers with a code of their own, every way of paging, every way of writing.

What it holds (`rows`) is the oracle of the tests: the connector's word is never taken for it.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.http import Answer, Request

TOKEN = "s3cret-token"
PASSWORD_PAGE = "<html><title>Sign in</title><form><input type='password'></form></html>"


@dataclass
class FakeSystem:
    """`fault` may answer in the system's place, before or (with `after_work`) after it did its work."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_unique: bool = False
    fault: Callable[[Request], Answer | None] | None = None
    after_work: Callable[[Request], Answer | None] | None = None
    max_size: int = 1000
    page_size: int = 5

    def __post_init__(self) -> None:
        self._ids = itertools.count(1000)
        self._answers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def put(self, **record: Any) -> dict[str, Any]:
        """Add a record as if somebody had typed it in."""
        row = {"id": str(next(self._ids)), **record}
        self.rows[row["id"]] = row
        return row

    def __call__(self, request: Request) -> Any:
        if self.fault and (answer := self.fault(request)):
            return answer
        if not self._is_signed_in(request):
            return Answer({"error": {"code": "UNAUTHORIZED", "message": "bad token"}}, 401)
        with self._lock:
            done = self._route(request)
        return (self.after_work and self.after_work(request)) or done

    def _is_signed_in(self, request: Request) -> bool:
        basic = "Basic " + base64.b64encode(f"ann:{TOKEN}".encode()).decode()
        return request.headers.get("authorization") in (f"Bearer {TOKEN}", basic)

    def _route(self, request: Request) -> Any:
        parts = request.path.strip("/").split("/")
        if parts == ["me"]:
            return {"email": "ann@example.org"}
        if parts[0] == "customers":
            return self._customers(request, parts[1:])
        return Answer({"error": {"code": "NOT_FOUND", "message": f"no {request.path}"}}, 404)

    def _customers(self, request: Request, rest: list[str]) -> Any:
        method = request.method
        if rest[:1] == ["batch"]:
            return {"results": [self._result(entry, request) for entry in request.json["records"]]}
        if rest[:1] == ["code"]:
            return self._upsert(rest[1], request.json)
        if method == "GET":
            return self._list(request) if not rest else self._get(rest[0])
        if method == "POST":
            return self._create(request.json, request.headers.get("idempotency-key"))
        return self._change(rest[0], request)

    # --- read ------------------------------------------------------------------------------------------------------

    def _found(self, query: dict[str, str]) -> list[dict[str, Any]]:
        rows = [row for row in self.rows.values() if str(row.get("changed", "")) >= query.get("since", "")]
        if "code" in query:
            rows = [row for row in rows if row.get("code") == query["code"]]
        return sorted(rows, key=lambda row: int(row["id"]))

    def _list(self, request: Request) -> Any:
        query, rows = request.query, self._found(request.query)
        size = min(int(query.get("limit", self.page_size)), self.max_size)
        start = self._start(query, rows, size)
        page, more = rows[start : start + size], start + size < len(rows)
        body: dict[str, Any] = {"data": page, "total": len(rows), "has_more": more}
        body["pages"] = -(-len(rows) // size)
        body["next"] = str(start + size) if more else None
        passed_on = "".join(f"&{name}={query[name]}" for name in ("since", "limit") if name in query)
        address = f"/customers?token={start + size}{passed_on}"
        body["next_url"] = address if more else None
        return Answer(body, headers={"Link": f'<{address}>; rel="next"'} if more else {})

    def _start(self, query: dict[str, str], rows: list[dict[str, Any]], size: int) -> int:
        if "page" in query:
            return (int(query["page"]) - 1) * size
        if "after" in query:
            return sum(1 for row in rows if int(row["id"]) <= int(query["after"]))
        return int(query.get("offset") or query.get("token") or 0)

    def _get(self, key: str) -> Any:
        if key not in self.rows:
            return Answer({"error": {"code": "NOT_FOUND", "message": f"no customer {key}"}}, 404)
        return Answer(self.rows[key], headers={"ETag": f'"{self.rows[key].get("version", 1)}"'})

    # --- write -----------------------------------------------------------------------------------------------------

    def _problem(self, body: dict[str, Any]) -> Answer | None:
        if body.get("name") == "bad":
            error = {"code": "INVALID", "message": "the name is bad", "field": "name"}
            return Answer({"error": error}, 422)
        return None

    def _create(self, body: dict[str, Any], key: str | None) -> Any:
        if key and key in self._answers:
            return Answer(self._answers[key], 200)
        if problem := self._problem(body):
            return problem
        if self.is_unique and any(row.get("code") == body.get("code") for row in self.rows.values()):
            return Answer({"error": {"code": "DUPLICATE", "message": "code is taken"}}, 409)
        row = self.put(**{name: value for name, value in body.items() if name != "id"})
        if key:
            self._answers[key] = row
        return Answer(row, 201, {"Location": f"/customers/{row['id']}"})

    def _upsert(self, code: str, body: dict[str, Any]) -> Any:
        if problem := self._problem(body):
            return problem
        row = next((row for row in self.rows.values() if row.get("code") == code), None)
        if row is None:
            return Answer(self.put(**{**body, "code": code}), 201)
        row.update({name: value for name, value in body.items() if name != "id"})
        return row

    def _change(self, key: str, request: Request) -> Any:
        if key not in self.rows:
            return Answer({"error": {"code": "NOT_FOUND", "message": f"no customer {key}"}}, 404)
        if request.method == "DELETE":
            del self.rows[key]
            return Answer(status=204)
        row = self.rows[key]
        if request.headers.get("if-match") not in (None, "*", f'"{row.get("version", 1)}"'):
            return Answer({"error": {"code": "STALE", "message": "changed meanwhile"}}, 412)
        if problem := self._problem(request.json):
            return problem
        row.update(request.json)
        return Answer(row, 200)

    def _result(self, entry: dict[str, Any], request: Request) -> dict[str, Any]:
        done = self._upsert(entry["code"], entry)
        answer = done if isinstance(done, Answer) else Answer(done)
        if answer.status >= 400:
            return {"success": False, "code": entry["code"], "errors": [answer.body["error"]]}
        return {"success": True, "code": entry["code"], "id": answer.body["id"], "created": answer.status == 201}
