"""Why a gap is there, from the hub's own memory: ledger, outbox, held records, crosswalk. The rest stays unexplained.

Each rule is one statement over all gaps (`recon_gap`) that no rule before it has labelled: the nearer cause comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.models import Stream
from governance.models import Entity
from hub.sync.models import Sync
from hub.sync.states import DeliveryState, HeldState, Outcome
from monitoring.models import ReconciliationGap
from monitoring.reconciliation import value_labels, written_labels
from monitoring.reconciliation.definition import Definition, Side
from monitoring.reconciliation.sides import stream_of

Label = ReconciliationGap.Label
# A record that the hub has just made and that is not queued yet is on its way this long, and no longer.
FRESH_HOURS = 24
_FAILED = f"{int(DeliveryState.UNSURE)}, {int(DeliveryState.WAITING)}, {int(DeliveryState.HELD)}"


@dataclass(frozen=True, slots=True)
class Place:
    """One side as the hub knows it: the syncs that read it and those that write to it, for this entity."""

    name: str  # left or right
    label: str
    stream: Stream | None
    reading: tuple[int, ...]
    writing: tuple[Sync, ...]

    @property
    def is_hub(self) -> bool:
        return self.stream is None

    @property
    def writing_ids(self) -> list[int]:
        return [sync.pk for sync in self.writing]


def place_of(name: str, side: Side, entity: Entity) -> Place:
    if side.is_hub:
        return Place(name, side.label, None, (), ())
    stream = stream_of(side)
    syncs = Sync.objects.filter(mapping__stream=stream, mapping__entity=entity).select_related("mapping").order_by("pk")
    reading = tuple(sync.pk for sync in syncs if sync.direction == "in")
    return Place(name, side.label, stream, reading, tuple(sync for sync in syncs if sync.direction == "out"))


def label(cursor: Any, definition: Definition, entity: Entity, key_is_canonical: bool, since: datetime) -> None:
    """Label every gap. `since` is when reading began: what the hub did after that may not have been seen."""
    left = place_of("left", definition.left, entity)
    right = place_of("right", definition.right, entity)
    _find_records(cursor, entity, left, right, key_is_canonical)
    _duplicates(cursor)
    for kind, here, there in (("only_left", left, right), ("only_right", right, left)):
        Missing(cursor, kind, here, there, since).label()
    value_labels.label(cursor, definition)
    here, there = (right, left) if _is_written(left, right) and not _is_written(right, left) else (left, right)
    Missing(cursor, "differing", here, there, since).label_changes()
    written_labels.label(cursor, definition, entity, here, there)
    _say_what_is_known(cursor, left, right)


def _is_written(there: Place, here: Place) -> bool:
    """Whether the hub writes to this place what the other one says."""
    return bool(there.writing) or (there.is_hub and bool(here.reading))


def _find_records(cursor: Any, entity: Entity, left: Place, right: Place, key_is_canonical: bool) -> None:
    if key_is_canonical:
        cursor.execute(
            "update recon_gap g set record_id = c.id from records_canonicalrecord c where c.entity_id = %s and c.key = g.key",
            [entity.pk],
        )
    for place in (left, right):
        if place.is_hub:
            cursor.execute(
                f"update recon_gap set record_id = {place.name}_id::bigint where {place.name}_id is not null"
            )
        else:
            assert place.stream is not None
            cursor.execute(
                "update recon_gap g set record_id = x.record_id from records_crosswalk x"
                f" where x.stream_id = %s and x.external_id = g.{place.name}_id and g.record_id is null",
                [place.stream.pk],
            )


def mark(cursor: Any, found: Label, note: str, evidence: str, source: str, where: str, values: Any = ()) -> int:
    """Label what is not labelled yet. `note` and `evidence` are SQL over `g` and the tables of `source`."""
    cursor.execute(
        f"update recon_gap g set label = '{found.value}', note = {note}, evidence = {evidence}"
        f"{' from ' + source if source else ''} where g.label = 'unexplained' and {where}",
        values,
    )
    return int(cursor.rowcount)


def _duplicates(cursor: Any) -> None:
    note = "'The key ' || g.key || ' is there more than once at this side.'"
    evidence = "jsonb_strip_nulls(jsonb_build_object('record', g.record_id))"
    mark(cursor, Label.DUPLICATE, note, evidence, "", "g.kind in ('duplicate_left', 'duplicate_right')")


class Missing:
    """Gaps of one kind: `here` says something that `there` does not say, or says otherwise."""

    def __init__(self, cursor: Any, kind: str, here: Place, there: Place, since: datetime) -> None:
        self.cursor, self.kind, self.here, self.there, self.since = cursor, kind, here, there, since
        self.id, self.at = f"g.{here.name}_id", f"g.{here.name}_at"

    def label(self) -> None:
        self._held()
        self._merged()
        self._dropped()
        self._deleted()
        self._gone_there()
        self._deliveries()
        self._while_reading()
        self._left_out()
        self._unread()
        self._fresh()

    def label_changes(self) -> None:
        self._held()
        self._unread()
        self._deliveries()
        self._while_reading()

    def _mark(self, found: Label, note: str, evidence: str, source: str, where: str, values: Any = ()) -> None:
        mark(self.cursor, found, note, evidence, source, f"g.kind = '{self.kind}' and {where}", values)

    def _held(self) -> None:
        """It did not pass on its way into the hub."""
        if not self.here.reading:
            return
        self._mark(
            Label.EXCEPTION,
            "h.error_detail",
            "jsonb_build_object('held', jsonb_build_array(h.sync_id, h.external_id), 'transaction', h.transaction_id)",
            "sync_heldrecord h",
            f"h.sync_id = any(%s) and h.external_id = {self.id} and h.state <> {int(HeldState.RELEASED)}",
            [list(self.here.reading)],
        )
        self._mark(
            Label.IN_FLIGHT,
            "'It was let through and is taken in with the next run.'",
            "jsonb_build_object('held', jsonb_build_array(h.sync_id, h.external_id))",
            "sync_heldrecord h",
            f"h.sync_id = any(%s) and h.external_id = {self.id}",
            [list(self.here.reading)],
        )

    def _merged(self) -> None:
        if self.here.stream is None:
            return
        self._mark(
            Label.DUPLICATE,
            "'It was merged into ' || c.key || '.'",
            "jsonb_build_object('record', c.id)",
            "records_crosswalk x join records_canonicalrecord c on c.id = x.record_id",
            f"x.stream_id = %s and x.external_id = {self.id} and x.merge_id is not null",
            [self.here.stream.pk],
        )

    def _dropped(self) -> None:
        """Its contract drops such records, or a person has discarded it."""
        if not self.here.reading:
            return
        self._mark(
            Label.SUPPRESSED,
            "coalesce(t.error_detail, 'It was discarded on its way into the hub.')",
            "jsonb_build_object('transaction', t.id)",
            f"(select distinct on (t.external_id) t.* from sync_transaction t join recon_gap o on o.{self.here.name}_id ="
            f" t.external_id and o.kind = '{self.kind}' where t.record_id is null and t.sync_id = any(%s)"
            " order by t.external_id, t.id desc) t",
            f"t.external_id = {self.id} and t.outcome = {int(Outcome.DISCARDED)} and g.record_id is null",
            [list(self.here.reading)],
        )

    def _deleted(self) -> None:
        self._mark(
            Label.DELETED,
            "'It was deleted at its source; the hub knows since ' || to_char(c.deleted_at, 'YYYY-MM-DD') || '.'",
            "jsonb_build_object('record', c.id)",
            "records_canonicalrecord c",
            "c.id = g.record_id and c.deleted_at is not null",
        )

    def _gone_there(self) -> None:
        if self.there.stream is None:
            return
        self._mark(
            Label.DELETED,
            "'It was there as ' || x.external_id || ' and is gone since ' || to_char(x.gone_at, 'YYYY-MM-DD') || '.'",
            "jsonb_build_object('record', x.record_id)",
            "records_crosswalk x",
            "x.stream_id = %s and x.record_id = g.record_id and x.gone_at is not null and not exists (select from"
            " records_crosswalk o where o.stream_id = x.stream_id and o.record_id = x.record_id and o.gone_at is null)",
            [self.there.stream.pk],
        )

    def _deliveries(self) -> None:
        """What the outbox says of it, newest state."""
        for found, states, note in (
            (Label.DEAD_LETTER, int(DeliveryState.DEAD), "coalesce(d.error_detail, 'It was given up.')"),
            (Label.EXCEPTION, _FAILED, "coalesce(d.error_detail, 'It waits for ' || d.missing_key, 'A person has to look.')"),
            (Label.IN_FLIGHT, int(DeliveryState.PENDING), "'It is queued for ' || s.name || case when d.attempts > 0"
             " then ' and is tried again.' else '.' end"),
            (Label.SUPPRESSED, int(DeliveryState.DISCARDED), "'A person has discarded its delivery.'"),
        ):  # fmt: skip
            self._mark(
                found,
                note,
                "jsonb_build_object('delivery', jsonb_build_array(d.sync_id, d.record_id))",
                "sync_delivery d join sync_sync s on s.id = d.sync_id",
                f"d.sync_id = any(%s) and d.record_id = g.record_id and d.state in ({states})",
                [self.there.writing_ids],
            )

    def _while_reading(self) -> None:
        """The hub wrote it after reading had begun: the other side was read before, or may have been."""
        syncs = self.there.writing_ids or list(self.here.reading)
        self._mark(
            Label.IN_FLIGHT,
            "'It moved while the sides were read.'",
            "jsonb_build_object('transaction', t.id)",
            "(select o.record_id, max(t.id) id from recon_gap o join sync_transaction t on t.record_id = o.record_id"
            f" where o.kind = '{self.kind}' and t.sync_id = any(%s) and t.at >= %s group by 1) t",
            "t.record_id = g.record_id",
            [syncs, self.since],
        )

    def _left_out(self) -> None:
        """Every sync that writes there takes only records of a condition, which it does not meet."""
        if not self.there.writing or not all(sync.only_when for sync in self.there.writing):
            return
        first = self.there.writing[0]
        said = "; ".join(f"{name}: {', '.join(map(str, some))}" for name, some in first.only_when.items())
        conditions = self._each_condition()
        self._mark(
            Label.SUPPRESSED,
            "%s",
            "jsonb_build_object('sync', %s::bigint)",
            "records_canonicalrecord c",
            f"c.id = g.record_id and c.deleted_at is null and not ({conditions[0]})",
            [f"{first.name} takes only records with {said}.", first.pk, *conditions[1]],
        )

    def _each_condition(self) -> tuple[str, list[Any]]:
        """SQL that is true where any of the writing syncs takes the record `c`."""
        parts, values = [], []
        for sync in self.there.writing:
            inner = []
            for name, allowed in sync.only_when.items():
                inner.append("lower(coalesce(c.body ->> %s, '')) = any(%s)")
                values += [name, [str(one).lower() for one in allowed]]
            parts.append(f"({' and '.join(inner)})")
        return " or ".join(parts), values

    def _unread(self) -> None:
        """It was changed after what the hub has read so far."""
        if not self.here.reading:
            return
        self._mark(
            Label.IN_FLIGHT,
            "'It was changed at ' || %s || ' after the hub has last read there.'",
            "jsonb_build_object('sync', s.sync_id)",
            "sync_syncstate s",
            f's.sync_id = any(%s) and s.cursor is not null and {self.at} collate "C" > s.cursor collate "C"',
            [self.here.label, list(self.here.reading)],
        )

    def _fresh(self) -> None:
        """In the hub since a moment ago, and not queued yet."""
        if not self.there.writing:
            return
        self._mark(
            Label.IN_FLIGHT,
            "'It is put up with the next run of ' || %s || '.'",
            "jsonb_build_object('sync', %s::bigint)",
            "records_canonicalrecord c",
            "c.id = g.record_id and c.updated_at > now() - make_interval(hours => %s) and not exists"
            " (select from sync_delivery d where d.sync_id = any(%s) and d.record_id = c.id)",
            [self.there.writing[0].name, self.there.writing[0].pk, FRESH_HOURS, self.there.writing_ids],
        )


def _say_what_is_known(cursor: Any, left: Place, right: Place) -> None:
    """What stays unexplained says where one can look all the same."""
    for kind, here, there in (("only_left", left, right), ("only_right", right, left), ("differing", left, right)):
        cursor.execute(
            "update recon_gap g set evidence = jsonb_build_object('delivery', jsonb_build_array(d.sync_id, d.record_id)),"
            " note = case when g.kind = 'differing' then '' else 'It was delivered to ' || %s || coalesce(' as ' ||"
            " d.target_ref, '') || ', which does not show it.' end from sync_delivery d"
            " where g.kind = %s and g.label = 'unexplained' and d.sync_id = any(%s) and d.record_id = g.record_id"
            " and d.state = %s",
            [there.label, kind, there.writing_ids, int(DeliveryState.DELIVERED)],
        )
        cursor.execute(
            "update recon_gap g set evidence = jsonb_build_object('record', g.record_id)"
            " where g.kind = %s and g.label = 'unexplained' and g.evidence = '{}' and g.record_id is not null",
            [kind],
        )
        if kind != "differing" and (there.writing or here.reading or there.is_hub):
            cursor.execute(
                "update recon_gap g set note = %s where g.kind = %s and g.label = 'unexplained' and g.record_id is null",
                [f"The hub knows no such record, only {here.label} does.", kind],
            )
