"""A small firm in trouble: syncs, runs, dead letters with money, and somebody to tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from connectors.models import Circuit
from governance.models import Firm
from hub.records.models import CanonicalRecord
from hub.sync.models import Run, Sync
from hub.sync.states import DeliveryState, RunStatus
from monitoring.alerts import shipped
from monitoring.alerts.evaluate import Evaluation, evaluate
from monitoring.models import Alert, AlertNotice, AlertRoute, AlertRule
from tests.service_levels.builders import World as History

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class World(History):
    """Time entries from the PSA to the ERP, a firm that counts in pounds, and one rule at a time."""

    def __init__(self) -> None:
        super().__init__()
        # A little ago: within one transaction the database's clock stands still, and what is due has to be due by it.
        self.now = timezone.now().replace(microsecond=0) - timedelta(minutes=10)
        Firm.objects.get_or_create(name="Harrow & Vale", defaults={"currency": "GBP"})

    def rule(self, what: str, warning: str = "1", critical: str = "3", **fields: Any) -> AlertRule:
        """The only rule that is looked at: those that ship are there, without thresholds."""
        shipped.ensure()
        AlertRule.objects.update(warning=None, critical=None)
        given = {"slug": what.replace("_", "-") + "-rule", "name": f"Rule of {what}", "what": what}
        bounds = {"warning": Decimal(warning) if warning else None, "critical": Decimal(critical) if critical else None}
        return AlertRule.objects.create(**{**given, **bounds, **fields})

    def route(self, slug: str = "ops", **fields: Any) -> AlertRoute:
        given = {"slug": slug, "name": slug, "mail": [f"{slug}@example.com"]}
        return AlertRoute.objects.create(**{**given, **fields})

    def ran(
        self, status: str = RunStatus.SUCCEEDED, *, sync: Sync | None = None, at: datetime | None = None, **counts: Any
    ) -> Run:
        start = at or timezone.now()
        return Run.objects.create(
            sync=sync or self.reads,
            status=status,
            trigger=Run.Trigger.SCHEDULE,
            started_at=start,
            finished_at=start + timedelta(seconds=counts.pop("seconds", 5)),
            **counts,
        )

    def dead(self, amount: str = "100.00", currency: str = "GBP") -> CanonicalRecord:
        record = self.record(timezone.now())
        CanonicalRecord.objects.filter(pk=record.pk).update(amount=Decimal(amount), currency=currency)
        self.delivery(record, 1, DeliveryState.DEAD)
        return record

    def mend(self, record: CanonicalRecord) -> None:
        with connection.cursor() as cursor:
            cursor.execute("update sync_delivery set state = 6 where record_id = %s", [record.pk])

    def circuit(self, state: str = Circuit.State.OPEN, sync: Sync | None = None) -> Circuit:
        owner = (sync or self.reads).stream.connection
        values = {"state": state, "since": timezone.now(), "error": "Connection refused."}
        return Circuit.objects.update_or_create(connection=owner, defaults=values)[0]

    def look(self, after: timedelta = MINUTE) -> Evaluation:
        """The next evaluation."""
        self.now += after
        return evaluate(now=self.now)


def notices() -> list[tuple[str, str, str]]:
    """(before, after, channel) of every notice, in order."""
    rows = AlertNotice.objects.filter(change__isnull=False).order_by("pk")
    return [(row.change.before, row.change.after, row.channel) for row in rows.select_related("change") if row.change]


def state_of(rule: AlertRule) -> str:
    return Alert.objects.get(rule=rule).state
