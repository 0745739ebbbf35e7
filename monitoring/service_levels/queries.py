"""What the pages of a service level show beside its standing: breaches with their records, and the worst of a back-test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from governance.models import ServiceLevel
from governance.service_levels.windows import Period
from hub.common.times import format_instant
from hub.records.models import CanonicalRecord
from monitoring.models import Exclusion, Expectation
from monitoring.service_levels.observing import Judged

SHOWN = 20


def with_links(worst: Sequence[Judged]) -> list[dict[str, Any]]:
    """The worst, each with the address of its record where there is one."""
    records = _records(one.record_id for one in worst)
    return [
        {
            "one": one,
            "record": records.get(one.record_id) if one.record_id else None,
            "began_at": format_instant(one.start),
        }
        for one in worst
    ]


def breaches(level: ServiceLevel, period: Period) -> list[dict[str, Any]]:
    """The newest breaches of a window, each with its record."""
    rows = Expectation.objects.filter(
        service_level=level, breached_at__isnull=False, decided_at__gte=period.starts_at
    ).select_related("service_level", "entity", "system")
    found = list(rows.order_by("-decided_at", "-pk")[:SHOWN])
    records = _records(row.record_id for row in found)
    return [{"row": row, "record": records.get(row.record_id) if row.record_id else None} for row in found]


def _records(ids: Any) -> dict[int, CanonicalRecord]:
    return CanonicalRecord.objects.select_related("entity").in_bulk([number for number in ids if number])


def exclusions(level: ServiceLevel) -> QuerySet[Exclusion]:
    """Newest first, with who asked and who agreed."""
    return Exclusion.objects.filter(service_level=level).select_related("requested_by", "decided_by")
