"""The records of a leg, counted where they lie: one statement a leg, however many records it has.

Every record of a leg stands in exactly one bucket, and the rows behind a bucket are chosen by the same expression that
counted them, so that figures and rows cannot part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.common.db import plain_cursor
from hub.records.models import CanonicalRecord
from hub.sync.states import DeliveryState
from monitoring.thread.declaration import LegSpec
from monitoring.thread.wiring import Wiring

# What became of a record on a leg; words of hub.common.states where they are states there.
HERE, THERE, UPDATING, PENDING, WAITING, FAILED, NEVER, DISCARDED = (
    "here", "there", "updating", "pending", "waiting", "failed", "never", "discarded",
)  # fmt: skip
DONE = (HERE, THERE, UPDATING)
OPEN = (PENDING, WAITING, FAILED, NEVER)


@dataclass(slots=True)
class Bucket:
    """Records of one leg that are in the same case. Amounts by currency; times as texts of the records where `when` says so."""

    name: str
    count: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    quantity: Decimal = Decimal(0)
    first_when: str = ""
    last_when: str = ""
    # The ledger rows that asked for the delivery which waits longest, and for the newest one.
    first_cause: int | None = None
    last_cause: int | None = None
    # When the oldest record in this case was changed, and when the last one arrived.
    first_at: datetime | None = None
    last_at: datetime | None = None
    sample: int | None = None


@dataclass(slots=True)
class Members:
    """All records of a leg; `named` are keys that something names and that are not here."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    records: list[CanonicalRecord] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    removed: int = 0
    # Records that meet the condition and that the leg's sync does not send.
    unsent: Bucket | None = None
    # Records of the entity that belong to the engagement and do not meet the leg's condition (yet).
    others: int = 0

    def count(self, *names: str) -> int:
        return sum(bucket.count for name, bucket in self.buckets.items() if name in names)

    @property
    def total(self) -> int:
        return sum(bucket.count for bucket in self.buckets.values())

    @property
    def only(self) -> int | None:
        """The one record that the leg has."""
        return next((b.sample for b in self.buckets.values() if b.sample), None) if self.total == 1 else None

    def amounts(self, *names: str) -> dict[str, Decimal]:
        """By currency, of these buckets; of all without a name."""
        found: dict[str, Decimal] = {}
        for name, bucket in self.buckets.items():
            if not names or name in names:
                for currency, amount in bucket.amounts.items():
                    found[currency] = found.get(currency, Decimal(0)) + amount
        return found

    def quantity(self, *names: str) -> Decimal:
        return sum((b.quantity for name, b in self.buckets.items() if not names or name in names), Decimal(0))


class Gathering:
    """The members of every leg of one engagement, leg by leg in their order: later legs ask what earlier ones found."""

    def __init__(self, anchor: CanonicalRecord, wiring: Wiring, legs: Sequence[LegSpec] = ()) -> None:
        self.anchor, self.wiring, self.legs = anchor, wiring, legs
        self.found: dict[str, Members] = {anchor.entity.slug: Members(records=[anchor])}

    def gather(self, leg: LegSpec) -> Members:
        if leg.slug not in self.found:
            self.found[leg.slug] = self._by_column(leg) if leg.is_by_column else self._by_name(leg)
        return self.found[leg.slug]

    # By the project's column: any number of records ------------------------------------------------------------
    def _by_column(self, leg: LegSpec) -> Members:
        """A leg of the same records that also have to reach a system is counted along: both need one reading."""
        if not leg.reaches and (twin := next((other for other in self.legs if _is_twin(leg, other)), None)):
            return _as_here(self.gather(twin))
        entity = self.wiring.entities[leg.entity]
        where = {"entity": entity.pk, "project": self.anchor.key}
        return self._counted(leg, "r.entity_id = %(entity)s and r.project = %(project)s", where)

    # By the keys that other records name: a handful --------------------------------------------------------------
    def _by_name(self, leg: LegSpec) -> Members:
        entity = self.wiring.entities[leg.entity]
        records, named = self._named(leg, entity.pk)
        ids = [record.pk for record in records]
        members = self._counted(leg, "r.id = any(%(ids)s)", {"ids": ids}) if ids else Members()
        known = {record.key for record in records}
        members.records = [record for record in records if record.deleted_at is None]
        members.named = [key for key in named if key not in known]
        return members

    def _named(self, leg: LegSpec, entity_id: int) -> tuple[list[CanonicalRecord], list[str]]:
        rows = CanonicalRecord.objects.filter(entity=entity_id).select_related("entity", "provenance")
        found: dict[int, CanonicalRecord] = {}
        keys: list[str] = []
        for way in leg.found_by:
            if way.way == "self":
                found[self.anchor.pk] = self.anchor
            elif way.way == "named":
                keys += [key for key in self._values(way.of, way.field) if key not in keys]
            elif others := {record.key for record in self._records(way.of)}:
                of_customer = rows.filter(customer=self.anchor.customer) if self.anchor.customer else rows.none()
                found |= {row.pk: row for row in of_customer[:200] if row.body.get(way.field) in others}
        found |= {row.pk: row for row in rows.filter(key__in=keys)} if keys else {}
        return sorted(found.values(), key=lambda row: row.key), keys

    def _records(self, leg: str) -> list[CanonicalRecord]:
        return self.found[leg].records if leg in self.found else []

    def _values(self, leg: str, name: str) -> list[str]:
        return [value for record in self._records(leg) if isinstance(value := record.body.get(name), str) and value]

    # Counting ------------------------------------------------------------------------------------------------------
    def _counted(self, leg: LegSpec, where: str, params: dict[str, Any]) -> Members:
        rows, asked = rows_sql(leg, self.wiring, where, params)
        members = Members()
        with plain_cursor() as cursor:
            for name, currency, *values in cursor.execute(_counts(rows), asked).fetchall():
                _add(members, name, currency, values)
        return members


def rows_sql(leg: LegSpec, wiring: Wiring, where: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """One row for each record of a leg: id, key, bucket, amount, quantity, times. `where` chooses the records `r`."""
    outs = [sync.pk for sync in wiring.outs(leg.entity, leg.reaches)] if leg.reaches else []
    streams = [sync.mapping.stream_id for sync in wiring.reads_from(leg.entity, [leg.reaches])] if leg.reaches else []
    meets, values = _meets(leg.condition)
    goes, only = _meets(_only_when(leg, wiring), "only")
    values |= only
    asked = {**params, **values, "outs": outs, "streams": streams}
    when = "coalesce(" + ", ".join([*(f"r.body ->> {_text(name)}" for name in leg.when), "''"]) + ")"
    quantity = _quantity(leg.quantity) if leg.quantity else "null::numeric"
    columns = (
        "r.id, r.key, r.currency, r.amount, r.period, r.updated_at, r.deleted_at,"
        f" {quantity} as quantity, {when} as at_source"
    )
    gone = "case when r.deleted_at is not null then 'removed' when not (" + meets + ") then 'other'"
    if not leg.reaches:
        rest = "null::bigint as cause_id, null::timestamptz as arrived_at, null::bigint as sync_id"
        return (
            f"select {columns}, {gone} else 'here' end as bucket, {rest} from records_canonicalrecord r where {where}",
            asked,
        )
    known = (
        "exists (select 1 from records_crosswalk x where x.record_id = r.id and x.stream_id = any(%(streams)s::bigint[])"
        " and x.gone_at is null and x.merge_id is null)"
    )
    asked |= {state.name.lower(): int(state) for state in DeliveryState}
    case = (
        f"{gone} when d.state = %(discarded)s then 'discarded'"
        " when d.state in (%(dead)s, %(held)s, %(unsure)s) then 'failed' when d.state = %(waiting)s then 'waiting'"
        " when d.state = %(pending)s then case when d.delivered_version is null then 'pending' else 'updating' end"
        f" when d.state = %(delivered)s or {known} then 'there' when not ({goes}) then 'unsent' else 'never' end as bucket"
    )
    joined = (
        "left join lateral (select d.* from sync_delivery d where d.record_id = r.id and d.sync_id = any(%(outs)s::bigint[])"
        " order by d.state = %(delivered)s, d.sync_id limit 1) d on true"
        if len(outs) != 1
        else "left join sync_delivery d on d.sync_id = (%(outs)s::bigint[])[1] and d.record_id = r.id"
    )
    rest = "d.cause_id, case when d.state = %(delivered)s then d.next_at end as arrived_at, d.sync_id"
    return f"select {columns}, {case}, {rest} from records_canonicalrecord r {joined} where {where}", asked


def _only_when(leg: LegSpec, wiring: Wiring) -> Mapping[str, Sequence[str]]:
    """What the one sync of the leg asks of a record before it delivers it: the rest is not missing at the target."""
    outs = wiring.outs(leg.entity, leg.reaches)
    return outs[0].only_when if len(outs) == 1 else {}


def _meets(condition: Mapping[str, Sequence[str]], prefix: str = "field") -> tuple[str, dict[str, Any]]:
    parts: list[str] = ["true"]
    values: dict[str, Any] = {}
    for place, (name, allowed) in enumerate(condition.items()):
        parts.append(f"coalesce(r.body ->> %({prefix}{place})s = any(%({prefix}{place}_in)s::text[]), false)")
        values |= {f"{prefix}{place}": name, f"{prefix}{place}_in": [str(value) for value in allowed]}
    return " and ".join(parts), values


def _text(name: str) -> str:
    """A field's name as an SQL text: names come from the declaration, which this spells out."""
    assert name.replace("_", "").isalnum()
    return f"'{name}'"


def _quantity(name: str) -> str:
    """A field as a number; what is none is left out of the sum instead of stopping the page."""
    value = f"r.body ->> {_text(name)}"
    return f"case when {value} ~ '^-?[0-9]{{1,15}}([.][0-9]{{1,10}})?$' then ({value})::numeric end"


def _counts(rows: str) -> str:
    return (
        "select bucket, coalesce(currency, ''), count(*), sum(amount), sum(quantity), min(nullif(at_source, '')),"
        f" max(at_source), min(cause_id), max(cause_id), min(updated_at), max(arrived_at), min(id) from ({rows}) rows"
        " group by 1, 2"
    )


def _is_twin(leg: LegSpec, other: LegSpec) -> bool:
    """Whether the other leg counts the same records, and where they have got to."""
    same = ("entity", "found_by", "condition", "when", "quantity")
    return bool(other.reaches) and all(getattr(leg, name) == getattr(other, name) for name in same)


def _as_here(counted: Members) -> Members:
    """The same records as a leg that is done when they are here."""
    unsent = counted.unsent.count if counted.unsent else 0
    found = Members(removed=counted.removed, others=counted.others - unsent)
    buckets = [*counted.buckets.values(), *([counted.unsent] if counted.unsent else [])]
    if not buckets:
        return found
    here = found.buckets[HERE] = Bucket(HERE)
    for bucket in buckets:
        _merge(here, bucket)
    # What is known of deliveries says nothing about a leg that is done without one.
    here.first_cause = here.last_cause = here.last_at = None
    return found


def _merge(into: Bucket, other: Bucket) -> None:
    into.count += other.count
    for currency, amount in other.amounts.items():
        into.amounts[currency] = into.amounts.get(currency, Decimal(0)) + amount
    into.quantity += other.quantity
    into.first_when = min(filter(None, (into.first_when, other.first_when)), default="")
    into.last_when = max(into.last_when, other.last_when)
    into.first_cause = min((n for n in (into.first_cause, other.first_cause) if n is not None), default=None)
    into.last_cause = max((n for n in (into.last_cause, other.last_cause) if n is not None), default=None)
    into.first_at = min((t for t in (into.first_at, other.first_at) if t is not None), default=None)
    into.last_at = max((t for t in (into.last_at, other.last_at) if t is not None), default=None)
    into.sample = min((n for n in (into.sample, other.sample) if n is not None), default=None)


def _add(members: Members, name: str, currency: str, values: Sequence[Any]) -> None:
    count, amount, quantity, first_when, last_when, first_cause, last_cause, first_at, last_at, sample = values
    if name == "removed":
        members.removed += count
        return
    if name == "other":
        members.others += count
        return
    more = Bucket(
        name, count, {} if amount is None else {currency: amount}, quantity or Decimal(0), first_when or "", last_when or "",
        first_cause, last_cause, first_at, last_at, sample,
    )  # fmt: skip
    if name == "unsent":
        members.others += count
        members.unsent = members.unsent or Bucket(name)
        _merge(members.unsent, more)
    else:
        _merge(members.buckets.setdefault(name, Bucket(name)), more)
