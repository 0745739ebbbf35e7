"""Reading one side: pages of records in canonical words, from a stream or from the hub, each page in memory once.

A record that its mapping refuses is compared by what can be mapped of it: it is there, and it must not be missed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.models import Stream
from connectors.services import open_connection, stream_spec
from governance.models import Entity
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError, HubError, RecordError
from hub.common.records import Record
from hub.common.times import business_today
from hub.records.queries import keys_by_external_id
from hub.sync.fetch import ahead
from hub.sync.plan import meets, passing
from hub.sync.prepare import external_id
from mappings.compile import Mapper, MappingFailure, compile_mapping
from mappings.models import MappingVersion
from mappings.paths import MISSING, Path, parse_path, read_path
from mappings.queries import value_maps_of
from mappings.rules import parse_rules
from monitoring.reconciliation.definition import Side

HUB_PAGE = 2_000


@dataclass(slots=True)
class Brought:
    """One record in canonical words. `id` is its id at the side (the canonical id, for the hub), `at` its cursor's value."""

    id: str
    body: Record
    at: str = ""


def pages(side: Side, entity: Entity) -> Iterator[list[Brought]]:
    """The whole side from its beginning to its end, without what the filter leaves out. Raises HubError."""
    wanted = passing(side.filter)
    found = _of_hub(entity) if side.is_hub else StreamReader(side, entity).pages()
    for page in found:
        yield [one for one in page if meets(one.body, wanted)] if wanted else page


def stream_of(side: Side) -> Stream:
    found = Stream.objects.select_related("connection__system").filter(slug=side.stream).first()
    if found is None:
        raise ConfigError(f"There is no stream {side.stream!r} any more.", fix="Change the reconciliation.")
    return found


def _of_hub(entity: Entity) -> Iterator[list[Brought]]:
    """Living records by id, read in steps: no snapshot is held open, and the memory is a page's."""
    after = 0
    while True:
        with plain_cursor() as cursor:
            rows = cursor.execute(
                "select id, body::text from records_canonicalrecord where entity_id = %s and id > %s and deleted_at is null"
                " order by id limit %s",
                [entity.pk, after, HUB_PAGE],
            ).fetchall()
        if not rows:
            return
        yield [Brought(str(number), orjson.loads(body)) for number, body in rows]
        after = rows[-1][0]


class StreamReader:
    """Brings records of a stream into canonical words: by its inbound mapping, then by the fields of the side."""

    def __init__(self, side: Side, entity: Entity) -> None:
        self.side = side
        self.stream = stream_of(side)
        self.spec = stream_spec(self.stream)
        self.version = inbound_version(self.stream, entity)
        if self.version is None and not side.fields:
            raise ConfigError(
                f"{self.stream} has no inbound mapping to {entity}, and the side names no fields.",
                fix="Say under `fields` where the canonical fields are found in its records.",
            )
        self.mapper = mapper_of(self.version, self.stream) if self.version else None
        self.paths, self.values, self.vias = _fields(side.fields)
        if self.mapper:
            vias = {rule.target: rule.via for rule in self.mapper.references if rule.via}
            self.vias = {**vias, **self.vias}
        self.streams = dict(Stream.objects.filter(slug__in=set(self.vias.values())).values_list("slug", "pk"))

    def pages(self) -> Iterator[list[Brought]]:
        with open_connection(self.stream.connection) as connector, closing(self._read(connector)) as found:
            for page in found:
                brought = self.bring(page.records)
                brought += [Brought(bad.external_id or f"#{bad.position}", bad.record or {}) for bad in page.bad]
                yield brought

    def _read(self, connector: Any) -> Any:
        return ahead(connector.read(self.spec, cursor=None), timings=defaultdict(float))

    def bring(self, records: Any) -> list[Brought]:
        """One page; references become canonical keys where the hub knows the record."""
        bodies = self._bodies(records)
        self._resolve(bodies)
        key = self.spec.key
        single = key[0] if len(key) == 1 and "." not in key[0] else None
        cursor = self.spec.cursor
        found = []
        for record, body in zip(records, bodies, strict=True):
            value = record.get(single) if single else None
            at = record.get(cursor) if cursor else ""
            found.append(Brought(value if value.__class__ is str and value else _id(record, key), body, str(at or "")))
        return found

    def _bodies(self, records: Any) -> list[Record]:
        if self.mapper is None:
            return [self._renamed(record, {}) for record in records]
        mapped = self.mapper.apply_all(records)
        bodies = [
            self._partly(record) if isinstance(result, MappingFailure) else result
            for record, result in zip(records, mapped, strict=True)
        ]
        if self.paths or self.values:
            return [self._renamed(record, body) for record, body in zip(records, bodies, strict=True)]
        return bodies

    def _partly(self, record: Record) -> Record:
        """What can be mapped of a record that its mapping refuses."""
        assert self.mapper is not None
        found: Record = {}
        for trace in self.mapper.explain(record):
            if trace.value is not MISSING:
                found[trace.target] = trace.value
            elif trace.error and trace.raw is not MISSING:
                found[trace.target] = trace.raw
        return found

    def _renamed(self, record: Record, body: Record) -> Record:
        for name, path in self.paths:
            value = record.get(path[0], MISSING) if len(path) == 1 else read_path(record, path)
            body[name] = None if value is MISSING else value
        body.update(self.values)
        return body

    def _resolve(self, bodies: list[Record]) -> None:
        for target, via in self.vias.items():
            given = {str(value) for body in bodies if (value := body.get(target)) not in (None, "")}
            keys = keys_by_external_id(self.streams[via], given) if given and via in self.streams else {}
            for body in bodies:
                if (value := body.get(target)) not in (None, ""):
                    body[target] = keys.get(str(value), value)


def inbound_version(stream: Stream, entity: Entity) -> MappingVersion | None:
    """The active version of the mapping that brings the stream to the entity; the oldest where there are several."""
    found = MappingVersion.objects.filter(
        mapping__stream=stream,
        mapping__entity=entity,
        mapping__direction="in",
        status=MappingVersion.Status.ACTIVE,
    )
    return found.select_related("mapping").order_by("mapping_id").first()


def mapper_of(version: MappingVersion, stream: Stream) -> Mapper:
    rules = parse_rules(version.rules)
    is_inbound = version.mapping.direction == "in"
    return compile_mapping(
        rules,
        value_maps=value_maps_of(rules),
        time_zone=stream.time_zone,
        direction="in" if is_inbound else "out",
        today=business_today(),
    )


def _fields(fields: Mapping[str, Any]) -> tuple[list[tuple[str, Path]], Record, dict[str, str]]:
    """(paths, constants, streams whose ids they are) of a side's `fields`."""
    paths, values, vias = [], {}, {}
    for name, spec in fields.items():
        if isinstance(spec, str):
            paths.append((name, parse_path(spec)))
        elif "value" in spec:
            values[name] = spec["value"]
        else:
            paths.append((name, parse_path(spec["path"])))
            if spec.get("via"):
                vias[name] = spec["via"]
    return paths, values, vias


def _id(record: Record, key: Any) -> str:
    try:
        return external_id(record, key)
    except RecordError:
        return ""


def why(error: BaseException) -> str:
    """A sentence for a side that could not be read."""
    return str(error) if isinstance(error, HubError) else f"{type(error).__name__}: {error}"


def plain(value: Any) -> str | None:
    """A value as text for comparing; None for what says nothing."""
    if value is None or value == "":
        return None
    if value.__class__ is str:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | list) else str(value)
