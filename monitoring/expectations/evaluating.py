"""Expectations and service levels in `manage.py evaluate`."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from governance.models import ServiceLevel
from monitoring.evaluation import part
from monitoring.expectations import services
from monitoring.models import Expectation
from monitoring.service_levels.standing import Standing, burns, standing


@part("expectations")
def expectations() -> dict[str, Any]:
    """What this evaluation did: opened, warned, breached, met; and what stands: open and late rows."""
    swept = services.sweep()
    counts = dict(
        Expectation.objects.filter(state__in=Expectation.UNFINISHED)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
    )
    return {
        "opened": swept.moved.opened,
        "warned": swept.ticked.warned,
        "breached": swept.ticked.breached,
        "met": swept.moved.met + swept.ticked.met,
        "cancelled": swept.moved.cancelled,
        "open": sum(counts.get(state, 0) for state in Expectation.UNDECIDED),
        "late": counts.get(Expectation.State.BREACHED, 0),
        "is_behind": swept.moved.is_behind,
    }


@part("service_levels")
def service_levels() -> list[dict[str, Any]]:
    levels = ServiceLevel.objects.select_related("domain", "entity", "source", "target", "calendar__parent__parent")
    return [as_data(each) for each in standing(levels)]


def as_data(found: Standing) -> dict[str, Any]:
    """Counts are records, days, or seconds for freshness; percentages are decimal text, or None."""
    tally, left = found.tally, found.budget_left
    return {
        "service_level": found.level.slug,
        "measure": found.level.measure,
        "window": found.period.label,
        "state": found.state,
        "unit": found.unit,
        "met": round(tally.met),
        "warned": round(tally.warned),
        "breached": round(tally.breached),
        "running": tally.running,
        "excluded": round(found.excluded),
        "objective_percent": str(found.level.objective_percent.normalize()),
        "attained_percent": None if found.attained is None else str(found.attained),
        "error_budget_left_percent": None if left is None else str(left),
        "is_few": found.is_few,
        "burn": {each.label: None if each.rate is None else str(each.rate) for each in burns(found.level)},
    }
