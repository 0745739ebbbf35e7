"""From the short words of an OData stream to those of a REST stream: paths, queries, headers, paging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.catalog import Declaration
from connectors.odata.literals import edm_type

NEXT_LINK, DELTA_LINK, CONTINUE = "@odata.nextLink", "@odata.deltaLink", "odata.continue-on-error"
_PAGES: Mapping[str, Any] = {"type": "next_url", "next_path": NEXT_LINK}
_TOUCHING = ("update", "upsert", "deactivate", "delete")


def expand(declaration: Declaration) -> Declaration:
    """The declaration with every stream of an entity set written out."""
    expanded = {name: expand_stream(stream) for name, stream in declaration.streams.items()}
    return replace(declaration, streams=expanded)


def expand_stream(stream: Mapping[str, Any]) -> dict[str, Any]:
    """What is stated wins over what would be written out."""
    entity_set = stream.get("entity_set")
    if not entity_set:
        return dict(stream)
    incremental = stream.get("incremental", {})
    written: dict[str, Any] = {
        "path": f"/{entity_set}",
        "records": "value",
        "paging": dict(_PAGES),
        **stream,
        "query": {**_query(stream), **stream.get("query", {})},
        "headers": {"Prefer": _prefer(incremental), **stream.get("headers", {})},
    }
    if incremental:
        written["incremental"] = _incremental(stream, incremental)
    if "find" in stream:
        written["find"] = {"path": written["path"], **stream["find"]}
    if "write" in stream:
        written["write"] = {name: _operation(name, each, written) for name, each in stream["write"].items()}
    return written


def fields_asked(stream: Mapping[str, Any]) -> list[str]:
    """The fields that `$select` names: those stated, or with `true` all that are declared."""
    select = stream.get("select")
    return list(stream.get("fields", {})) if select is True else list(select or ())


def _query(stream: Mapping[str, Any]) -> dict[str, Any]:
    chosen = fields_asked(stream)
    incremental = stream.get("incremental", {})
    order = incremental.get("cursor") if incremental.get("ordered") else None
    parts = {
        "$select": ",".join(name for name in chosen if "." not in name),
        "$expand": ",".join(stream.get("expand", ())),
        "$filter": stream.get("filter", ""),
        "$orderby": order if isinstance(order, str) else ",".join(order or ()),
    }
    return {name: text for name, text in parts.items() if text}


def _prefer(incremental: Mapping[str, Any]) -> str:
    tracking = "odata.track-changes," if incremental.get("delta") else ""
    return f"{tracking}odata.maxpagesize=${{limit}}"


def _incremental(stream: Mapping[str, Any], incremental: Mapping[str, Any]) -> dict[str, Any]:
    written = {name: value for name, value in incremental.items() if name != "delta"}
    if incremental.get("delta"):
        return {"expired_when": [{"status": 410}], **written, "delta_link": DELTA_LINK}
    if "query" in incremental or incremental.get("client_filter"):
        return written
    return {**written, "query": {"$filter": _since(stream, incremental)}}


def _since(stream: Mapping[str, Any], incremental: Mapping[str, Any]) -> str:
    """The filter for what changed; text and enums are quoted, everything else stands as it is."""
    names = incremental["cursor"]
    names = [names] if isinstance(names, str) else names
    sign = "ge" if incremental.get("inclusive", True) else "gt"
    later = " or ".join(f"{name} {sign} {_cursor_literal(stream, name)}" for name in names)
    fixed = stream.get("filter")
    return f"({fixed}) and ({later})" if fixed else later


def _cursor_literal(stream: Mapping[str, Any], name: str) -> str:
    declared = stream.get("fields", {})
    return "'${cursor|odata}'" if name in declared and edm_type(declared, name) == "Edm.String" else "${cursor}"


def _operation(name: str, operation: Mapping[str, Any], stream: Mapping[str, Any]) -> dict[str, Any]:
    one = f"{stream['path']}(${{predicate}})"
    headers, more = _conditions(name, operation, one)
    alternate: Sequence[str] = operation.get("alternate_key", ())
    return {
        "path": one if name != "create" or alternate else stream["path"],
        "ref_header": "OData-EntityId",
        **more,
        **operation,
        "headers": {**headers, **operation.get("headers", {})},
        "omit": [*alternate, *operation.get("omit", ())],
    }


def _conditions(name: str, operation: Mapping[str, Any], one: str) -> tuple[dict[str, str], dict[str, str]]:
    """Headers that say which version is changed, and where that version is asked for."""
    etag = operation.get("etag", "none" if "alternate_key" in operation else "any")
    if name not in _TOUCHING or etag == "none":
        return {}, {}
    if etag == "any":
        return {"If-Match": "*"}, {}
    return {"If-Match": "${etag}"}, {"fetch_etag": one}
