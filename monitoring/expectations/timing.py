"""The clock: what passes its deadline is late within seconds of it, though no run happened and nothing was ever queued."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction

from hub.common.db import plain_cursor
from hub.common.times import business_now
from monitoring.expectations.telling import publish
from monitoring.service_levels import rollups

# Rows a statement, so that none holds many for long.
MOST = 20_000
_ZONE = (
    " join governance_servicelevel l on l.id = e.service_level_id"
    " left join governance_businesscalendar b on b.id = l.calendar_id"
)
# What arrived in time may stand in that part of the ledger that was not looked at yet.
_NOT_BEHIND = (
    " and not exists (select from monitoring_expectationposition q where q.service_level_id = e.service_level_id"
    " and q.is_behind and e.due_at >= q.taken_to)"
)

_DUE = "e.due_at < %(now)s and e.state in ('open', 'warned')"
_OUT = (
    "sync_sync s join mappings_mapping m on m.id = s.mapping_id and m.direction = 'out' and m.entity_id = e.entity_id"
    " join connectors_stream t on t.id = m.stream_id join connectors_connection c on c.id = t.connection_id"
    "   and c.system_id = coalesce(e.system_id, c.system_id)"
    " join sync_delivery d on d.sync_id = s.id and d.record_id = e.record_id"
)
_HELD = (
    f"exists (select from {_OUT} and d.delivered_version >= e.version) and not exists (select from {_OUT}"
    "   and d.state in (1, 2, 3, 4, 5) and coalesce(d.delivered_version, -1) < e.version)"
)


@dataclass(slots=True)
class Ticked:
    warned: int = 0
    breached: int = 0
    met: int = 0


def tick(now: datetime | None = None) -> Ticked:
    """Warn and break what is due by the business clock. Two at once share the rows between them."""
    now = now or business_now()
    ticked = Ticked()
    while done := _held_already(now):
        ticked.met += done
    while done := _breach(now):
        ticked.breached += done
    while done := _warn(now):
        ticked.warned += done
    return ticked


@transaction.atomic
def _held_already(now: datetime) -> int:
    """What the target holds by its delivery although no ledger row told: a record that a first load linked, for one."""
    changed = "state = 'met', arrived_at = e.due_at, decided_at = e.due_at"
    return _change("expectation_met", f"{_DUE} and e.record_id is not null and {_HELD}", changed, now)


@transaction.atomic
def _breach(now: datetime) -> int:
    changed = "state = 'breached', breached_at = %(now)s, decided_at = e.due_at"
    return _change("expectation_breached", _DUE, changed, now)


@transaction.atomic
def _warn(now: datetime) -> int:
    return _change("expectation_warned", "e.warn_at <= %(now)s and e.state = 'open'", "state = 'warned'", now)


def _change(fact: str, due: str, changes: str, now: datetime) -> int:
    with plain_cursor() as cursor:
        rows: list[tuple[int, int, date, bool]] = cursor.execute(
            f"with due as (select e.id from monitoring_expectation e where {due}{_NOT_BEHIND} order by e.due_at"
            "   limit %(most)s for update skip locked)"
            f" update monitoring_expectation e set {changes} from due, monitoring_expectation f{_ZONE.replace('e.', 'f.')}"
            " left join monitoring_expectationposition p on p.service_level_id = f.service_level_id"
            " where e.id = due.id and f.id = due.id returning e.id, e.service_level_id,"
            " (e.opened_at at time zone coalesce(b.time_zone, 'UTC'))::date,"
            " e.due_at >= coalesce(p.watched_from, e.opened_at)",
            {"now": now, "most": MOST},
            prepare=False,
        ).fetchall()
        days: dict[int, set[date]] = defaultdict(set)
        told: dict[int, list[int]] = defaultdict(list)
        for number, level_id, day, is_watched in rows:
            days[level_id].add(day)
            if is_watched:
                told[level_id].append(number)
        _note(cursor, fact, days, told)
    return len(rows)


def _note(cursor: Any, fact: str, days: dict[int, set[date]], told: dict[int, list[int]]) -> None:
    for level_id in sorted(days):
        rollups.mark(cursor, level_id, days[level_id])
        publish(fact, level_id, told[level_id])
