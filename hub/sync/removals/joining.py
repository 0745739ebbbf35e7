"""A source says that one of its records was merged into another: the hub does the same, in the page's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.records.models import CanonicalRecord
from hub.records.queries import crosswalk_of
from hub.sync import ledger
from hub.sync.ledger import Entry
from hub.sync.models import Merge
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Item
from hub.sync.removals import merging
from hub.sync.removals.merging import Touched


def join(cursor: Any, plan: SyncPlan, run_id: int, item: Item, winner: str) -> tuple[list[Entry], set[int]]:
    """Ledger rows, that of the loser first, and the outbound syncs with work; neither where there is nothing to merge."""
    pair = _pair(cursor, plan, item.external_id, winner)
    if pair is None:
        return [], set()
    return carry_out(cursor, item, Merge(entity=plan.entity, loser=pair[0], winner=pair[1], run_id=run_id))


def carry_out(cursor: Any, item: Item, merge: Merge) -> tuple[list[Entry], set[int]]:
    """In the transaction of the page that holds `item`, the loser's record."""
    entries: list[Entry] = []

    def log(touched: Sequence[Touched]) -> list[int]:
        numbers = ledger.allocate_ids(cursor, len(touched))
        entries.extend(_entry(item, one, number) for one, number in zip(touched, numbers, strict=True))
        return numbers

    return entries, merging.carry_out(cursor, merge, log)


def _pair(cursor: Any, plan: SyncPlan, loser: str, winner: str) -> tuple[CanonicalRecord, CanonicalRecord] | None:
    """(loser, winner), locked in the order of their ids; None where the loser is unknown, or the two are one already."""
    found = {name: record_id for name, (_, record_id) in crosswalk_of(plan.stream_id, (loser, winner)).items()}
    if len(found) < 2 or found[loser] == found[winner]:
        return None
    rows = CanonicalRecord.objects.select_for_update().filter(pk__in=found.values()).order_by("pk")
    records = {row.pk: row for row in rows}
    if Merge.objects.filter(loser=found[loser], undone_at__isnull=True).exists() or records[found[winner]].deleted_at:
        return None
    return records[found[loser]], records[found[winner]]


def _entry(item: Item, touched: Touched, number: int) -> Entry:
    return Entry(
        item.position,
        touched.outcome,
        external_id=None if touched.field else item.external_id,
        key=touched.key,
        record_id=touched.record_id,
        version=touched.version,
        changed=(touched.field,) if touched.field else None,
        id=number,
    )
