"""What was promised and has not happened: late records, late readings, and gaps that nobody can explain."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.urls import reverse

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from hub.common.db import plain_cursor
from hub.common.display import duration
from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import Look
from monitoring.alerts.readers.runs import finding
from monitoring.models import Reconciliation

# What was due before a level was watched is history.
_UNFINISHED = (
    " from monitoring_expectation e join monitoring_expectationposition p on p.service_level_id = e.service_level_id"
    " join governance_servicelevel l on l.id = e.service_level_id"
    " where e.state in ('warned', 'breached') and e.due_at >= p.watched_from"
)


@condition(
    "expectation",
    "Promised and late",
    unit="1 soon late, 2 late",
    help="Something that a service level promises has not arrived. Found by the clock, whether anything ran.",
    warning="1",
    critical="2",
)
def late_records(look: Look) -> Iterator[Finding]:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select e.service_level_id, e.currency, count(*) filter (where e.state = 'breached'), count(*), sum(e.amount)"
            f"{_UNFINISHED} and l.measure <> %(freshness)s group by 1, 2",
            {"freshness": Measure.FRESHNESS.value},
        ).fetchall()
    found: dict[int, tuple[int, int, list[tuple[str, Decimal]]]] = {}
    for level_id, currency, late, number, amount in rows:
        before = found.get(level_id, (0, 0, []))
        amounts = before[2] + ([(currency or "", amount)] if amount else [])
        found[level_id] = (before[0] + late, before[1] + number, amounts)
    for level in ServiceLevel.objects.filter(pk__in=list(found)):
        late, number, amounts = found[level.pk]
        yield _late(level, late, number, amounts)


def _late(level: ServiceLevel, late: int, number: int, amounts: list[tuple[str, Decimal]]) -> Finding:
    soon = number - late
    parts = [f"{late:,} late"] if late else []
    parts += [f"{soon:,} soon late"] if soon else []
    return Finding(
        f"service_level:{level.pk}",
        level.name,
        Decimal(2 if late else 1),
        f"{' and '.join(parts)}.",
        url=f"{reverse('expectations:expectation_list')}?level={level.slug}",
        domain_id=level.domain_id,
        system_id=level.target_id or level.source_id,
        records=number,
        amounts=amounts,
    )


@condition(
    "freshness",
    "Data is late",
    unit="minutes overdue",
    help="No clean reading of a stream by the time that a freshness level names.",
    warning="0",
    critical="60",
    is_effect=True,
)
def late_readings(look: Look) -> Iterator[Finding]:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            f"select e.subject_id, min(e.due_at){_UNFINISHED} and l.measure = %(freshness)s and e.due_at <= %(now)s"
            " group by 1",
            {"freshness": Measure.FRESHNESS.value, "now": look.now},
        ).fetchall()
    for sync_id, due_at in rows:
        if sync := look.syncs.get(sync_id):
            seconds = (look.now - due_at).total_seconds()
            yield finding(sync, seconds / 60, f"Its next reading is {duration(seconds)} overdue.", url=_freshness())


def _freshness() -> str:
    return f"{reverse('freshness:freshness_list')}?state=late"


@condition(
    "reconciliation",
    "Unexplained gaps",
    unit="gaps",
    help="Open gaps of a reconciliation that carry no explanation.",
    warning="1",
    critical="50",
)
def unexplained(look: Look) -> Iterator[Finding]:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select reconciliation_id, currency, count(*), sum(abs(coalesce(right_amount, 0) - coalesce(left_amount, 0)))"
            " from monitoring_reconciliationgap where state = 'open' and (label = 'unexplained' or is_raised)"
            " and label = 'unexplained' group by 1, 2"
        ).fetchall()
    found: dict[int, dict[str, Any]] = {}
    for number, currency, count, amount in rows:
        each = found.setdefault(number, {"count": 0, "amounts": []})
        each["count"] += count
        each["amounts"] += [(currency or "", amount)] if amount else []
    for row in Reconciliation.objects.filter(pk__in=list(found)):
        each = found[row.pk]
        gaps = "1 gap" if each["count"] == 1 else f"{each['count']:,} gaps"
        yield Finding(
            f"reconciliation:{row.pk}",
            row.name,
            Decimal(each["count"]),
            f"{gaps} that nobody can explain.",
            url=reverse("reconciliation:reconciliation", args=[row.slug]),
            domain_id=row.domain_id,
            records=each["count"],
            amounts=each["amounts"],
        )
