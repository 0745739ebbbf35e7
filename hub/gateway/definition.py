"""What an API serves, as it is configured. Pure: a layer and a definition in, sentences out.

system:     entity, fields, filters, operations (read, lookup, write), contract_version,
            stream (whose ids are looked up), endpoint (the webhook that takes writes)
process:    process, operations (start, status, signal)
experience: entity, fields, contract_version, relations, values

A relation is one other record, `through` a field of the first, or many, `by` what they refer to: project, customer, or a field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hub.gateway.models import Layer
from hub.records.reading import PROMOTED
from mappings.expressions import ExpressionError, compile_expression

Definition = Mapping[str, Any]
Problem = tuple[str, str]
PARTS = {
    Layer.SYSTEM: ("entity", "fields", "filters", "operations", "stream", "endpoint", "contract_version"),
    Layer.PROCESS: ("process", "operations"),
    Layer.EXPERIENCE: ("entity", "fields", "contract_version", "relations", "values"),
}
OPERATIONS = {
    Layer.SYSTEM: ("read", "lookup", "write"),
    Layer.PROCESS: ("start", "status", "signal"),
    Layer.EXPERIENCE: ("read",),
}
RELATION = ("entity", "through", "by", "fields", "only_when", "totals", "limit")
INDEXED = ("project", "customer")
MOST_RELATED = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
_RESERVED = {"record", "key"}


def problems(layer: str, given: Definition) -> Iterator[Problem]:
    """(path, sentence) for what is not right in itself; names that refer to others are judged elsewhere."""
    if layer == Layer.PROCESS:
        if not given.get("process"):
            yield "process", "Say which process it serves."
    elif not given.get("entity"):
        yield "entity", "Say which entity it serves."
    yield from _operations(layer, given)
    for name in ("fields", "filters"):
        if not _is_names(given.get(name) or []):
            yield name, "Write a list of field names."
    if layer == Layer.EXPERIENCE:
        yield from _relations(given.get("relations") or {})
        yield from _values(given)


def operations(layer: str, given: Definition) -> tuple[str, ...]:
    """What it offers; all of its layer that it can do where nothing is said."""
    if chosen := given.get("operations"):
        return tuple(chosen)
    return ("read",) if layer == Layer.SYSTEM else OPERATIONS[Layer(layer)]


def _operations(layer: str, given: Definition) -> Iterator[Problem]:
    known, chosen = OPERATIONS[Layer(layer)], given.get("operations") or []
    if not isinstance(chosen, list) or any(each not in known for each in chosen):
        yield "operations", f"Choose of {', '.join(known)}."
        return
    if "lookup" in chosen and not given.get("stream"):
        yield "stream", "A look-up by a system's id needs the stream whose ids are meant."
    if "write" in chosen and not given.get("endpoint"):
        yield "endpoint", "A write takes the way of a webhook: name the one whose sync takes such records in."


def _relations(given: Any) -> Iterator[Problem]:
    if not isinstance(given, Mapping):
        yield "relations", "Write {name: {entity: …, by: project}}."
        return
    for name, relation in given.items():
        where = f"relations.{name}"
        if not _NAME.fullmatch(str(name)) or name in _RESERVED:
            yield where, "A name has small letters, digits and underscores; record and key are taken."
        elif not isinstance(relation, Mapping) or not relation.get("entity"):
            yield where, "A relation needs its entity."
        else:
            yield from ((f"{where}.{path}", sentence) for path, sentence in _relation(relation))


def _relation(given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in given:
        if name not in RELATION:
            yield name, f"A relation has no {name!r}. Known: {', '.join(RELATION)}."
    if bool(given.get("through")) == bool(given.get("by")):
        yield "by", "Say either `through` which field of the record it is found, or `by` what many of them refer to."
    if given.get("through") and (given.get("totals") or given.get("only_when")):
        yield "totals", "One record has no totals and no conditions."
    if not _is_names(given.get("fields") or []) or not _is_names(given.get("totals") or []):
        yield "fields", "Write a list of field names."
    limit = given.get("limit", 20)
    if not isinstance(limit, int) or not 0 <= limit <= MOST_RELATED:
        yield "limit", f"A limit is a number from 0 to {MOST_RELATED}."
    wanted = given.get("only_when") or {}
    if not isinstance(wanted, Mapping) or not all(isinstance(values, list) for values in wanted.values()):
        yield "only_when", "Write {field: [value, …]}."


def _values(given: Definition) -> Iterator[Problem]:
    values = given.get("values") or {}
    if not isinstance(values, Mapping):
        yield "values", "Write {name: expression}."
        return
    for name, text in values.items():
        if not _NAME.fullmatch(str(name)) or name in {*_RESERVED, *(given.get("relations") or {})}:
            yield f"values.{name}", "This name is not free."
        try:
            compile_expression(str(text))
        except ExpressionError as error:
            yield f"values.{name}", str(error)


def _is_names(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) and each for each in given)


def filters(given: Definition) -> tuple[str, ...]:
    """By which fields a list may be asked; what is promoted to a column where nothing is said."""
    return tuple(given.get("filters") or PROMOTED)
