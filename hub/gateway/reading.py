"""Records of system APIs: one by its key, one by a system's id, and a page in the order of keys."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from django.db import connection

from hub.gateway import definition
from hub.gateway.known import Projection, Served
from hub.gateway.refusals import Refused
from hub.records.copying import json_bytes
from hub.records.reading import PROMOTED

COLUMNS = "c.id, c.key, c.version, c.body, c.updated_at"
PAGE, LARGEST = 50, 500


class Row(NamedTuple):
    id: int
    key: str
    version: int
    body: dict[str, Any]
    updated_at: Any

    @property
    def etag(self) -> str:
        return f'"{self.id}.{self.version}"'


def by_key(projection: Projection, key: str) -> Row | None:
    return _one(
        f"select {COLUMNS} from records_canonicalrecord c"
        " where c.entity_id = %s and c.key = %s and c.deleted_at is null",
        [projection.entity.pk, key],
    )


def by_external_id(served: Served, external_id: str) -> Row | None:
    """The record that the stream knows under this id, and still shows."""
    return _one(
        f"select {COLUMNS} from records_crosswalk x join connectors_stream s on s.id = x.stream_id"
        " join records_canonicalrecord c on c.id = x.record_id"
        " where s.slug = %s and x.external_id = %s and x.gone_at is null and c.entity_id = %s and c.deleted_at is null",
        [served.definition["stream"], external_id, served.projection.entity.pk],
    )


def _one(query: str, values: list[Any]) -> Row | None:
    found = rows(query, values)
    return found[0] if found else None


def rows(query: str, values: list[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [Row(r[0], r[1], r[2], _body(r[3]), r[4]) for r in cursor.fetchall()]


def _body(found: Any) -> dict[str, Any]:
    """Django's cursor leaves jsonb as text."""
    return found if isinstance(found, dict) else orjson.loads(found)


def page(served: Served, asked: Mapping[str, str]) -> tuple[list[Row], str]:
    """(rows, cursor of the next page or nothing). Raises Refused for a parameter that is not right."""
    size = _size(asked.get("page_size", ""))
    where, values = ["c.entity_id = %s", "c.deleted_at is null"], list[Any]([served.projection.entity.pk])
    if asked.get("cursor"):
        where.append("c.key > %s")
        values.append(_key_of(asked["cursor"]))
    for name, value in asked.items():
        if name not in ("cursor", "page_size"):
            condition, wanted = _filter(served, name, value)
            where.append(condition)
            values.append(wanted)
    found = rows(
        f"select {COLUMNS} from records_canonicalrecord c where {' and '.join(where)} order by c.key limit %s",
        [*values, size + 1],
    )
    return found[:size], _cursor(found[size - 1].key) if len(found) > size else ""


def _filter(served: Served, name: str, value: str) -> tuple[str, Any]:
    known = definition.filters(served.definition)
    if name not in known or (name not in PROMOTED and name not in served.projection.names):
        raise Refused(400, f"{name} is no filter. Use {', '.join(known)}, cursor, page_size.", code="FILTER")
    if name in PROMOTED:
        return f"c.{name} = %s", value
    return "c.body @> %s::jsonb", json_bytes({name: value}).decode()


def _size(text: str) -> int:
    if not text:
        return PAGE
    if not text.isdecimal() or not 1 <= int(text[:9]) <= LARGEST:
        raise Refused(400, f"page_size is a number from 1 to {LARGEST}.", code="PAGE_SIZE")
    return int(text)


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _key_of(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Refused(400, "This cursor is not one of ours. Begin anew without it.", code="CURSOR") from None
