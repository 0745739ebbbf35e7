"""What a switch does to the outbox, in the switch's transaction and set-based: one side lets go, the other takes over.

A record in flight, or of which nobody knows whether it arrived, stays with the side it was sent to; that side either confirms
it or, being closed, hands it over (hub.sync.routing) once it is known not to be there.
"""

from __future__ import annotations

from typing import Any

from hub.cutover.models import REST, Cutover, CutoverRoute
from hub.sync import outbox, routing
from hub.sync.models import Batch, Sync
from hub.sync.plan import subscriber_of
from hub.sync.states import DeliveryState

_LET_GO = (DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DEAD)
UNFINISHED = (*_LET_GO, DeliveryState.UNSURE)
_IN_FLIGHT = (
    f"select unnest(b.sent_ids) from sync_batch b where b.sync_id = %s and b.status = {int(Batch.Status.SENDING)}"
)


def scope(route: CutoverRoute) -> tuple[str, list[Any]]:
    """`and …` on records_canonicalrecord as c, with its values: the records of the route."""
    place, cutover = "coalesce(c.legal_entity, '')", route.cutover
    if route.legal_entity == REST:
        return f" and c.entity_id = %s and not {place} = any(%s::text[])", [cutover.entity_id, cutover.legal_entities]
    return f" and c.entity_id = %s and {place} = %s", [cutover.entity_id, route.legal_entity]


def unfinished(cursor: Any, route: CutoverRoute, sync: Sync) -> int:
    """Deliveries of a sync for this route that are neither there nor given up."""
    where, values = scope(route)
    row = cursor.execute(
        "select count(*) from sync_delivery d join records_canonicalrecord c on c.id = d.record_id"
        f" where d.sync_id = %s and d.state = any(%s){where}",
        [sync.pk, [int(s) for s in UNFINISHED], *values],
    ).fetchone()
    return int(row[0])


def close(cursor: Any, route: CutoverRoute, sync: Sync) -> list[int]:
    """What waits at this side is not sent any more; returns the records."""
    where, values = scope(route)
    rows = cursor.execute(
        "with gone as (select d.record_id from sync_delivery d join records_canonicalrecord c on c.id = d.record_id"
        f"  where d.sync_id = %s and d.state = any(%s) and d.doubted_batch_id is null{where}"
        f"  and d.record_id not in ({_IN_FLIGHT}) order by d.record_id for update of d)"
        " update sync_delivery d set state = %s, next_at = now(), missing_entity_id = null, missing_key = null,"
        " error_code = null, error_detail = null, failing_since = null"
        " from gone where d.sync_id = %s and d.record_id = gone.record_id returning d.record_id",
        [sync.pk, [int(s) for s in _LET_GO], *values, sync.pk, int(DeliveryState.DISCARDED), sync.pk],
    ).fetchall()
    return [row[0] for row in rows]


def take_over(cursor: Any, route: CutoverRoute, sync: Sync, other: Sync, *, other_is_open: bool) -> int:
    """Queue at a side that begins to deliver what it is owed; returns how many records."""
    owed, values = _owed(route, sync, other, other_is_open=other_is_open)
    cursor.execute(
        "insert into sync_delivery as d (sync_id, record_id, version, next_at, state, attempts)"
        f" select %s, c.id, c.version, now(), 1, 0 from records_canonicalrecord c where {owed} order by c.id"
        " on conflict (sync_id, record_id) do update set version = excluded.version, attempts = 0, failing_since = null,"
        " next_at = case when d.state = %s then d.next_at else greatest(now(), d.late_until) end,"
        " state = case when d.state = %s then d.state else excluded.state end",
        [sync.pk, *values, int(DeliveryState.UNSURE), int(DeliveryState.UNSURE)],
    )
    queued = int(cursor.rowcount)
    _mark_the_rest(cursor, route, sync)
    return queued


def _owed(route: CutoverRoute, sync: Sync, other: Sync, *, other_is_open: bool) -> tuple[str, list[Any]]:
    """Records whose newest version this side has not confirmed, nor, where nothing may be posted twice, the other one."""
    where, values = scope(route)
    wants, given = outbox.wanted_by(subscriber_of(sync))
    sql = (
        "not exists (select from sync_delivery e where e.sync_id = %s and e.record_id = c.id"
        " and e.delivered_version = c.version)"
        f" and ((c.deleted_at is null{wants}) or exists (select from sync_delivery e where e.sync_id = %s"
        f"   and e.record_id = c.id and e.delivered_version is not null)){where}"
    )
    found = [sync.pk, *given, sync.pk, *values]
    if route.cutover.carry == Cutover.Carry.ALL:
        return sql, found
    sql += (
        " and not exists (select from sync_delivery x where x.sync_id = %s and x.record_id = c.id"
        " and (x.delivered_version = c.version or (not %s and (x.state = any(%s)))))"
    )
    maybe_there = [int(DeliveryState.UNSURE), int(DeliveryState.PENDING)]
    return sql, [*found, other.pk, other_is_open, maybe_there]


def _mark_the_rest(cursor: Any, route: CutoverRoute, sync: Sync) -> None:
    """A run that looks for records which this side has never seen finds those that the other side has confirmed seen."""
    where, values = scope(route)
    wants, given = outbox.wanted_by(subscriber_of(sync))
    cursor.execute(
        "insert into sync_delivery (sync_id, record_id, version, next_at, state)"
        " select %s, c.id, c.version, now(), %s from records_canonicalrecord c"
        f" where c.deleted_at is null{where}{wants} order by c.id on conflict do nothing",
        [sync.pk, int(DeliveryState.DISCARDED), *values, *given],
    )


def owed(cursor: Any, route: CutoverRoute, sync: Sync, other: Sync, *, other_is_open: bool) -> int:
    """How many records a side would be sent, were it to begin now."""
    sql, values = _owed(route, sync, other, other_is_open=other_is_open)
    row = cursor.execute(f"select count(*) from records_canonicalrecord c where {sql}", values).fetchone()
    return int(row[0])


def hand_over(cursor: Any, sync: Sync, record_ids: list[int]) -> None:
    if record_ids:
        routing.hand_over(cursor, sync.pk, record_ids)
