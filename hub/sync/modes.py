"""Whether a sync runs the way its data needs: what was declared, what was measured, and what follows. The judgement is pure.

Batch is justified where what may be late is late anyway and volume is high; an event where little changes and soon is needed;
asking often where nothing changes only costs requests. Each judgement carries the figures that it rests on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from django.db import connection
from django.utils import timezone

from hub.common.display import duration
from hub.sync import scheduling
from hub.sync.models import Schedule, Sync

WINDOW_DAYS = 7
HORIZON = timedelta(days=8)
# From so many changes a day on, one call for many of them is worth while.
MANY_A_DAY = 1_000
# Asking this many times more often than needed is waste.
GENEROUS = 4
# A source that has nothing new this often is asked for nothing.
MOSTLY = 0.8
Way = Literal["batch", "event", "change", "after", "by hand"]


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the last days. `requests` a day are counted: one for each run that asks, one more for each further page.

    `every_seconds` is the longest time between two runs that its schedules leave; None without a schedule.
    """

    days: float = 0.0
    runs: float = 0.0
    empty: float = 0.0  # share of the runs that found nothing new
    records: float = 0.0  # new or changed, a day
    requests: float = 0.0
    every_seconds: float | None = None
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    way: Way = "by hand"


@dataclass(frozen=True, slots=True)
class Advice:
    """What follows. `saves` are requests a day that the other way would not need; None where that cannot be said."""

    state: str  # of hub.common.states
    word: str
    sentence: str
    saves: float | None = None
    rank: int = 9


def judge(needed: float | None, found: Measured) -> Advice:
    """`needed`: seconds within which a change has to arrive, as declared."""
    if needed is None:
        return Advice(
            "muted", "Not declared", "Say how late a change may arrive: without it no way can be justified.", rank=4
        )
    if found.days < 1:
        return Advice("queued", "Too early", "It has run for less than a day; the figures need one.", rank=5)
    if found.p95_seconds is not None and found.p95_seconds > needed:
        return _too_late(needed, found)
    if found.way == "batch" and found.every_seconds is not None:
        return _of_schedule(needed, found)
    if found.way == "event" and needed >= 86_400 and found.records >= MANY_A_DAY:
        return Advice(
            "warn", "Batch would do",
            f"{found.records:,.0f} changes a day come one by one, and a day late is soon enough: one run a day would do.",
            max(found.requests - 1, 0.0), 3,
        )  # fmt: skip
    return Advice("ok", "Justified", "What changes arrives within the time that is needed.", rank=8)


def _too_late(needed: float, found: Measured) -> Advice:
    how = f"Of 100 changes 95 arrive within {duration(found.p95_seconds)}; {duration(needed)} is needed."
    if found.way == "batch" and found.every_seconds and found.every_seconds > needed:
        fix = f" It is asked every {duration(found.every_seconds)}: an event would do, or a schedule of {duration(needed)}."
        return Advice("failed", "Should be an event", how + fix, rank=0)
    return Advice("failed", "Too slow", how + " Look at what its runs spend their time on.", rank=1)


def _of_schedule(needed: float, found: Measured) -> Advice:
    every = found.every_seconds or 0.0
    if every > needed:
        return Advice(
            "failed", "Should be an event",
            f"It is asked every {duration(every)}, and a change may only be {duration(needed)} late: an event would do.",
            rank=0,
        )  # fmt: skip
    runs_needed = 86_400 / needed
    if every * GENEROUS <= needed and found.runs > runs_needed:
        kept = found.requests * runs_needed / found.runs
        return Advice(
            "warn", "Real time is not needed",
            f"It is asked every {duration(every)}; {duration(needed)} would do: {kept:,.0f} requests a day "
            f"instead of {found.requests:,.0f}.",
            found.requests - kept, 2,
        )  # fmt: skip
    if found.empty >= MOSTLY and found.records < MANY_A_DAY and found.runs >= 12:
        kept = found.runs * (1 - found.empty)
        return Advice(
            "warn", "An event would do",
            f"{found.empty:.0%} of {found.runs:,.0f} runs a day find nothing new: told by events, "
            f"{kept:,.0f} requests a day would be left of {found.requests:,.0f}.",
            max(found.requests - kept, 0.0), 3,
        )  # fmt: skip
    return Advice(
        "ok", "Batch is justified", f"It is asked every {duration(every)}, and {duration(needed)} is needed.", rank=7
    )


# Measuring -------------------------------------------------------------------------------------------------
_RUNS = """
select sync_id, count(*) n, extract(epoch from now() - min(created_at)) / 86400.0 days,
  count(*) filter (where created + updated = 0) empty, sum(created + updated) records,
  count(*) filter (where trigger = any(%(narrow)s)) narrow,
  mode() within group (order by trigger) usual
from sync_run where sync_id = any(%(ids)s) and created_at > now() - %(window)s and finished_at is not null
  and trigger <> 'backfill'
group by sync_id
"""
_PAGES = """
select sync_id, count(*) filter (where page_no > 1) from sync_batch
where sync_id = any(%(ids)s) and at > now() - %(window)s group by sync_id
"""
# The newest deliveries of each sync, from the moment in which the change was stored to that in which the target had it.
_LATENCY = """
select sync_id, percentile_cont(0.5) within group (order by s), percentile_cont(0.95) within group (order by s)
from unnest(%(outbound)s::bigint[]) wanted(sync_id), lateral (
  select extract(epoch from t.at - c.at) s from sync_transaction t
  join sync_transaction c on c.id = t.correlation_id and c.id <> t.id
  where t.sync_id = wanted.sync_id and t.outcome in (1, 2) and t.at > now() - %(window)s order by t.at desc limit 500) x
group by sync_id
"""
_WAYS: dict[str, Way] = {"schedule": "batch", "event": "event", "hint": "event", "change": "change", "after": "after"}


def measure(syncs: list[Sync]) -> dict[int, Measured]:
    """The figures of these syncs, by id."""
    values: dict[str, Any] = {
        "ids": [sync.pk for sync in syncs],
        "outbound": [sync.pk for sync in syncs if sync.direction == "out"],
        "window": timedelta(days=WINDOW_DAYS),
        "narrow": ["release", "event", "removal", "adopt", "upload"],
    }
    with connection.cursor() as cursor:
        runs, pages, latencies = (_by_sync(cursor, query, values) for query in (_RUNS, _PAGES, _LATENCY))
    every = _every({sync.pk for sync in syncs})
    return {
        sync.pk: _measured(sync, runs.get(sync.pk), pages.get(sync.pk, (0,))[0], every, latencies) for sync in syncs
    }


def _by_sync(cursor: Any, query: str, values: dict[str, Any]) -> dict[int, tuple[Any, ...]]:
    cursor.execute(query, values)
    return {row[0]: row[1:] for row in cursor.fetchall()}


def _measured(sync: Sync, row: Any, pages: int, every: dict[int, float], latencies: dict[int, Any]) -> Measured:
    if row is None:
        return Measured(every_seconds=every.get(sync.pk))
    number, first, empty, records, narrow, usual = row
    days = min(max(float(first), 1 / 24), WINDOW_DAYS)
    p50, p95 = latencies.get(sync.pk, (None, None))
    return Measured(
        days=float(first),
        runs=number / days,
        empty=empty / number,
        records=float(records or 0) / days,
        requests=(number - narrow + pages) / days,
        every_seconds=every.get(sync.pk),
        p50_seconds=p50,
        p95_seconds=p95,
        way="batch" if sync.pk in every else _WAYS.get(usual, "by hand"),
    )


def _every(ids: set[int]) -> dict[int, float]:
    """The longest gap between two slots of the next eight days, by sync: a weekend is part of a schedule of weekdays."""
    slots: dict[int, set[datetime]] = {}
    now = timezone.now()
    for each in Schedule.objects.filter(sync_id__in=ids, is_active=True):
        found = scheduling.slots_until(each.cron, each.time_zone, now + HORIZON, after=now)
        slots.setdefault(each.sync_id, set()).update(found)
    return {
        pk: max((later - earlier).total_seconds() for earlier, later in pairwise(sorted(found)))
        for pk, found in slots.items()
        if len(found) > 1
    }
