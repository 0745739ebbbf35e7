"""Items that settle themselves: what is open no more is resolved, with the ledger row that shows why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from django.utils import timezone

from hub.sync.models import Delivery
from hub.sync.states import DeliveryState, HeldState, Outcome
from monitoring.exceptions import ranking
from monitoring.exceptions.letters import delivery_key, held_key
from monitoring.models import ExceptionItem

PASSED = [
    int(outcome)
    for outcome in (
        Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.ECHO, Outcome.REFUSED, Outcome.REMOVED,
        Outcome.DEACTIVATED, Outcome.CLOSED, Outcome.MERGED,
    )
]  # fmt: skip

# What was put again and has not come out yet is neither open nor settled: it stays as it is.
_GONE = f"""
create temporary table exception_gone on commit drop as
select i.id, i.origin, i.sync_id, i.external_id, i.transaction_id, i.opened_at, i.resolution,
  coalesce(i.record_id, x.record_id) as record_id
from monitoring_exceptionitem i
left join sync_sync s on s.id = i.sync_id
left join mappings_mapping m on m.id = s.mapping_id
left join records_crosswalk x on i.record_id is null and x.stream_id = m.stream_id and x.external_id = i.external_id
where i.state in {ranking.UNSETTLED} and i.origin = any(%(origins)s)
  and not exists (select 1 from exception_seen n where n.key = i.origin_key)
  and not (i.origin = 'held' and exists (select 1 from sync_heldrecord h
    where h.sync_id = i.sync_id and h.external_id = i.external_id and h.state = %(released)s))
  and not (i.origin = 'delivery' and exists (select 1 from sync_delivery d
    where d.sync_id = i.sync_id and d.record_id = i.record_id and d.state = any(%(under_way)s)))
"""
_RESOLVE = """
with settled as (
  select g.*, d.state as delivery,
    (select max(t.id) from sync_transaction t where t.record_id = g.record_id and t.sync_id = g.sync_id
      and t.id > coalesce(g.transaction_id, 0) and t.at >= g.opened_at - interval '5 minutes'
      and t.outcome = any(%(passed)s)) as evidence,
    (select max(t.id) from sync_transaction t where t.record_id is null and t.external_id = g.external_id
      and t.sync_id = g.sync_id and t.id > coalesce(g.transaction_id, 0) and t.outcome = %(discarded)s) as dropped
  from exception_gone g
  left join sync_delivery d on g.origin = 'delivery' and d.sync_id = g.sync_id and d.record_id = g.record_id),
done as (
  update monitoring_exceptionitem i set state = 'resolved', resolved_at = %(now)s, version = i.version + 1,
    resolution = case when i.resolution <> '' then i.resolution
      when s.delivery = %(delivery_discarded)s or (s.dropped is not null and s.evidence is null) then 'discarded'
      when s.evidence is not null or s.delivery = %(delivered)s then 'passed' else 'gone' end,
    evidence_id = coalesce(s.evidence, s.dropped)
  from settled s where s.id = i.id returning i.id, i.resolution, i.evidence_id)
insert into monitoring_exceptionevent (item_id, at, act, text, transaction_id)
select id, %(now)s, 'resolved', resolution, evidence_id from done
"""


def resolve(cursor: psycopg.Cursor[Any], origins: Sequence[str]) -> int:
    """Settle items of these origins that `exception_seen` does not have; returns how many."""
    cursor.execute("drop table if exists exception_gone")
    cursor.execute(
        _GONE,
        {
            "origins": list(origins),
            "released": int(HeldState.RELEASED),
            "under_way": [int(DeliveryState.PENDING), int(DeliveryState.UNSURE), int(DeliveryState.WAITING)],
        },
    )
    if not cursor.rowcount:
        return 0
    cursor.execute("analyze exception_gone")
    cursor.execute(
        _RESOLVE,
        {
            "now": timezone.now(),
            "passed": PASSED,
            "discarded": int(Outcome.DISCARDED),
            "delivery_discarded": int(DeliveryState.DISCARDED),
            "delivered": int(DeliveryState.DELIVERED),
        },
    )
    return cursor.rowcount


# What a person discards is told when it happens: the row that would show it may be gone by the next sweep.
def on_held_discarded(*, sync_id: int, external_id: str, **_: Any) -> None:
    _mark(held_key(sync_id, external_id))


def on_delivery_discarded(*, delivery: Delivery, **_: Any) -> None:
    _mark(delivery_key(delivery.sync_id, delivery.record_id))


def _mark(key: str) -> None:
    key = key.replace("\x00", "")  # an id of the source may hold one, text of the database may not
    open_rows = ExceptionItem.objects.filter(origin_key=key, state__in=ExceptionItem.UNSETTLED)
    open_rows.update(resolution=ExceptionItem.Resolution.DISCARDED)
