"""Service levels that are kept, and the ledger around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from governance.models import ServiceLevel
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.sync.states import DeliveryState, Outcome
from monitoring.expectations import services
from monitoring.expectations.projecting import begin
from monitoring.expectations.services import Swept
from monitoring.models import Expectation, ExpectationPosition
from tests.service_levels.builders import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A Friday.
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
State = Expectation.State


class Watched(World):
    """Time entries from the PSA to the ERP, with service levels that have been watched for a month."""

    def __init__(self) -> None:
        set_business_clock(NOW)
        super().__init__()

    def keep(self, *, since: datetime = NOW - 30 * DAY, **fields: Any) -> ServiceLevel:
        level = self.level(**fields)
        level.save()
        begin(level, since=since)
        ExpectationPosition.objects.filter(service_level=level).update(watched_from=since)
        return level

    def changed(self, record: CanonicalRecord, at: datetime, version: int, **body: Any) -> int:
        """A newer version of a record was read; returns the ledger row."""
        CanonicalRecord.objects.filter(pk=record.pk).update(
            version=version, body={**record.body, **body}, updated_at=at
        )
        return self.ledger(self.reads, record, at, Outcome.UPDATED)

    def read(self, at: datetime, **fields: Any) -> tuple[CanonicalRecord, int]:
        """A new record, for which nothing was queued."""
        body = {key: fields.pop(key) for key in ("status",) if key in fields}
        record = self.record(at, **body)
        CanonicalRecord.objects.filter(pk=record.pk).update(**fields)
        return record, self.ledger(self.reads, record, at)

    def deliver(self, record: CanonicalRecord, cause: int, at: datetime) -> None:
        self.ledger(self.delivers, record, at, cause=cause)
        if not record.deliveries.exists():
            self.delivery(record, cause, DeliveryState.DELIVERED)


def rewind() -> None:
    """Tests write the ledger of the past: have it looked at again."""
    ExpectationPosition.objects.update(taken_to=F("begun_at"))


def sweep(at: datetime | None = None) -> Swept:
    if at is not None:
        set_business_clock(at)
    rewind()
    return services.sweep()


def states() -> list[str]:
    return list(Expectation.objects.order_by("opened_at", "pk").values_list("state", flat=True))


def version_of_ledger(transaction_id: int, version: int) -> None:
    """Ledger rows are never changed by the hub; a test says which version one is about."""
    with connection.cursor() as cursor:
        cursor.execute("update sync_transaction set version = %s where id = %s", [version, transaction_id])
