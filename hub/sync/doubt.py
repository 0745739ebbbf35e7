"""Writes of unknown outcome: what a killed worker left open, and asking the target, once it has settled, what it holds.

Between the call and its answer only the target knows. Where repeating is harmless (class A and B) the delivery simply stays
due. Where the target can be searched (C) it is asked, and only after its settling time: a request whose answer was lost may
still be at work there, and a look that comes too early finds nothing and leads to a double. Elsewhere (D) a person looks.

For the same reason a newer version goes only when that time is over: what arrives late would otherwise overwrite it, and the
target would keep an old state that the hub believes to be replaced. Only repeating the very same is free of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from connectors.base import HARMLESS, Connector
from hub.common.db import plain_cursor
from hub.common.errors import HubError, RecordError
from hub.common.records import Record, WriteOutcome
from hub.records.copying import ids
from hub.sync import ledger, outbox, runs
from hub.sync.ledger import Entry
from hub.sync.models import Batch
from hub.sync.payloads import differences
from hub.sync.prepare import external_id
from hub.sync.states import DeliveryState, Outcome

if TYPE_CHECKING:
    from hub.sync.outbound import OutboundRun, Parcel

ASKED_AT_ONCE = 200
# A target that cannot be asked now is asked again after this long.
ASK_AGAIN_SECONDS = 60.0
KILLED = "The worker ended while the target was being called, so nobody heard the answer."


# After a crash -------------------------------------------------------------------------------------------------
def take_up_open_batches(work: OutboundRun) -> None:
    """Batches that were intended and never settled: harmless writes simply stay due, the others are in doubt."""
    for batch in Batch.objects.filter(sync_id=work.plan.sync.pk, status=Batch.Status.SENDING):
        with transaction.atomic(), plain_cursor() as cursor:
            work.isolation.blame(cursor, batch.sent_ids or [])
            doubtful = _doubt(cursor, work, batch)
            outbox.expect_late(cursor, batch.sync_id, _sent_versions(batch), seconds=work.settle_seconds)
            counts = {"read": doubtful, "failed": doubtful} if doubtful else {}
            runs.fence(cursor, work.run, counts=counts, stage="recovering")
            cursor.execute("update sync_batch set status = %s where id = %s", [int(Batch.Status.DONE), batch.pk])


def _doubt(cursor: Any, work: OutboundRun, batch: Batch) -> int:
    """Mark what may have been written twice by sending again; returns how many."""
    rows: list[tuple[int, int, int | None]] = []
    for is_known, safety in ((False, work.safety), (True, work.update_safety)):
        if safety not in HARMLESS:
            rows += _mark(cursor, work, batch, is_known=is_known, asked_in=work.asked_in(safety))
    positions = {record_id: position for position, record_id in enumerate(batch.sent_ids or [])}
    entries = [_unsure(positions[record_id], record_id, version, cause) for record_id, version, cause in rows]
    at = cursor.execute("select now()::text").fetchone()[0]
    ids_ = {"run_id": work.run.pk, "sync_id": work.plan.sync.pk, "batch_id": batch.pk}
    ledger.write(cursor, **ids_, at=at, entries=entries, micros=0)
    return len(rows)


def _sent_versions(batch: Batch) -> dict[int, int]:
    """canonical id → the version that was being sent"""
    return dict(zip(batch.sent_ids or (), batch.sent_versions or (), strict=False))


def _mark(
    cursor: Any, work: OutboundRun, batch: Batch, *, is_known: bool, asked_in: float | None
) -> list[tuple[int, int, int | None]]:
    """Put sent records whose id at the target was (not) known in doubt; (canonical id, version, cause)."""
    found = cursor.execute(
        "update sync_delivery d set state = %(unsure)s, attempts = attempts + 1, error_code = 'UNSURE',"
        " error_detail = %(detail)s, next_at = coalesce(now() + make_interval(secs => %(asked_in)s), %(never)s)"
        " where d.sync_id = %(sync)s and d.record_id = any(%(sent)s::bigint[]) and d.state = %(pending)s and"
        " (d.target_ref is not null or d.delivered_version is not null or exists (select 1 from records_crosswalk x"
        "   where x.stream_id = %(stream)s and x.record_id = d.record_id)) = %(is_known)s"
        # what is known there and gone here is removed by its id, which may be repeated
        " and not (%(is_known)s and exists (select from records_canonicalrecord c"
        "   where c.id = d.record_id and c.deleted_at is not null))"
        " returning d.record_id, d.version, d.cause_id",
        {
            "unsure": int(DeliveryState.UNSURE),
            "pending": int(DeliveryState.PENDING),
            "detail": KILLED,
            "asked_in": asked_in,
            "never": outbox.NEVER,
            "sync": work.plan.sync.pk,
            "stream": work.plan.stream_id,
            "sent": ids(batch.sent_ids or []),
            "is_known": is_known,
        },
    ).fetchall()
    return list(found)


def _unsure(position: int, record_id: int, version: int, cause_id: int | None) -> Entry:
    return Entry(
        position,
        Outcome.UNSURE,
        record_id=record_id,
        version=version,
        correlation_id=cause_id or 0,
        error_code="UNSURE",
        error_detail=KILLED,
    )


# Asking the target ---------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Answer:
    """What a target says about doubtful writes, by canonical id."""

    arrived: dict[int, WriteOutcome] = field(default_factory=dict)  # it holds exactly what was sent
    again: dict[int, str | None] = field(default_factory=dict)  # it holds nothing, or other values under this id


def ask(work: OutboundRun, connector: Connector) -> None:
    """Settle doubts whose settling time is over: what arrived counts as delivered, the rest is due again."""
    while parcels := _doubtful(work):
        try:
            answer = _look(connector, work, parcels)
        except NotImplementedError:
            return _postpone(work, seconds=None)
        except HubError:
            return _postpone(work, seconds=ASK_AGAIN_SECONDS)
        arrived = [parcel for parcel in parcels if parcel.due.record_id in answer.arrived]
        with transaction.atomic(), plain_cursor() as cursor:
            runs.fence(cursor, work.run, counts={}, stage="asking the target")
            outbox.send_again(cursor, work.plan.sync.pk, answer.again)
        if arrived:
            work.settle(arrived, answer.arrived, work.intend(arrived, []), micros=0)


def _doubtful(work: OutboundRun) -> list[Parcel]:
    """Due doubts of writes that the target can be asked about; all others wait for a person."""
    if "C" not in (work.safety, work.update_safety):
        _postpone(work, seconds=None)
        return []
    with transaction.atomic(), plain_cursor() as cursor:
        due = outbox.due(cursor, work.plan.sync.pk, ASKED_AT_ONCE, state=DeliveryState.UNSURE)
    return work.pack(due)


def _postpone(work: OutboundRun, *, seconds: float | None) -> None:
    with plain_cursor() as cursor:
        outbox.postpone_doubts(cursor, work.plan.sync.pk, seconds=seconds)


def _look(connector: Connector, work: OutboundRun, parcels: Sequence[Parcel]) -> Answer:
    there = connector.find(work.plan.stream, [parcel.due.key for parcel in parcels])
    creates_only = work.plan.stream.options.get("operation") == "create"
    answer = Answer()
    for parcel in parcels:
        found = there.get(parcel.due.key)
        ref = parcel.ref if found is None else _ref(found, work.plan.stream.key) or parcel.ref
        if found is not None and ref and (creates_only or _is_as_sent(found, parcel)):
            answer.arrived[parcel.due.record_id] = WriteOutcome(parcel.due.key, "created", ref=ref)
        else:
            answer.again[parcel.due.record_id] = ref
    return answer


def _is_as_sent(found: Record, parcel: Parcel) -> bool:
    return parcel.error is None and not any(differences(found, parcel.body))


def _ref(found: Record, key: Sequence[str]) -> str | None:
    """The target's own id of a record that it showed; None where its key is not among what it shows."""
    try:
        return external_id(found, key)
    except RecordError:
        return None
