"""A small history: records, ledger rows, deliveries and runs at chosen times."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection
from django.utils import timezone

from governance.models import ServiceLevel
from hub.records.models import CanonicalRecord, ProvenanceProfile
from hub.sync.models import Run, Sync
from hub.sync.states import DeliveryState, Outcome, RunStatus
from tests.sync import builders as build

_ids = count(1_000_001)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "properties": {"number": {"type": "string", "x-key": True}, "status": {"type": "string"}},
}


class World:
    """Time entries from the PSA to the ERP."""

    def __init__(self) -> None:
        self.entity = build.entity("time_entry", SCHEMA)
        psa, erp = build.connection("psa"), build.connection("erp")
        self.psa, self.erp = psa.system, erp.system
        rules = [{"target": "number", "source": "number"}]
        self.reads = build.sync("psa-time", "in", build.stream(psa, "time"), self.entity, rules)
        self.delivers = build.sync("time-to-erp", "out", build.stream(erp, "time"), self.entity, rules)

    def record(self, at: datetime, **body: Any) -> CanonicalRecord:
        number = next(_ids)
        profile, _ = ProvenanceProfile.objects.get_or_create(digest=b"0" * 16, defaults={"fields": {}})
        return CanonicalRecord.objects.create(
            id=number,
            entity=self.entity,
            key=f"T-{number}",
            version=1,
            body={"number": f"T-{number}", "status": "approved", **body},
            provenance=profile,
            hash=b"0" * 16,
            updated_at=at,
        )

    def ledger(
        self, sync: Sync, record: CanonicalRecord, at: datetime, outcome: Outcome = Outcome.CREATED, cause: int = 0
    ) -> int:
        number = next(_ids)
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id, key,"
                " outcome) values (%s, %s, 0, %s, 0, 0, %s, %s, %s, %s)",
                [number, at, sync.pk, cause or number, record.pk, record.key, int(outcome)],
            )
        return number

    def delivery(self, record: CanonicalRecord, cause: int, state: DeliveryState) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into sync_delivery (sync_id, record_id, version, state, next_at, cause_id)"
                " values (%s, %s, 1, %s, now(), %s)",
                [self.delivers.pk, record.pk, int(state), cause],
            )

    def arrived(self, start: datetime, taken: timedelta, **body: Any) -> CanonicalRecord:
        """A record that was read at `start` and was at the ERP so much later."""
        record = self.record(start, **body)
        cause = self.ledger(self.reads, record, start)
        self.ledger(self.delivers, record, start + taken, cause=cause)
        self.delivery(record, cause, DeliveryState.DELIVERED)
        return record

    def stuck(self, start: datetime, state: DeliveryState = DeliveryState.PENDING, **body: Any) -> CanonicalRecord:
        record = self.record(start, **body)
        self.delivery(record, self.ledger(self.reads, record, start), state)
        return record

    def run(self, sync: Sync, start: datetime, taken: timedelta, status: str = RunStatus.SUCCEEDED) -> Run:
        return Run.objects.create(
            sync=sync, status=status, trigger=Run.Trigger.SCHEDULE, started_at=start, finished_at=start + taken
        )

    def level(self, **fields: Any) -> ServiceLevel:
        """Not saved: approved time reaches the ERP in 4 hours, 99 % a month."""
        given = {
            "slug": "approved-time",
            "name": "Approved time to the ERP",
            "measure": "latency",
            "domain": self.entity.domain,
            "entity": self.entity,
            "target": self.erp,
            "condition": {"status": ["approved"]},
            "warn_seconds": 3 * 3600,
            "breach_seconds": 4 * 3600,
        }
        return ServiceLevel(**{**given, **fields})


def instants(*texts: str) -> list[datetime]:
    return [timezone.make_aware(datetime.fromisoformat(text)) for text in texts]


def document(world: World, **changes: Any) -> dict[str, Any]:
    """The level of `World.level` as configuration."""
    return {
        "slug": "approved-time",
        "name": "Approved time to the ERP",
        "measure": "latency",
        "domain": world.entity.domain.slug,
        "entity": "time_entry",
        "target": "erp",
        "condition": {"status": ["approved"]},
        "warn_seconds": 10_800,
        "breach_seconds": 14_400,
        **changes,
    }
