"""Built histories whose figures can be worked out on paper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from hub.records.models import CanonicalRecord
from hub.sync.models import Run, Sync
from hub.sync.states import Outcome, RunStatus
from monitoring.models import Measure, MeasureValue
from monitoring.value import computing, shipped
from tests.close.builders import SCHEMA, CloseWorld, _ids
from tests.sync import builders as build

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MORE = (
    "opportunity", "resource_request", "assignment", "availability", "resource", "invoice", "milestone",
    "project_financials", "gl_posting",
)  # fmt: skip


class ValueWorld(CloseWorld):
    """The firm of the close, with every entity that a measure asks for; the month is November 2026."""

    def __init__(self) -> None:
        super().__init__()
        for slug in MORE:
            self.entities[slug] = build.entity(slug, SCHEMA)
        rules = [{"target": "number", "source": "number"}]
        project = self.entities["project"]
        psa, erp = self.reads.stream.connection, self.delivers.stream.connection
        self.project_in = build.sync("psa-projects", "in", build.stream(psa, "projects"), project, rules)
        self.project_out = build.sync("projects-to-erp", "out", build.stream(erp, "projects"), project, rules)

    def ledger(self, sync: Sync, record: CanonicalRecord, at: datetime, outcome: Outcome = Outcome.CREATED) -> None:
        number = next(_ids)
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id, key,"
                " outcome) values (%s, %s, 0, %s, 0, 0, %s, %s, %s, %s)",
                [number, at, sync.pk, number, record.pk, record.key, int(outcome)],
            )

    def arrived(self, approved: datetime, hours: float, **fields: Any) -> CanonicalRecord:
        """A time entry that was approved then, and in the ERP so many hours later."""
        body = {"approved_at": approved.strftime("%Y-%m-%dT%H:%M:%SZ"), **fields.pop("body", {})}
        record = self.entry(body=body, **fields)
        self.ledger(self.delivers, record, approved + timedelta(hours=hours))
        return record

    def run(self, sync: Sync, at: datetime, status: str = RunStatus.SUCCEEDED, error: str = "") -> Run:
        return Run.objects.create(
            sync=sync, status=status, trigger="schedule", started_at=at, finished_at=at, error_code=error
        )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def measure(formula: str, **fields: Any) -> Measure:
    """The shipped measure of a formula, stored as it is."""
    document = next(one for one in shipped.documents() if one["formula"] == formula)
    made, _ = Measure.objects.update_or_create(slug=document["slug"], defaults={**document, **fields})
    return made


def computed(formula: str, month: str = "2026-11", **fields: Any) -> MeasureValue:
    return computing.compute(measure(formula, **fields), month)


def listed(formula: str, month: str = "2026-11", **fields: Any) -> list[computing.MeasureRow]:
    asked = computing.ask(measure(formula, **fields), month)
    assert asked is not None
    return list(computing.rows_of(asked))


def number(text: str) -> Decimal:
    return Decimal(text)
