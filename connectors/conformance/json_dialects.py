"""Honest pages of the protocols that answer in JSON, made from what a declaration says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from connectors.base import Connector
from connectors.catalog import Declaration
from connectors.conformance.http_cases import MAX_RESPONSE_BYTES, TIMEOUT_SECONDS, Dialect, Layout
from connectors.conformance.server import Answer, Request
from connectors.declared import key_fields
from connectors.paths import split_path
from connectors.registry import open_connector
from hub.common.records import Record

TOKEN = "conformance-token"
_LOOPBACK = ["127.0.0.0/8"]
_LAYOUTS: Mapping[str, Layout] = {"none": "none", "link": "link", "next_url": "link", "cursor": "token"}
_MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_MOMENTS: Mapping[str, Any] = {
    "iso": "2026-01-02T03:04:05Z", "date": "2026-01-02", "unix": 1767323045, "unix_ms": 1767323045000,
    "odata_v2": "/Date(1767323045000)/", "integer": 7, "text": "7",
}  # fmt: skip
_VALUES: Mapping[str, Any] = {
    "integer": 1, "number": 1.5, "decimal": "1.50", "boolean": True, "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z", "object": {}, "array": [],
}  # fmt: skip


class RestDialect(Dialect):
    """JSON over HTTP. Sign-in is left out: it has cases of its own, and every vendor's answers differ."""

    source_option = "path"

    def streams(self, declaration: Declaration) -> Sequence[str]:
        readable = {name: s for name, s in declaration.streams.items() if self.source_option in s}
        first_of = {orjson.dumps(_shape(stream)): name for name, stream in reversed(readable.items())}
        return [name for name in readable if name in first_of.values()]

    def layout(self, declaration: Declaration, stream: str) -> Layout:
        paging = declaration.streams[stream].get("paging", {"type": "none"})
        return _LAYOUTS.get(paging["type"], "count")

    def connect(self, declaration: Declaration, stream: str, url: str) -> Connector:
        body = {
            **_without(declaration.body, "base_url_from"),
            "base_url": url,
            "auth": {"type": "bearer", "token": TOKEN},
            "limits": {**_without(declaration.body.get("limits", {}), "per_second", "per_minute")},
        }
        fields = {name: _lenient(field) for name, field in declaration.config.items()}
        streams = {stream: self.plain_stream(declaration.streams[stream])}
        moved = replace(
            declaration,
            body=MappingProxyType(body),
            streams=MappingProxyType(streams),
            config=MappingProxyType(fields),
            time_zone="UTC",
        )
        config = {
            **{name: _filled(field) for name, field in fields.items() if not field["secret"]},
            "allowed_networks": _LOOPBACK,
            "limits": {"timeout_seconds": TIMEOUT_SECONDS, "max_response_bytes": MAX_RESPONSE_BYTES},
        }
        secrets = {name: TOKEN for name, field in fields.items() if field["secret"]}
        return open_connector(declaration=moved, config=config, secrets=secrets)

    def plain_stream(self, stream: Mapping[str, Any]) -> dict[str, Any]:
        """The stream with the hostile server's address in place of its own, without its parents or preparation."""
        return {**_without(stream, "for_each", "prepare"), "path": "/records"}

    # --- honest answers --------------------------------------------------------------------------------------------

    def record(self, declaration: Declaration, stream: str, number: int, text: str) -> Record:
        section = declaration.streams[stream]
        record: Record = {}
        for name, field in section.get("fields", {}).items():
            _put(record, name, _VALUES.get(field if isinstance(field, str) else field["type"], "text"))
        for name in _cursor_paths(section):
            _put(record, name, _moment(section["incremental"].get("format", "iso")))
        paging = section.get("paging", {})
        for name in [*key_fields(section), *([paging["key"]] if paging.get("type") == "keyset" else [])]:
            _put(record, name, f"id-{number}")
        return {**record, "conformance_id": str(number), "conformance_text": text}

    def page(
        self, declaration: Declaration, stream: str, request: Request, records: Sequence[Record], following: str
    ) -> Answer:
        section = declaration.streams[stream]
        item, path = section.get("item"), section.get("records", "$")
        listed = [_put({}, item, record) if item else record for record in records]
        found: Any = listed[0] if section.get("single") else listed
        body: Any = found if path in ("$", "") else _put({}, path, found)
        headers: dict[str, str] = {}
        self._tell_next(section.get("paging", {}), body, headers, len(records), following)
        self._satisfy(declaration.body.get("errors", {}), body)
        headers["Content-Type"] = "application/json; charset=utf-8"
        return Answer(self.envelope(request, body), headers=headers)

    def envelope(self, request: Request, body: Any) -> bytes:
        return orjson.dumps(body)

    def _tell_next(
        self, paging: Mapping[str, Any], body: Any, headers: dict[str, str], count: int, following: str
    ) -> None:
        """Say in the declared places what follows, and how much there is in all."""
        if "next_header" in paging and following:
            headers[paging["next_header"]] = following
        if paging.get("type") == "link" and following:
            headers["Link"] = f'<{following}>; rel="{paging.get("link_rel", "next")}"'
        more = bool(following)
        told = {
            "next_path": following or None, "has_more_path": more, "total_path": 1_000 if more else count,
            "pages_path": 1_000 if more else 1, "next_page_path": paging.get("first_page", 1) if more else None,
        }  # fmt: skip
        for name, value in told.items():
            if name in paging and isinstance(body, dict):
                _put(body, paging[name], value)
        for name, value in (("total_header", told["total_path"]), ("pages_header", told["pages_path"])):
            if name in paging:
                headers[paging[name]] = str(value)

    def _satisfy(self, errors: Mapping[str, Any], body: Any) -> None:
        """Hold what `failed_when` wants to see in a good answer."""
        for condition in errors.get("failed_when", ()):
            if condition.get("exists") is False and "path" in condition and isinstance(body, dict):
                _put(body, condition["path"], True)

    def double_a_name(self, body: bytes) -> bytes:
        return body.replace(b'"conformance_text":', b'"conformance_text":"another","conformance_text":', 1)


class JsonRpcDialect(RestDialect):
    """Procedure calls: the same pages inside the envelope of the call."""

    source_option = "call"

    def plain_stream(self, stream: Mapping[str, Any]) -> dict[str, Any]:
        return dict(stream)

    def envelope(self, request: Request, body: Any) -> bytes:
        asked = orjson.loads(request.body)
        return orjson.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "result": body})


def _shape(stream: Mapping[str, Any]) -> list[Any]:
    """What makes the reading of one stream differ from that of another."""
    return [stream.get(name) for name in ("paging", "records", "item", "single", "method")]


def _without(section: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in names}


def _lenient(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """A form field that takes any value of its type."""
    return MappingProxyType({**field, "pattern": "", "format": "", "enum": [], "required": False})


def _filled(field: Mapping[str, Any]) -> Any:
    known = next((v for v in (field["default"], field["example"], *field["enum"]) if v not in (None, "")), None)
    return {"integer": 1, "number": 1, "boolean": True}.get(field["type"], "conformance") if known is None else known


def _cursor_paths(section: Mapping[str, Any]) -> list[str]:
    paths = section.get("incremental", {}).get("cursor", [])
    return [paths] if isinstance(paths, str) else list(paths)


def _moment(form: str) -> Any:
    return _MOMENT.strftime(form) if "%" in form else _MOMENTS[form]


def _put(holder: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Put a value where a path of the declaration looks for it, and give back the outermost object."""
    # the full stop in @odata.nextLink is part of the name
    *parents, leaf = [path] if path.startswith("@") else split_path(path)
    inner = holder
    for name in parents:
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            return holder
    inner[leaf] = value
    return holder
