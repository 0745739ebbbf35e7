"""Freshness in `manage.py evaluate` and over the API."""

from __future__ import annotations

from typing import Any

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from hub.common.money import decimal_text
from hub.common.times import format_instant
from hub.sync.models import Sync
from monitoring.evaluation import part
from monitoring.freshness import services
from monitoring.freshness.queries import Row, rows_of


@part("freshness")
def freshness() -> list[dict[str, Any]]:
    """Every inbound sync, the worst first; its stale records are counted anew."""
    services.count()
    levels = ServiceLevel.objects.filter(measure=Measure.FRESHNESS).select_related("calendar__parent__parent")
    syncs = Sync.objects.filter(mapping__direction="in").select_related(
        "mapping__entity__domain", "mapping__stream__connection__system"
    )
    return [as_data(row) for row in rows_of(syncs, levels)]


def as_data(row: Row) -> dict[str, Any]:
    """Instants in UTC, amounts as decimal text; None where nothing is known or no limit is set."""
    stale = row.stale
    return {
        "stream": row.sync.stream.slug,
        "sync": row.sync.slug,
        "domain": row.sync.entity.domain.slug,
        "entity": row.sync.entity.slug,
        "system": row.sync.stream.connection.system.slug,
        "state": row.state,
        "service_level": row.level.slug if row.level else None,
        "last_at": format_instant(row.last_at) if row.last_at else None,
        "due_at": format_instant(row.due_at) if row.due_at else None,
        "overdue_seconds": None if row.overdue_seconds is None else round(row.overdue_seconds),
        "stale_records": stale.number if stale else None,
        "stale_amount": decimal_text(stale.amount) if stale and stale.amount is not None else None,
        "stale_unconverted": stale.unconverted if stale else None,
        "acknowledged": row.acknowledged.reason if row.acknowledged else None,
    }
