"""Forgetting expectations by age. What their days counted is kept in the figures of the days."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from governance.models import ServiceLevel
from hub.common.db import plain_cursor
from hub.common.times import business_now
from monitoring.service_levels import rollups
from monitoring.service_levels.rollups import EXCLUDED

MOST = 20_000
# Rows of freshness are not parts of a sum of rows, but of seconds: their days keep what they have.
_GONE = (
    "with old as (select id from monitoring_expectation where state = any(%(states)s) and due_at < %(before)s"
    "   and service_level_id = %(level)s order by due_at limit %(most)s for update skip locked),"
    f" gone as (delete from monitoring_expectation e using old where e.id = old.id returning e.*, {EXCLUDED} as is_out)"
    " select (opened_at at time zone %(zone)s)::date,"
    " count(*) filter (where state = 'met' and arrived_at <= warn_at and not is_out),"
    " count(*) filter (where state = 'met' and arrived_at > warn_at and not is_out),"
    " count(*) filter (where breached_at is not null and not is_out),"
    " count(*) filter (where is_out and (state = 'met' or breached_at is not null)), count(*) from gone group by 1"
)


def forget(now: datetime | None = None) -> int:
    """Delete what is past its time; what is late and has not arrived is never forgotten. Returns how many rows went."""
    now = now or business_now()
    met = now - timedelta(days=settings.HUB_EXPECTATION_DAYS)
    late = now - timedelta(days=settings.HUB_BREACH_DAYS)
    gone = 0
    for level in ServiceLevel.objects.select_related("calendar__parent__parent"):
        rollups.count(level)
        for states, before in ((["met", "cancelled"], met), (["met_late"], late)):
            while done := _forget(level, states, before):
                gone += done
    return gone


@transaction.atomic
def _forget(level: ServiceLevel, states: list[str], before: datetime) -> int:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            _GONE,
            {
                "level": level.pk,
                "states": states,
                "before": before,
                "most": MOST,
                "zone": level.calendar.time_zone if level.calendar else "UTC",
            },
        ).fetchall()
        if rows and level.measure != "freshness":
            cursor.execute(
                "update monitoring_servicelevelday d set gone_met = gone_met + u.met, gone_warned = gone_warned + u.warned,"
                " gone_breached = gone_breached + u.breached, gone_excluded = gone_excluded + u.excluded"
                " from unnest(%s::date[], %s::float8[], %s::float8[], %s::float8[], %s::float8[])"
                " u(day, met, warned, breached, excluded) where d.service_level_id = %s and d.day = u.day",
                [*([row[index] for row in rows] for index in range(5)), level.pk],
            )
    return sum(row[5] for row in rows)
