"""Removals on their way to a target: through the same outbox, with the same intent and outcome as any other delivery.

A removal is told by the target's own id and may be repeated without harm: what is gone or inactive already stays so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hub.common.errors import HubError, PermanentError, TransientError
from hub.common.records import Operation, WriteOutcome
from hub.records import removing
from hub.records.copying import ids
from hub.sync.models import Sync
from hub.sync.outbox import Due
from hub.sync.plan import SyncPlan
from hub.sync.removals import policy as policies
from hub.sync.states import Outcome

if TYPE_CHECKING:
    from hub.sync.outbound import Parcel

OnRemoval = Sync.OnRemoval
OUTCOMES: dict[str, Outcome] = {
    OnRemoval.DEACTIVATE: Outcome.DEACTIVATED,
    OnRemoval.DELETE: Outcome.REMOVED,
    OnRemoval.CLOSE: Outcome.CLOSED,
}
# How connectors say that the target has nothing under an id.
NOT_THERE = "NOT_FOUND"


def policy_for(plan: SyncPlan, due: Sequence[Due]) -> str:
    """What is done with those of the records that are gone; empty when none is."""
    return policies.of(plan.sync) if any(item.is_deleted for item in due) else ""


def closing(plan: SyncPlan, due: Sequence[Due], policy: str) -> Sequence[Due]:
    """The records as they are mapped: those that are to be closed with the values that close them."""
    if policy != OnRemoval.CLOSE:
        return due
    return [d._replace(body={**d.body, **plan.sync.closing_values}) if d.is_deleted else d for d in due]


def address(plan: SyncPlan, parcels: Sequence[Parcel], policy: str) -> None:
    """Turn parcels of records that are gone into removals. What the target was never given needs none."""
    for parcel in parcels:
        if not parcel.due.is_deleted:
            continue
        parcel.is_echo, parcel.is_unwanted = False, parcel.ref is None or policy == OnRemoval.IGNORE
        parcel.removal = "" if parcel.is_unwanted else policy
        if parcel.is_unwanted:
            parcel.error = None
        elif policy != OnRemoval.CLOSE:
            parcel.error = _refusal(plan, policy)
            parcel.hash = hashlib.blake2b(policy.encode(), digest_size=16).digest()


def _refusal(plan: SyncPlan, policy: str) -> HubError | None:
    sentence = policies.forbids_delete(plan.entity) if policy == OnRemoval.DELETE else ""
    if not sentence:
        return None
    return PermanentError(sentence, where=plan.sync.slug, fix="Change the sync's settings.", code="NEVER_DELETED")


def operation(parcel: Parcel, usual: Operation) -> Operation:
    if parcel.removal == OnRemoval.DELETE:
        return "delete"
    return "deactivate" if parcel.removal == OnRemoval.DEACTIVATE else usual


def outcome(parcel: Parcel, usual: Outcome) -> Outcome:
    """What the ledger says of a delivery that the target took."""
    return OUTCOMES.get(parcel.removal, usual)


def believed(parcels: Sequence[Parcel], answers: dict[int, WriteOutcome]) -> dict[int, WriteOutcome]:
    """What the answers say of removals: nothing there to remove is done, and a lost answer is simply asked for again."""
    gone = {p.due.record_id: p for p in parcels if p.removal in (OnRemoval.DEACTIVATE, OnRemoval.DELETE)}
    return {**answers, **{record_id: _believed(parcel, answers.get(record_id)) for record_id, parcel in gone.items()}}


def _believed(parcel: Parcel, answer: WriteOutcome | None) -> WriteOutcome:
    if answer is None or answer.status == "unsure":
        said = answer.error if answer and answer.error else "The target's answer leaves this record out."
        return WriteOutcome(parcel.due.key, "failed", error=TransientError(str(said)))
    if answer.error is not None and answer.error.code == NOT_THERE:
        return WriteOutcome(answer.key, "unchanged", ref=parcel.ref, http_status=answer.http_status)
    return answer


def forget(cursor: Any, plan: SyncPlan, record_ids: Sequence[int]) -> None:
    """The target deleted these: should they come back, they are new there."""
    if not record_ids:
        return
    cursor.execute(
        "update sync_delivery set target_ref = null, delivered_version = null, delivered_hash = null"
        " where sync_id = %s and record_id = any(%s::bigint[])",
        [plan.sync.pk, ids(record_ids)],
    )
    removing.forget_links(cursor, plan.stream_id, record_ids)
