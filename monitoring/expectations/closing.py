"""Expectations of records: met by an arrival at the target, or given up because the record is gone or not promised any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from hub.sync.models import Batch, Run
from hub.sync.states import Outcome
from monitoring.expectations.telling import Changed, told
from monitoring.models import Expectation
from monitoring.service_levels.observing import ARRIVED, OPEN, condition_sql
from monitoring.service_levels.scope import Scope

_UNFINISHED = " e.service_level_id = %(level)s and e.state in ('open', 'warned', 'breached')"
# Nothing of it is still under way to another place of the same target. A newer version that is holds nothing up.
_NOWHERE_UNDER_WAY = (
    " and not exists (select from sync_delivery d where d.record_id = e.record_id and d.sync_id = any(%(outs)s)"
    " and d.state = any(%(under_way)s) and {older})"
)
# An arrival in time takes back a breach that the clock had found before the ledger row was committed.
_MET = (
    "update monitoring_expectation e set arrived_at = a.at, arrival_id = a.number,"
    " state = case when a.at <= e.due_at then 'met' else 'met_late' end,"
    " decided_at = least(a.at, e.due_at),"
    " breached_at = case when a.at <= e.due_at then null else coalesce(e.breached_at, least(a.at, %(now)s)) end"
)


def close_by_ledger(
    cursor: psycopg.Cursor[Any],
    level: ServiceLevel,
    scope: Scope,
    zone: str,
    low: datetime,
    high: datetime | str,
    now: datetime,
) -> Changed:
    """What arrived from `low` until `high`. A version that arrives closes all older ones as well: targets are sent states."""
    is_any = level.measure == Measure.DURATION
    fits = "true" if is_any else "(o.version >= e.version or o.correlation_id = e.cause_id)"
    older = "d.version >= e.version and coalesce(d.delivered_version, -1) < e.version"
    if is_any:
        older = "d.delivered_version is null"
    sql = (
        "with first as (select distinct on (e.id, o.sync_id) e.id, o.at, o.id as number from sync_transaction o"
        f"  join monitoring_expectation e on e.record_id = o.record_id and{_UNFINISHED}"
        "  where o.sync_id = any(%(outs)s) and o.outcome = any(%(arrived)s) and o.at >= %(low)s and o.at < %(high)s"
        f"  and o.at >= e.opened_at and {fits}{_NOWHERE_UNDER_WAY.format(older=older)} order by e.id, o.sync_id, o.at),"
        # Where it goes to several places, the last of them counts.
        " last as (select distinct on (id) id, at, number from first order by id, at desc),"
        f" changed as ({_MET} from last a where a.id = e.id returning e.id, e.opened_at)"
    )
    asked = _asked(level, scope) | {"zone": zone, "low": low, "high": high, "now": now}
    return told(cursor, sql, asked)


def close_unchanged(
    cursor: psycopg.Cursor[Any],
    level: ServiceLevel,
    scope: Scope,
    zone: str,
    low: datetime,
    high: datetime | str,
    now: datetime,
) -> Changed:
    """What the target holds already leaves no ledger row, only an id in its batch, whose run tells when."""
    ran = Run.objects.filter(sync__in=scope.outs).exclude(finished_at__lt=low).order_by()
    if isinstance(high, datetime):
        ran = ran.filter(started_at__lt=high)
    runs = list(ran.values_list("pk", flat=True))
    if not runs:
        return Changed()
    sql = (
        "with a as (select distinct on (e.id) e.id, greatest(b.at, e.opened_at) as at, null::bigint as number"
        "  from sync_batch b cross join unnest(b.unchanged_ids) u(record_id)"
        f"  join monitoring_expectation e on e.record_id = u.record_id and{_UNFINISHED}"
        "  join sync_delivery d on d.sync_id = b.sync_id and d.record_id = e.record_id"
        "  where b.run_id = any(%(runs)s) and b.status = %(done)s and d.delivered_version >= e.version order by e.id, b.at),"
        f" changed as ({_MET} from a where a.id = e.id returning e.id, e.opened_at)"
    )
    asked = _asked(level, scope) | {"zone": zone, "runs": runs, "now": now, "done": int(Batch.Status.DONE)}
    return told(cursor, sql, asked)


def cancel(
    cursor: psycopg.Cursor[Any], level: ServiceLevel, scope: Scope, zone: str, low: datetime, high: datetime | str
) -> Changed:
    """What nobody waits for any more: its record is gone, a person discarded it, or it changed out of the promise."""
    where, values = condition_sql(level.condition)
    note = Expectation.Note
    gone = (
        f"select e.id, case t.outcome when %(merged)s then '{note.MERGED}' else '{note.REMOVED}' end as note"
        f" from sync_transaction t join monitoring_expectation e on e.record_id = t.record_id and{_UNFINISHED}"
        " join records_canonicalrecord r on r.id = t.record_id and r.deleted_at is not null"
        " where t.outcome in (%(removed)s, %(merged)s) and t.at >= %(low)s and t.at < %(high)s"
    )
    # Only people discard, and what a person decides has no run.
    discarded = (
        f"select e.id, '{note.DISCARDED}' from sync_transaction t"
        f" join monitoring_expectation e on e.record_id = t.record_id and{_UNFINISHED}"
        " where t.sync_id = any(%(outs)s) and t.outcome = %(discarded)s and t.run_id = 0 and t.at >= %(low)s"
        " and t.at < %(high)s and t.at >= e.opened_at and (t.version >= e.version or t.correlation_id = e.cause_id)"
    )
    unasked = (
        f"select e.id, '{note.UNASKED}' from sync_transaction t"
        f" join monitoring_expectation e on e.record_id = t.record_id and{_UNFINISHED}"
        " join records_canonicalrecord r on r.id = t.record_id"
        " where t.sync_id = any(%(ins)s) and t.outcome in (1, 2) and t.at >= %(low)s and t.at < %(high)s"
        f" and t.at > e.opened_at and not coalesce(true{where}, false)"
    )
    parts = [gone, discarded, *([unasked] if where else [])]
    sql = (
        f"with c as (select distinct on (id) id, note from ({' union all '.join(parts)}) c order by id),"
        " changed as (update monitoring_expectation e set state = 'cancelled', note = c.note from c where c.id = e.id"
        " returning e.id, e.opened_at)"
    )
    asked = _asked(level, scope) | values | {"zone": zone, "low": low, "high": high}
    return told(cursor, sql, asked)


def _asked(level: ServiceLevel, scope: Scope) -> dict[str, Any]:
    return {
        "level": level.pk,
        "ins": scope.ins,
        "outs": scope.outs,
        "arrived": [int(outcome) for outcome in ARRIVED],
        "under_way": [int(state) for state in OPEN],
        "removed": int(Outcome.REMOVED),
        "merged": int(Outcome.MERGED),
        "discarded": int(Outcome.DISCARDED),
    }
