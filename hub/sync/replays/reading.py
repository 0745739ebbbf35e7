"""From the start: what the source gave for a record goes through contract, mapping and matching again, then it is sent.

The payload stands in the batch of the page that caused the delivery. It is laid among the records that may be tried again,
so that the way in is the usual one. Only the newest reading of a record is taken: an older one would put old values back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from hub.sync import engine, ledger
from hub.sync.models import Batch, ReplayItem, Run
from hub.sync.states import HeldState

_CAUSES = """
select i.id, t.id, t.sync_id, t.external_id, t.batch_id, t.position from sync_replayitem i
join sync_delivery d on d.sync_id = i.sync_id and d.record_id = i.record_id
join sync_transaction t on t.id = d.cause_id
join sync_sync s on s.id = t.sync_id join mappings_mapping m on m.id = s.mapping_id and m.direction = 'in'
join records_crosswalk x on x.stream_id = m.stream_id and x.external_id = t.external_id and x.batch_id = t.batch_id
where i.id = any(%s::bigint[])
  and not exists (select 1 from sync_heldrecord h where h.sync_id = t.sync_id and h.external_id = t.external_id)
"""
_LAY = """
insert into sync_heldrecord (sync_id, external_id, state, error_code, error_detail, field, body, transaction_id, first_at,
  last_at) values (%s, %s, %s, 'REPLAY', %s, '', %s::jsonb, %s, now(), now()) on conflict do nothing
"""


class _Reading(NamedTuple):
    item_id: int
    transaction_id: int
    sync_id: int
    external_id: str
    batch_id: int
    position: int


def take_through(cursor: Any, ids: Sequence[int], *, note: str) -> set[int]:
    """Items whose source payload goes through again; the others have none that is kept and the newest."""
    found = [_Reading(*row) for row in cursor.execute(_CAUSES, [list(ids)]).fetchall()]
    payloads = _payloads({reading.batch_id for reading in found})
    read = [reading for reading in found if reading.batch_id in payloads]
    for reading in read:
        body = payloads[reading.batch_id][reading.position]
        detail = f"It is taken through again by {note}."
        values = [reading.sync_id, reading.external_id, int(HeldState.RELEASED), detail, orjson.dumps(body).decode()]
        cursor.execute(_LAY, [*values, reading.transaction_id])
        cursor.execute(
            "update sync_replayitem set status = %s, through_id = %s, external_id = %s where id = %s",
            [int(ReplayItem.Status.READING), reading.sync_id, reading.external_id, reading.item_id],
        )
    engine.start_all({reading.sync_id for reading in read}, trigger=Run.Trigger.RELEASE)
    return {reading.item_id for reading in read}


def _payloads(batch_ids: set[int]) -> dict[int, list[Any]]:
    batches = Batch.objects.filter(pk__in=batch_ids, payload__isnull=False).only("payload")
    return {batch.pk: ledger.unpack(bytes(batch.payload or b"")) for batch in batches}
