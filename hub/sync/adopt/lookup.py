"""The mode *adopt* of an outbound sync: nothing is created that the target holds, nothing there is emptied.

Before a record is created, people's decisions in the first load are asked, then the target itself, then what was read of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from connectors.base import Connector
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError, HubError, RecordError
from hub.common.records import Record
from hub.records.copying import ids, texts
from hub.sync import runs
from hub.sync.adopt import definitions
from hub.sync.doubles import written_forms
from hub.sync.models import Adoption, StagedRecord, Sync
from hub.sync.payloads import differences
from hub.sync.plan import SyncPlan
from hub.sync.prepare import external_id

if TYPE_CHECKING:
    from hub.sync.outbound import OutboundRun, Parcel

Side, Verdict, Decision = StagedRecord.Side, StagedRecord.Verdict, StagedRecord.Decision
EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(slots=True)
class Memory:
    """What the sync's approved first load says of these records, by canonical key."""

    adoption: Adoption | None = None
    rows: dict[str, StagedRecord] = field(default_factory=dict)

    @classmethod
    def of(cls, sync: Sync, keys: Sequence[str]) -> Memory:
        approved = Adoption.objects.filter(target=sync, status__in=(Adoption.Status.CREATING, Adoption.Status.DONE))
        adoption = approved.order_by("-pk").first()
        if adoption is None:
            return cls()
        rows = StagedRecord.objects.filter(adoption=adoption, side=Side.SOURCE, key__in=keys).select_related("partner")
        return cls(adoption, {row.key: row for row in rows.defer("record")})

    def refusal(self, key: str) -> RecordError | None:
        """Why a record must not be created: a person left it out, or has not decided yet."""
        row = self.rows.get(key)
        if row is None or row.partner_id:
            return None
        where = f"first load {row.adoption_id}"
        if row.decision == Decision.LEAVE:
            return RecordError("It was left out of the first load.", where=where, fix="Decide otherwise there.")
        if row.verdict == Verdict.MAYBE and not row.decision:
            return RecordError(
                "The target may hold it already.", where=where, fix="Decide there whether it is the same."
            )
        return None


# Updates ---------------------------------------------------------------------------------------------------
def spare(plan: SyncPlan, parcels: Iterable[Parcel]) -> None:
    """Take from the bodies of records that the target holds what must not change there.

    Those are empty values, and the fields whose value the target keeps. What is then no change at all is marked.
    """
    known = [parcel for parcel in parcels if parcel.error is None and parcel.ref is not None]
    if not known:
        return
    chosen = definitions.rules_of(plan.sync, plan.contract_version.schema)
    memory = Memory.of(plan.sync, [parcel.due.key for parcel in known])
    may_clear, owned = _paths(plan, chosen.may_clear), _paths(plan, chosen.keep_target)
    for parcel in known:
        row = memory.rows.get(parcel.due.key)
        kept = set(row.kept) if row else set()
        if parcel.due.delivered_version is not None:
            kept |= owned
        parcel.body = _without(parcel.body, kept, may_clear)
        parcel.is_echo = parcel.is_echo or plan.stream.options.get("operation") == "create"
        if row and row.partner and parcel.due.delivered_version is None:
            parcel.is_echo = parcel.is_echo or not differences(row.partner.record, parcel.body)


def _paths(plan: SyncPlan, names: Iterable[str]) -> set[str]:
    wanted = set(names)
    return {rule.target for rule in plan.rules if rule.source.split(".", 1)[0] in wanted}


def _without(body: Record, kept: set[str], may_clear: set[str], at: str = "") -> Record:
    """The body without kept fields, and without empty ones that may not be cleared; nested records by dotted path."""
    found: Record = {}
    for name, value in body.items():
        path = f"{at}.{name}" if at else name
        if path in kept:
            continue
        if isinstance(value, dict) and value:
            if inner := _without(value, kept, may_clear, path):
                found[name] = inner
        elif value not in EMPTY or path in may_clear:
            found[name] = value
    return found


# Creations -------------------------------------------------------------------------------------------------
def look_up(work: OutboundRun, connector: Connector, parcels: Sequence[Parcel]) -> None:
    """Link records that would be created to what the target holds; hold those about which a person has not decided."""
    new = [p for p in parcels if p.error is None and p.ref is None and not p.is_unwanted]
    if not new:
        return
    memory = Memory.of(work.plan.sync, [parcel.due.key for parcel in new])
    for parcel in new:
        parcel.error = memory.refusal(parcel.due.key)
    asked = [parcel for parcel in new if parcel.error is None]
    there = _there(work.plan, connector, asked, memory)
    linked = [parcel for parcel in asked if _take(work.plan, parcel, there)]
    _keep_links(work, linked)
    spare(work.plan, linked)
    for parcel in linked:
        parcel.is_echo = parcel.is_echo or not differences(there[parcel.due.key], parcel.body)
        parcel.seal()


def _there(plan: SyncPlan, connector: Connector, parcels: Sequence[Parcel], memory: Memory) -> dict[str, Record]:
    """canonical key → the target's record. Raises ConfigError where nothing can tell what the target holds."""
    forms = {parcel.due.key: written_forms(parcel.due.key) for parcel in parcels}
    wanted = list(dict.fromkeys(form for each in forms.values() for form in each))
    if not wanted:
        return {}
    try:
        held = _find(plan, connector, wanted, parcels)
    except NotImplementedError:
        held = _read_before(plan, wanted, memory)
    return {key: held[hits[0]] for key, each in forms.items() if (hits := [form for form in each if form in held])}


def _find(plan: SyncPlan, connector: Connector, wanted: Sequence[str], parcels: Sequence[Parcel]) -> dict[str, Record]:
    """All at once; where the target holds a key twice, one by one, so that only that record is held."""
    try:
        return connector.find(plan.stream, wanted)
    except RecordError:
        found: dict[str, Record] = {}
        for parcel in parcels:
            try:
                found |= connector.find(plan.stream, written_forms(parcel.due.key))
            except RecordError as error:
                parcel.error = error
        return found


def _read_before(plan: SyncPlan, wanted: Sequence[str], memory: Memory) -> dict[str, Record]:
    if memory.adoption is None:
        raise ConfigError(
            f"The target {plan.connection.name!r} cannot be asked for a key, and no first load has read it, so nobody knows"
            " what would become a double.",
            where=plan.sync.slug,
            fix="Do a first load, or choose another mode for this sync.",
            code="NOT_SEARCHABLE",
        )
    rows = StagedRecord.objects.filter(adoption=memory.adoption, side=Side.TARGET, key__in=wanted)
    return {row.key: row.record for row in rows}


def _take(plan: SyncPlan, parcel: Parcel, there: Mapping[str, Record]) -> bool:
    found = there.get(parcel.due.key)
    if parcel.error is not None or found is None:
        return False
    try:
        parcel.ref = external_id(found, plan.stream.key)
    except HubError as error:
        parcel.error = error
    return parcel.error is None


def _keep_links(work: OutboundRun, linked: Sequence[Parcel]) -> None:
    """The links stand before anything is sent: a worker that falls then finds the record known."""
    if not linked:
        return
    with transaction.atomic(), plain_cursor() as cursor:
        runs.fence(cursor, work.run, counts={}, stage="linking")
        cursor.execute(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash)"
            " select %s, u.ref, u.id, 0, ''::bytea from unnest(%s::text[], %s::bigint[]) u(ref, id) order by u.ref"
            " on conflict do nothing",
            [work.plan.stream_id, texts([p.ref or "" for p in linked]), ids(p.due.record_id for p in linked)],
        )
