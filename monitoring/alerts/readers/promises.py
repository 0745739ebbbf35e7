"""Service levels in their running window: nearly out of error budget, or broken."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from governance.models import ServiceLevel
from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import Look
from monitoring.service_levels.standing import standing

# As thresholds: from 1 on at risk, from 2 on breached.
_VALUES = {"at_risk": Decimal(1), "breached": Decimal(2)}


@condition(
    "service_level",
    "A service level is at risk",
    unit="1 at risk, 2 breached",
    help="What is promised to the business, measured in the running window every ten minutes.",
    warning="1",
    critical="2",
    every_seconds=600,
)
def service_levels(look: Look) -> Iterator[Finding]:
    levels = ServiceLevel.objects.select_related("domain", "entity", "source", "target", "calendar__parent__parent")
    for row in standing(levels):
        if row.state in _VALUES:
            attained = "–" if row.attained is None else f"{row.attained} %"
            words = f"{row.counted}: {attained} of {row.level.objective_percent.normalize():f} % in {row.period.label}."
            yield Finding(
                f"service_level:{row.level.pk}",
                row.level.name,
                _VALUES[row.state],
                words,
                url=row.level.get_absolute_url(),
                domain_id=row.level.domain_id,
                system_id=row.level.target_id or row.level.source_id,
            )
