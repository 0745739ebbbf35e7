"""Class A: a create whose answer is not known is repeated to the letter before anything newer of its record is sent.

The target recognises the key of the request, not the record. The key is made from what is sent, so a record that changed while
the answer was lost would go under another key and would be there twice. Therefore the intent names, on the delivery, the
batch that holds what was sent; the repetition tells the record's id at the target, and the newer version follows as its update.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from hub.common.errors import PermanentError
from hub.common.records import Record
from hub.records.copying import ids
from hub.sync import ledger
from hub.sync.models import Batch

if TYPE_CHECKING:
    from hub.sync.outbound import Parcel

CLASS = "A"
# The version of what is repeated: older than any, so that the delivery stays due for the newest one.
OLDER = 0


def remember(cursor: Any, sync_id: int, batch_id: int, sending: Sequence[Parcel]) -> None:
    """Note in the intent's transaction what is about to be made at the target; an earlier note is the one that counts."""
    made = [parcel.due.record_id for parcel in sending if parcel.ref is None]
    if made:
        cursor.execute(
            "update sync_delivery set doubted_batch_id = %s"
            " where sync_id = %s and record_id = any(%s::bigint[]) and doubted_batch_id is null",
            [batch_id, sync_id, ids(made)],
        )


def restore(parcels: Sequence[Parcel]) -> None:
    """Put what was sent back into the parcels of records that may be at the target under an id that nobody has heard."""
    doubted = [(p, p.due.doubted_batch_id) for p in parcels if p.due.doubted_batch_id is not None and p.ref is None]
    if not doubted:
        return
    sent = _sent({batch_id for _, batch_id in doubted if batch_id is not None})
    for parcel, batch_id in doubted:
        _repeat(parcel, sent.get((batch_id or 0, parcel.due.record_id)))


def _repeat(parcel: Parcel, body: Record | None) -> None:
    if body is None:
        parcel.error = PermanentError(
            "The target may hold this record already, and what was sent to it is no longer kept.",
            fix="Look for the record there. If it is missing, send this again.",
            code="UNSURE",
        )
        return
    newest = parcel.hash
    parcel.body = body
    parcel.seal()
    parcel.is_repeat = parcel.error is not None or parcel.is_unwanted or parcel.hash != newest
    parcel.error, parcel.is_unwanted, parcel.removal = None, False, ""


def _sent(batch_ids: Collection[int]) -> dict[tuple[int, int], Record]:
    """(batch, canonical id) → what was sent, which stands at the beginning of a batch's payload."""
    found = {}
    for batch in Batch.objects.filter(pk__in=batch_ids):
        bodies = ledger.unpack(bytes(batch.payload)) if batch.payload else []
        found.update({(batch.pk, record_id): body for record_id, body in zip(batch.sent_ids or (), bodies)})  # noqa: B905
    return found
