"""What changes of freshness: a reading on request, a person's word that a delay is known, and the count of stale records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.common.times import business_now
from hub.records.rates import rates_on
from hub.sync.models import Run, Sync
from hub.sync.services import start_run
from monitoring.freshness.queries import count_stale, rows_of
from monitoring.models import StaleAcknowledgement, StaleCount

MOST_HOURS = 14 * 24


def refresh(*, sync: Sync, by: Any) -> tuple[Run, bool]:
    """Read the source now; (its active run, False) when one is under way. Raises ConfigError when something is paused."""
    return start_run(sync=sync, by=by)


@transaction.atomic
def acknowledge(*, sync: Sync, reason: str, hours: int, by: Any) -> StaleAcknowledgement:
    """Say that a delay is known and why, for at most two weeks; a reading that comes ends it by itself."""
    why = needed(reason, "Say why the data is late, so that nobody looks for it again.", where="reason")
    if not 0 < hours <= MOST_HOURS:
        raise ConfigError(
            f"{hours} hours is not between 1 and {MOST_HOURS}.", where="hours", fix="Choose a shorter time."
        )
    now = business_now()
    made = StaleAcknowledgement.objects.create(sync=sync, reason=why, by=by, at=now, until=now + timedelta(hours=hours))
    tell(Act("freshness.acknowledged", "Sync", sync.slug, by=by, reason=why, domain=sync.entity.domain))
    return made


def count() -> int:
    """Count the stale records of every inbound sync that has a limit; returns how many there are in all."""
    levels = list(ServiceLevel.objects.filter(measure=Measure.FRESHNESS).select_related("calendar__parent__parent"))
    syncs = Sync.objects.filter(mapping__direction="in").select_related(
        "mapping__entity", "mapping__stream__connection"
    )
    rates, now, total = rates_on(), business_now(), 0
    limited = [row for row in rows_of(syncs, levels) if row.limit_at]
    for row in limited:
        number, amount, unconverted = count_stale(row, rates)
        total += number
        figures = {"number": number, "amount": amount, "unconverted": unconverted, "counted_at": now}
        StaleCount.objects.update_or_create(sync=row.sync, defaults=figures)
    StaleCount.objects.exclude(sync__in=[row.sync.pk for row in limited]).delete()
    return total
