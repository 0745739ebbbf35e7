"""Taking records away in the transaction of a page: ids gone, records deleted, ledger rows and deliveries to tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.common import facts
from hub.records import removing
from hub.sync import held, ledger, outbox
from hub.sync.ledger import Entry
from hub.sync.models import Sync
from hub.sync.plan import SyncPlan
from hub.sync.states import Outcome


@dataclass(slots=True)
class Taken:
    """Ledger rows of the records that were removed, and the outbound syncs that have to tell their targets."""

    entries: list[Entry] = field(default_factory=list)
    delivering: set[int] = field(default_factory=set)


def take_away(
    cursor: Any, plan: SyncPlan, positions: Mapping[str, int], *, before_batch: int = removing.NO_BATCH
) -> Taken:
    """Take away what the stream shows no more: external id → position in the page.

    A record that another source still holds stays; an id that has been gone before, or is unknown, changes nothing.
    """
    gone = removing.mark_gone(cursor, plan.stream_id, list(positions), before_batch=before_batch)
    held.clear(cursor, plan.sync.pk, list(positions))
    removed = removing.delete_lifeless(cursor, plan.entity.pk, set(gone.values()), living_streams(plan.entity.pk))
    if not removed:
        return Taken()
    names = {record_id: external_id for external_id, record_id in gone.items()}
    numbers = ledger.allocate_ids(cursor, len(removed))
    entries = [
        Entry(
            positions[names[record.id]],
            Outcome.REMOVED,
            external_id=names[record.id],
            key=record.key,
            record_id=record.id,
            version=record.version,
            amount=record.amount,
            currency=record.currency,
            id=number,
        )
        for record, number in zip(removed, numbers, strict=True)
    ]
    rows = [(record.id, record.version, number) for record, number in zip(removed, numbers, strict=True)]
    told = [(record.id, record.key, record.version, record.body) for record in removed]
    facts.publish("records_removed", cursor=cursor, sync_id=plan.sync.pk, rows=told)
    delivering = outbox.enqueue_removed(cursor, [subscriber.sync_id for subscriber in plan.subscribers], rows)
    return Taken(entries, delivering)


def living_streams(entity_id: int) -> list[int]:
    """The streams whose showing a record keeps it alive: those that are read into the entity."""
    read = Sync.objects.filter(mapping__entity=entity_id, mapping__direction="in").order_by()
    return list(read.values_list("mapping__stream_id", flat=True).distinct())


def note_ours(cursor: Any, plan: SyncPlan, batch_id: int) -> None:
    """Ids that reading has just linked are the hub's own making where it had delivered the record to the same stream."""
    cursor.execute(
        "update records_crosswalk x set is_ours = true where x.stream_id = %s and x.batch_id = %s and exists ("
        " select from sync_delivery d join sync_sync s on s.id = d.sync_id join mappings_mapping m on m.id = s.mapping_id"
        " where m.stream_id = x.stream_id and d.record_id = x.record_id and d.delivered_version is not null)",
        [plan.stream_id, batch_id],
    )
