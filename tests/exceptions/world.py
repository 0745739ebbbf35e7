"""A small firm: time and projects from the PSA, time to the ERP, a firm that counts in pounds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection
from django.utils import timezone

from governance.models import Firm
from hub.common.times import business_today
from hub.records.models import CanonicalRecord
from hub.sync.models import HeldRecord, Sync
from hub.sync.states import DeliveryState, HeldState, Outcome
from monitoring.exceptions.collect import Sweep, collect
from monitoring.models import ExceptionItem
from tests.exceptions import builders
from tests.sync import builders as build

_ids = count(9_000_001)
BAD_HOURS = "hours is '25', which is not a number of hours."

MONEY = {"type": ["string", "null"], "format": "decimal", "x-money": "currency"}
TEXT = {"type": ["string", "null"]}
TIME: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "resource": TEXT,
        "project": {**TEXT, "x-ref": "project", "x-project": True},
        "date": {"type": ["string", "null"], "format": "date"},
        "hours": {"type": ["string", "null"], "format": "decimal"},
        "amount": MONEY,
        "currency": {"type": ["string", "null"], "format": "currency", "x-currency": True},
        "status": TEXT,
        "role": TEXT,
        "period": {"type": ["string", "null"], "format": "period", "x-period": True},
    },
}
PROJECT: dict[str, Any] = {
    "type": "object",
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "x-key": True},
        "name": TEXT,
        "customer": {**TEXT, "x-customer": True},
        "legal_entity": {**TEXT, "x-legal-entity": True},
        "rate_card": TEXT,
    },
}
CODED = {
    "type": "object",
    "required": ["code"],
    "properties": {"code": {"type": "string", "x-key": True}, "name": TEXT},
}
RESOURCE = {
    "type": "object",
    "properties": {"employee_number": {"type": "string", "x-key": True}, "name": TEXT, "role": TEXT, "bill_rate": TEXT},
}
CARD = {"type": "object", "properties": {"code": {"type": "string", "x-key": True}, "customer": TEXT, "currency": TEXT}}
LINE = {
    "type": "object",
    "properties": {
        "rate_card": {"type": "string", "x-key": True},
        "line": {"type": "string", "x-key": True},
        "bill_rate": TEXT,
    },
}
RATE = {
    "type": "object",
    "properties": {
        name: {"type": "string", "x-key": True} for name in ("from_currency", "to_currency", "rate_type", "rate_date")
    }
    | {"rate": {"type": "string"}},
}
IN_RULES = [
    {"target": "number", "source": "ref"},
    {"target": "resource", "source": "person"},
    {"target": "project", "source": "project"},
    {"target": "date", "source": "day", "type": "date"},
    {"target": "hours", "source": "hours", "type": "decimal"},
    {"target": "amount", "source": "amount", "type": "decimal"},
    {"target": "currency", "source": "currency"},
    {"target": "role", "source": "role"},
]
OUT_RULES = [{"target": "number", "source": "number"}]


class World:
    def __init__(self) -> None:
        Firm.objects.create(name="Harrow & Vale", currency="GBP")
        self.time, self.project = build.entity("time_entry", TIME), build.entity("project", PROJECT)
        self.customer, self.person = build.entity("customer", CODED), build.entity("resource", RESOURCE)
        self.card, self.line = build.entity("rate_card", CARD), build.entity("rate_line", LINE)
        self.rate_entity = build.entity("exchange_rate", RATE)
        psa, erp = build.connection("psa"), build.connection("erp")
        self.psa, self.erp = psa.system, erp.system
        self.reads: Sync = build.sync("psa-time", "in", build.stream(psa, "time"), self.time, IN_RULES)
        self.delivers: Sync = build.sync("time-to-erp", "out", build.stream(erp, "time"), self.time, OUT_RULES)
        builders.record(self.customer, "C-1", {"code": "C-1", "name": "Acme"})
        self.add_project("P-1", customer="C-1")

    # What the hub holds
    def add_project(self, code: str, **body: Any) -> CanonicalRecord:
        return builders.record(self.project, code, {"code": code, "name": f"Project {code}", **body})

    def rate(self, source: str, rate: str, target: str = "GBP", day: str = "") -> CanonicalRecord:
        day = day or business_today().isoformat()
        body = {"from_currency": source, "to_currency": target, "rate_type": "spot", "rate_date": day, "rate": rate}
        return builders.record(self.rate_entity, f"{source}|{target}|spot|{day}|{next(_ids)}", body)

    def price(self, card: str, role: str, rate: str, currency: str = "GBP", **of_card: Any) -> None:
        builders.record(self.card, card, {"code": card, "currency": currency, **of_card})
        body = {"rate_card": card, "line": role, "role": role, "bill_rate": rate}
        builders.record(self.line, f"{card}|{role}", body)

    # What does not pass
    def held(self, code: str = "CONTRACT", detail: str = BAD_HOURS, **given: Any) -> HeldRecord:
        """A time entry that was not taken in; `body` changes what the source gave, `at` when."""
        number = next(_ids)
        body = {
            "id": str(number), "ref": f"T-{number}", "person": "E-1", "project": "P-1", "day": "2026-11-03", "hours": "8.00",
            "amount": "800.00", "currency": "GBP", **given.pop("body", {}),
        }  # fmt: skip
        at = given.pop("at", timezone.now())
        state = given.pop("state", HeldState.QUARANTINED)
        return HeldRecord.objects.create(
            sync=self.reads, external_id=str(number), state=state, error_code=code, error_detail=detail, body=body,
            field=given.pop("field", "hours"), transaction_id=number, first_at=at, last_at=at, **given,
        )  # fmt: skip

    def refused(self, detail: str = "Job P-1 is not known.", **body: Any) -> CanonicalRecord:
        """A time entry that the ERP would not take."""
        number = next(_ids)
        key = f"T-{number}"
        told = {"number": key, "project": "P-1", "hours": "8.00", "amount": "800.00", "currency": "GBP", **body}
        record = builders.record(self.time, key, told)
        builders.delivery(self.delivers, record, int(DeliveryState.DEAD), "REFUSED_BY_TARGET", detail)
        return record

    def ledger(
        self, sync: Sync, outcome: Outcome, *, record_id: int | None = None, external_id: str | None = None
    ) -> int:
        number = next(_ids)
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id,"
                " external_id, outcome) values (%s, clock_timestamp(), 0, %s, 0, 0, %s, %s, %s, %s)",
                [number, sync.pk, number, record_id, external_id, int(outcome)],
            )
        return number

    def deliver(self, record: CanonicalRecord, state: DeliveryState) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "update sync_delivery set state = %s where sync_id = %s and record_id = %s",
                [int(state), self.delivers.pk, record.pk],
            )


def sweep() -> Sweep:
    found = collect()
    assert found is not None
    return found


def only() -> ExceptionItem:
    return ExceptionItem.objects.select_related("group").get()


def hours_ago(hours: float) -> datetime:
    return timezone.now() - timedelta(hours=hours)


def amounts(items: Sequence[ExceptionItem]) -> list[Decimal | None]:
    return [item.amount for item in items]
