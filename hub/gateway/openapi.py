"""The gateway describes itself: OpenAPI 3.1 for each layer, made of what is served now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from governance.contracts import portable_schema
from hub.gateway import definition
from hub.gateway.known import Projection, Served
from hub.gateway.models import SERVED, Api, Layer, State

Node = dict[str, Any]
PROBLEM = {"$ref": "#/components/responses/Problem"}
ONCE = {"$ref": "#/components/parameters/IdempotencyKey"}
HELD = {"$ref": "#/components/parameters/IfNoneMatch"}


def document(layer: str, apis: Iterable[Api]) -> Node:
    """OpenAPI 3.1.1 of the versions that are served."""
    paths: Node = {}
    served = [api for api in apis if api.layer == layer and api.state in SERVED]
    for api in served:
        for path, item in _paths(api).items():
            paths[f"{api.address}{path}"] = item
    return {
        "openapi": "3.1.1",
        "info": {"title": f"Syncline {layer} APIs", "version": "1", "description": Layer(layer).label},
        "security": [{"consumer": []}],
        "tags": [{"name": str(api), "description": api.description or api.name} for api in served],
        "paths": paths,
        "components": COMPONENTS,
    }


def _paths(api: Api) -> Node:
    makers = {Layer.SYSTEM: _system, Layer.PROCESS: _process, Layer.EXPERIENCE: _experience}
    return makers[Layer(api.layer)](api, Served(api))


def _act(api: Api, name: str, summary: str, answers: Node, **more: Any) -> Node:
    found = {"operationId": f"{api.slug}-{name}".replace("-", "_"), "tags": [str(api)], "summary": summary, **more}
    if api.state == State.DEPRECATED:
        found["deprecated"] = True
    return {**found, "responses": {**answers, "default": PROBLEM}}


def _json(schema: Node, words: str) -> Node:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _in_path(name: str, words: str) -> Node:
    return {"name": name, "in": "path", "required": True, "description": words, "schema": {"type": "string"}}


def _fields(projection: Projection) -> Node:
    """The contract's schema of what is given away."""
    schema = portable_schema(projection.schema) if projection.schema else {}
    properties = {n: spec for n, spec in schema.get("properties", {}).items() if n in projection.names}
    return {"type": "object", "properties": properties}


# Layers ----------------------------------------------------------------------------------------------------
def _system(api: Api, served: Served) -> Node:
    shape = {"type": "object", "required": ["key", "record"],
             "properties": {"key": {"type": "string"}, "updated_at": {"type": "string", "format": "date-time"},
                            "record": _fields(served.projection)}}  # fmt: skip
    found: Node = {}
    if "read" in served.operations:
        found[""] = {"get": _act(api, "list", "A page of records in the order of their keys.",
                                 {"200": _json(_page(shape), "A page")}, parameters=_filters(api))}  # fmt: skip
        found["records/{key}/"] = {"get": _one(api, "read", shape, _in_path("key", "The key of the record."))}
    if "lookup" in served.operations:
        words = f"The id at {served.definition['stream']}."
        found["lookup/{external_id}/"] = {"get": _one(api, "lookup", shape, _in_path("external_id", words))}
    if "write" in served.operations:
        body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
        taken = {"202": _json({"type": "object"}, "It is kept, and its run will take it in.")}
        found.setdefault("", {})["post"] = _act(
            api, "write", "Take a record in, as its system would send it.", taken, parameters=[ONCE], requestBody=body
        )
        found["writes/{message_id}/"] = {
            "get": _act(api, "standing", "Where a write stands.", {"200": _json({"type": "object"}, "Its state")},
                        parameters=[_in_path("message_id", "As the write was answered.")])
        }  # fmt: skip
    return found


def _one(api: Api, name: str, shape: Node, parameter: Node) -> Node:
    answers = {"200": _json(shape, "The record"), "304": {"description": "You hold it already."}}
    return _act(api, name, "One record.", answers, parameters=[parameter, HELD])


def _page(shape: Node) -> Node:
    left = {"type": "array", "items": {"type": "string"}, "description": "Keys of records that break their contract."}
    properties = {"data": {"type": "array", "items": shape}, "next": {"type": ["string", "null"]}, "left_out": left}
    return {"type": "object", "required": ["data", "next", "left_out"], "properties": properties}


def _filters(api: Api) -> list[Node]:
    names = ("cursor", "page_size", *definition.filters(api.definition))
    return [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]


def _process(api: Api, served: Served) -> Node:
    given = {"type": "object", "required": ["key"],
             "properties": {"key": {"type": "string"}, "given": {"type": "object"}}}  # fmt: skip
    told = {"type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "given": {"type": "object"}}}  # fmt: skip
    run = {"200": _json({"type": "object"}, "How it stands")}
    begun = {"202": _json({"type": "object"}, "It has begun, or lives already.")}
    pk, found = {**_in_path("id", "As the start was answered."), "schema": {"type": "integer"}}, {}
    if "start" in served.operations:
        found[""] = {
            "post": _act(api, "start", "Start it for a key.", begun, parameters=[ONCE], requestBody=_body(given))
        }
    if "status" in served.operations:
        found["{id}/"] = {"get": _act(api, "status", "How it stands.", run, parameters=[pk, HELD])}
    if "signal" in served.operations:
        act = _act(
            api, "signal", "Tell it something.", {"202": run["200"]}, parameters=[pk, ONCE], requestBody=_body(told)
        )
        found["{id}/signal/"] = {"post": act}
    return found


def _body(schema: Node) -> Node:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _experience(api: Api, served: Served) -> Node:
    properties: Node = {"key": {"type": "string"}, "record": _fields(served.projection)}
    for name, given in (api.definition.get("relations") or {}).items():
        shape = _fields(served.relations[name])
        properties[name] = {**shape, "type": ["object", "null"]} if "through" in given else _related(shape)
    properties |= {name: {} for name in api.definition.get("values") or {}}
    answer = {"type": "object", "required": ["key", "record"], "properties": properties}
    return {"{key}/": {"get": _one(api, "read", answer, _in_path("key", "The key of the record."))}}


def _related(shape: Node) -> Node:
    return {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "totals": {"type": "object", "description": "Sums over all of them; money by currency."},
            "records": {"type": "array", "items": shape},
        },
    }


COMPONENTS: Node = {
    "securitySchemes": {"consumer": {"type": "http", "scheme": "bearer"}},
    "parameters": {
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 120},
            "description": "The same request under the same key is carried out once.",
        },
        "IfNoneMatch": {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
    },
    "responses": {
        "Problem": {
            "description": "What is wrong, and what to do (RFC 9457).",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    },
    "schemas": {
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                "detail": {"type": "string"}, "code": {"type": "string"},
            },
        }
    },
}  # fmt: skip
