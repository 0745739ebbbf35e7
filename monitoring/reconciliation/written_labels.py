"""Differences that come of what the hub wrote or would not write: a mapping, a rule of ownership, a hand at the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from governance.models import Entity
from hub.common.errors import HubError, RecordError
from hub.common.money import parse_decimal
from hub.common.records import Record
from hub.sync.models import Sync
from hub.sync.states import DeliveryState
from mappings.compile import MappingFailure
from mappings.models import MappingVersion
from monitoring.models import ReconciliationGap
from monitoring.reconciliation.definition import Definition
from monitoring.reconciliation.encoding import Unusable, converter
from monitoring.reconciliation.sides import StreamReader, inbound_version, mapper_of

if TYPE_CHECKING:
    from monitoring.reconciliation.labels import Place

Label = ReconciliationGap.Label
CHUNK = 500


def label(cursor: Any, definition: Definition, entity: Entity, here: Place, there: Place) -> None:
    """Of what still differs between two sides that the hub keeps together, `there` being the one it writes to."""
    if there.is_hub:
        _refused(cursor, here)
        _kept_by_mapping(cursor, entity, here)
    elif there.writing:
        for rows in _chunks(cursor, there.writing[0]):
            Written(definition, entity, here, there).label(cursor, rows)


def _refused(cursor: Any, here: Place) -> None:
    """The system of record for the field is another one."""
    cursor.execute(
        "update recon_gap g set label = %s, note = 'The hub keeps the value of the system of record.',"
        " evidence = jsonb_build_object('transaction', t.id) from (select distinct on (t.record_id) t.record_id, t.id,"
        "   t.refused from sync_transaction t join recon_gap o on o.record_id = t.record_id"
        "   where o.label = 'unexplained' and o.kind = 'differing' and t.sync_id = any(%s) and t.refused is not null"
        "   order by t.record_id, t.id desc) t"
        " where g.label = 'unexplained' and g.kind = 'differing' and t.record_id = g.record_id and g.fields <@ t.refused",
        [Label.SUPPRESSED.value, list(here.reading)],
    )


def _kept_by_mapping(cursor: Any, entity: Entity, here: Place) -> None:
    """The mapping fills the field only for a new record, or where the hub holds nothing."""
    assert here.stream is not None
    version = inbound_version(here.stream, entity)
    if version is None:
        return
    kept = [rule["target"] for rule in version.rules if rule.get("write_mode") in ("if_new", "if_empty")]
    cursor.execute(
        "update recon_gap g set label = %s, note = %s, evidence = jsonb_build_object('mapping', %s::text)"
        " where g.label = 'unexplained' and g.kind = 'differing' and g.fields <@ %s::text[] and g.fields <> '{}'",
        [
            Label.SUPPRESSED.value,
            f"{version.mapping} takes this field only where the hub holds nothing.",
            version.mapping.slug,
            kept,
        ],
    )


Row = tuple[str, list[str], Record, Record, Record, bool]


def _chunks(cursor: Any, sync: Sync) -> Iterator[list[Row]]:
    """(identity, fields, left, right, hub's body, whether exactly this version was delivered) of what is left."""
    after = ""
    while True:
        rows = cursor.execute(
            "select g.identity, g.fields, coalesce(g.l, '{}')::text, coalesce(g.r, '{}')::text, c.body::text,"
            " d.state = %s and d.delivered_version = c.version from recon_gap g"
            " join records_canonicalrecord c on c.id = g.record_id join sync_delivery d on d.record_id = c.id and"
            " d.sync_id = %s where g.kind = 'differing' and g.label in ('unexplained', 'rounding', 'cut_off')"
            ' and g.identity > %s collate "C" order by g.identity collate "C" limit %s',
            [int(DeliveryState.DELIVERED), sync.pk, after, CHUNK],
        ).fetchall()
        if not rows:
            return
        yield [(row[0], row[1], *map(orjson.loads, row[2:5]), bool(row[5])) for row in rows]
        after = rows[-1][0]


class Written:
    """Holds what the mapping makes of the hub's record against what the target shows."""

    def __init__(self, definition: Definition, entity: Entity, here: Place, there: Place) -> None:
        self.definition, self.here, self.there = definition, here, there
        self.sync = there.writing[0]
        self.version = MappingVersion.objects.filter(
            mapping=self.sync.mapping, status=MappingVersion.Status.ACTIVE
        ).first()
        side = definition.left if there.name == "left" else definition.right
        assert there.stream is not None
        self.reader = StreamReader(side, entity)
        self.mapper = mapper_of(self.version, there.stream) if self.version else None
        self.convert = {name: converter(kind, there.stream.time_zone) for name, kind in definition.columns}

    def label(self, cursor: Any, rows: Sequence[Row]) -> None:
        found = [(row[0], *said) for row, said in zip(rows, self._judged(rows), strict=True) if said]
        if found:
            cursor.execute(
                "update recon_gap g set label = u.label, note = u.note, evidence = jsonb_build_object('delivery',"
                " jsonb_build_array(%s::bigint, g.record_id), 'mapping', %s::text)"
                " from unnest(%s::text[], %s::text[], %s::text[]) u(identity, label, note) where u.identity = g.identity",
                [self.sync.pk, self.sync.mapping.slug, *map(list, zip(*found, strict=True))],
            )

    def _judged(self, rows: Sequence[Row]) -> list[tuple[str, str] | None]:
        expected = self._expected([row[4] for row in rows])
        return [self._judge(row, body) for row, body in zip(rows, expected, strict=True)]

    def _expected(self, bodies: Sequence[Record]) -> list[Record | None]:
        """What the target would show of the hub's records if nobody had touched them, in canonical words."""
        if self.mapper is None:
            return [None for _ in bodies]
        sent = self.mapper.apply_all(bodies)
        shown: list[Record | None] = []
        for one in sent:
            try:
                shown.append(None if isinstance(one, MappingFailure) else self.reader.bring([one])[0].body)
            except HubError:
                shown.append(None)
        return shown

    def _judge(self, row: Row, expected: Record | None) -> tuple[str, str] | None:
        _, fields, left, right, body, is_delivered = row
        here, there = (left, right) if self.there.name == "right" else (right, left)
        if not is_delivered:
            return None
        if expected is not None and all(self._same(name, expected.get(name), there.get(name)) for name in fields):
            number = self.version.number if self.version else 0
            return (
                Label.MAPPING.value,
                f"{self.sync.mapping}, version {number}, makes this of what {self.here.label} says.",
            )
        known = [name for name in fields if self._same(name, body.get(name), here.get(name))]
        if expected is not None and len(known) == len(fields) and all(name in expected for name in fields):
            return Label.CHANGED_AT_TARGET.value, f"{self.there.label} shows another value than was delivered."
        return None

    def _same(self, name: str, one: Any, other: Any) -> bool:
        return self._plain(name, one) == self._plain(name, other)

    def _plain(self, name: str, value: Any) -> str | Decimal | None:
        if value is None or value == "":
            return None
        try:
            found = self.convert[name](value)
        except (Unusable, RecordError):
            return str(value)
        kinds = dict(self.definition.columns)
        return parse_decimal(found).normalize() if found is not None and kinds[name] == "decimal" else found
