"""The dry run of delivering: records are mapped, and the target is asked what it holds, where it can be asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import QuerySet

from connectors.services import open_connection
from hub.common.errors import HubError
from hub.common.records import Record
from hub.records.models import CanonicalRecord
from hub.sync import doubles
from hub.sync.dry_result import DryRun, Row, refusal
from hub.sync.models import Delivery
from hub.sync.outbound import Parcel, pack
from hub.sync.outbox import Due
from hub.sync.payloads import FieldChange, differences, flat
from hub.sync.plan import SyncPlan, subscriber_of
from hub.sync.states import DeliveryState

# Of so many newest records those that meet the condition are looked at.
LOOK_AT = 2_000


def run(plan: SyncPlan, result: DryRun, *, sample: int, external_ids: Collection[str] | None) -> None:
    """Fill `result` with what would become of the due or newest records (or of those with these keys)."""
    judge(plan, result, pack(plan, _due(plan, sample, external_ids)))


def due_of(plan: SyncPlan, record_ids: Collection[int]) -> list[Due]:
    """These records as they would be delivered, in the order of their ids."""
    records = CanonicalRecord.objects.filter(pk__in=record_ids, entity=plan.entity, deleted_at__isnull=True)
    known = {d.record_id: d for d in Delivery.objects.filter(sync_id=plan.sync.pk, record_id__in=record_ids)}
    return [_as_due(record, known.get(record.pk)) for record in records.order_by("pk")]


def judge(plan: SyncPlan, result: DryRun, parcels: Sequence[Parcel]) -> None:
    """Add to `result` what would become of records that are mapped already; only the target is asked, nothing is sent."""
    result.read += len(parcels)
    sendable = [p for p in parcels if p.error is None and not p.is_unchanged]
    held = _ask(plan, sendable, result)
    result.rows += [_row(plan, parcel, held) for parcel in parcels]


# What is looked at -----------------------------------------------------------------------------------------
def _due(plan: SyncPlan, sample: int, keys: Collection[str] | None) -> list[Due]:
    records = CanonicalRecord.objects.filter(entity=plan.entity, deleted_at__isnull=True)
    if keys:
        chosen = list(records.filter(key__in=list(keys)).order_by("pk")[: len(keys)])
    else:
        chosen = _pending(plan, records, sample)
        chosen += _newest(plan, records.exclude(pk__in=[r.pk for r in chosen]), sample - len(chosen))
    known = {
        d.record_id: d for d in Delivery.objects.filter(sync_id=plan.sync.pk, record_id__in=[r.pk for r in chosen])
    }
    return [_as_due(record, known.get(record.pk)) for record in chosen]


def _pending(plan: SyncPlan, records: QuerySet[CanonicalRecord], sample: int) -> list[CanonicalRecord]:
    waiting = Delivery.objects.filter(sync_id=plan.sync.pk, state=DeliveryState.PENDING).order_by("record_id")
    return list(records.filter(pk__in=list(waiting.values_list("record_id", flat=True)[:sample])).order_by("pk"))


def _newest(plan: SyncPlan, records: QuerySet[CanonicalRecord], number: int) -> list[CanonicalRecord]:
    if number <= 0:
        return []
    subscriber = subscriber_of(plan.sync)
    if not subscriber.only_when:
        return list(records.order_by("-pk")[:number])
    return [record for record in records.order_by("-pk")[:LOOK_AT] if subscriber.wants(record.body)][:number]


def _as_due(record: CanonicalRecord, known: Delivery | None) -> Due:
    return Due(
        record.pk,
        record.version,
        record.key,
        record.body,
        0,
        None,
        known.target_ref if known else None,
        known.delivered_version if known else None,
        bytes(known.delivered_hash) if known and known.delivered_hash else None,
        None if record.amount is None else str(record.amount),
        record.currency,
        record.provenance_id,
    )


# What the target holds -------------------------------------------------------------------------------------
def _ask(plan: SyncPlan, parcels: Sequence[Parcel], result: DryRun) -> dict[str, Record] | None:
    """key → the target's record, also for other ways to write the keys; None when the target cannot be asked."""
    if not parcels:
        return {}
    keys = dict.fromkeys(form for parcel in parcels for form in doubles.written_forms(parcel.due.key))
    try:
        with open_connection(plan.connection) as connector:
            return connector.find(plan.stream, list(keys))
    except NotImplementedError:
        result.notes.append("This target cannot be asked what it holds; the answers go by what the hub has delivered.")
    except HubError as error:
        result.notes.append(f"The target could not be asked what it holds: {error}")
    return None


# What would become of it -----------------------------------------------------------------------------------
def _row(plan: SyncPlan, parcel: Parcel, held: dict[str, Record] | None) -> Row:
    due = parcel.due
    name = doubles.name_field(plan.contract.markers)
    label, ref = str(due.body.get(name) or "") if name else "", parcel.ref or ""
    if parcel.error is not None:
        return refusal(parcel.error, due.key, ref)
    if parcel.is_unchanged:
        said = "The target said this itself." if parcel.is_echo else "The target already has exactly this."
        return Row("skip", due.key, ref, label, said)
    if held is None:
        return _by_memory(parcel, label, ref)
    if due.key in held:
        return _meeting(plan, parcel, held[due.key], label, ref)
    twin = next((form for form in doubles.written_forms(due.key) if form in held), "")
    if twin and not parcel.ref:
        sentence = f"The target holds {twin}: the key differs only in case, blanks or leading zeros."
        return Row("would_duplicate", due.key, ref, label, sentence, twin, _all_fields(parcel))
    return _by_memory(parcel, label, ref)


def _meeting(plan: SyncPlan, parcel: Parcel, there: Record, label: str, ref: str) -> Row:
    """The target holds a record under this key."""
    key = parcel.due.key
    if plan.stream.options.get("operation") == "create" and not parcel.ref:
        sentence = "The target already holds this key, and this stream only creates."
        return Row("would_duplicate", key, ref, label, sentence, key, _all_fields(parcel))
    changes = tuple(differences(there, parcel.body))
    if not changes:
        return Row("skip", key, ref, label, "The target already holds these values.")
    return Row("update", key, ref, label, changes=changes)


def _by_memory(parcel: Parcel, label: str, ref: str) -> Row:
    """By what the hub has delivered before."""
    if parcel.due.delivered_version is not None or parcel.ref:
        sentence = "The hub has delivered it before; what the target holds now is not known."
        return Row("update", parcel.due.key, ref, label, sentence, changes=_all_fields(parcel, is_known=False))
    return Row("create", parcel.due.key, ref, label, changes=_all_fields(parcel))


def _all_fields(parcel: Parcel, *, is_known: bool = True) -> tuple[FieldChange, ...]:
    return tuple(FieldChange(path, None, value, is_known) for path, value in flat(parcel.body) if value is not None)
