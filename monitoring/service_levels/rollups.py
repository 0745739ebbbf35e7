"""Figures of service levels by day, counted from expectations: lists and months read these few rows.

Whoever changes expectations marks their days in the same transaction; counting clears the mark first, so that a change that
commits meanwhile marks its day again and nothing stays uncounted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from django.db import transaction

from governance.calendars.opening import wall
from governance.models import ServiceLevel
from governance.service_levels.promise import Measure, fresh_parts
from hub.common.db import plain_cursor
from hub.common.times import business_now
from hub.sync.models import Run
from monitoring.models import Exclusion, Expectation, ExpectationPosition

_COUNTED = (
    "select (e.opened_at at time zone %(zone)s)::date as day,"
    " count(*) filter (where {kept} and e.arrived_at <= e.warn_at) as met,"
    " count(*) filter (where {kept} and e.arrived_at > e.warn_at) as warned,"
    " count(*) filter (where e.breached_at is not null and not {out}) as breached,"
    " count(*) filter (where e.state in ('open', 'warned')) as running,"
    " count(*) filter (where {out} and (e.state = 'met' or e.breached_at is not null)) as excluded,"
    " count(*) filter (where e.state = 'cancelled' and e.breached_at is null) as cancelled"
    " from monitoring_expectation e where e.service_level_id = %(level)s"
    " and e.opened_at >= %(start)s and e.opened_at < %(end)s group by 1"
)
# What ran, from its beginning to its deadline, in a time that was agreed not to count.
EXCLUDED = (
    "exists (select from monitoring_exclusion x where x.service_level_id = e.service_level_id and x.state = 'approved'"
    " and e.opened_at < x.ends_at and e.due_at > x.starts_at)"
)


def mark(cursor: psycopg.Cursor[Any], level_id: int, days: Iterable[date]) -> None:
    """Have days of a level counted again."""
    days = sorted(days)
    if days:
        cursor.execute(
            "insert into monitoring_servicelevelday (service_level_id, day, met, warned, breached, running, excluded,"
            " cancelled, is_dirty, gone_met, gone_warned, gone_breached, gone_excluded)"
            " select %s, day, 0, 0, 0, 0, 0, 0, true, 0, 0, 0, 0 from unnest(%s::date[]) day"
            " on conflict (service_level_id, day) do update set is_dirty = true",
            [level_id, days],
        )


@transaction.atomic
def count(level: ServiceLevel) -> int:
    """Count the marked days of a level again; returns how many. One process at a time, the others leave it to that one."""
    position = ExpectationPosition.objects.select_for_update(skip_locked=True).filter(service_level=level).first()
    if position is None:
        return 0
    with plain_cursor() as cursor:
        if level.measure == Measure.FRESHNESS:
            mark(cursor, level.pk, _days_since(level, position))
        days = _cleared(cursor, level)
        if not days:
            return 0
        if level.measure == Measure.FRESHNESS:
            _count_seconds(cursor, level, days)
        else:
            _count_rows(cursor, level, days)
    position.counted_at = business_now()
    position.save(update_fields=["counted_at"])
    return len(days)


def _cleared(cursor: psycopg.Cursor[Any], level: ServiceLevel) -> list[date]:
    rows = cursor.execute(
        "update monitoring_servicelevelday set is_dirty = false where service_level_id = %s and is_dirty returning day",
        [level.pk],
    ).fetchall()
    return sorted(row[0] for row in rows)


def _count_rows(cursor: psycopg.Cursor[Any], level: ServiceLevel, days: list[date]) -> None:
    excluded = EXCLUDED if Exclusion.objects.filter(service_level=level, state="approved").exists() else "false"
    hours = level.promise.hours
    sql = _COUNTED.format(kept=f"(e.state = 'met' and not {excluded})", out=excluded)
    asked = {
        "level": level.pk,
        "zone": level.calendar.time_zone if level.calendar else "UTC",
        "start": wall(days[0], 0, hours.zone),
        "end": wall(days[-1] + timedelta(days=1), 0, hours.zone),
        "days": days,
    }
    cursor.execute(
        "update monitoring_servicelevelday d set met = coalesce(c.met, 0) + d.gone_met,"
        " warned = coalesce(c.warned, 0) + d.gone_warned, breached = coalesce(c.breached, 0) + d.gone_breached,"
        " running = coalesce(c.running, 0), excluded = coalesce(c.excluded, 0) + d.gone_excluded,"
        " cancelled = coalesce(c.cancelled, 0)"
        f" from unnest(%(days)s::date[]) u(day) left join ({sql}) c on c.day = u.day"
        " where d.service_level_id = %(level)s and d.day = u.day",
        asked,
    )


# Freshness: a share of the time -------------------------------------------------------------------------------
def _days_since(level: ServiceLevel, position: ExpectationPosition) -> list[date]:
    """Time passes by itself: today, and what has passed since the last count."""
    zone, now = level.promise.hours.zone, business_now()
    day = min(position.counted_at or position.begun_at, now).astimezone(zone).date()
    last = now.astimezone(zone).date()
    return [day + timedelta(days=offset) for offset in range((last - day).days + 1)]


def _count_seconds(cursor: psycopg.Cursor[Any], level: ServiceLevel, days: list[date]) -> None:
    now, zone = business_now(), level.promise.hours.zone
    start, end = wall(days[0], 0, zone), min(wall(days[-1] + timedelta(days=1), 0, zone), now)
    spans = readings(level, start, end)
    barred = list(Exclusion.objects.filter(service_level=level, state="approved").values_list("starts_at", "ends_at"))
    figures = []
    for day in days:
        since, until = wall(day, 0, zone), min(wall(day + timedelta(days=1), 0, zone), now)
        sums = [0.0, 0.0, 0.0, 0.0]
        for read_at, low, high in spans:
            _add(level, sums, read_at, max(low, since), min(high, until), barred)
        figures.append(sums)
    cursor.execute(
        "update monitoring_servicelevelday d set met = u.met + d.gone_met, warned = u.warned + d.gone_warned,"
        " breached = u.breached + d.gone_breached, excluded = u.excluded + d.gone_excluded, running = 0"
        " from unnest(%s::date[], %s::float8[], %s::float8[], %s::float8[], %s::float8[])"
        " u(day, met, warned, breached, excluded) where d.service_level_id = %s and d.day = u.day",
        [days, *([list(column) for column in zip(*figures, strict=True)]), level.pk],
    )


def _add(
    level: ServiceLevel,
    sums: list[float],
    read_at: datetime,
    low: datetime,
    high: datetime,
    barred: list[tuple[datetime, datetime]],
) -> None:
    """Add the seconds from `low` to `high` to (fresh, ageing, too old, excluded)."""
    if low >= high:
        return
    parts = fresh_parts(level.promise, read_at, low, high)
    for index, seconds in enumerate(parts):
        sums[index] += seconds
    for start, end in barred:
        since, until = max(low, start), min(high, end)
        if since < until:
            for index, seconds in enumerate(fresh_parts(level.promise, read_at, since, until)):
                sums[index] -= seconds
                sums[3] += seconds


def readings(level: ServiceLevel, start: datetime, end: datetime) -> list[tuple[datetime, datetime, datetime]]:
    """(read at, from, until): the time between two readings belongs to the data of the first."""
    rows = Expectation.objects.filter(service_level=level, opened_at__lt=end).exclude(arrived_at__lt=start)
    found = list(rows.order_by("opened_at").values_list("cause_id", "opened_at", "arrived_at"))
    finished = dict(Run.objects.filter(pk__in=[row[0] for row in found]).values_list("pk", "finished_at"))
    # Nothing was ever read: all the time is without data, which is no figure of freshness.
    return [
        (opened, finished.get(cause) or opened, arrived or datetime.max.replace(tzinfo=UTC))
        for cause, opened, arrived in found
        if cause
    ]
