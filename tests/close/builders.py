"""A small firm at its close: two legal entities, their periods, records on the way and records in trouble."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection
from django.utils import timezone

from governance.models import Entity, Firm
from hub.accounts.models import Domain
from hub.common.times import period_bounds
from hub.records.models import CanonicalRecord, ProvenanceProfile
from hub.sync.models import Sync
from hub.sync.states import DeliveryState
from monitoring.close import awaiting, services
from monitoring.models import AwaitingApproval, ExceptionGroup, ExceptionItem, Period
from tests.sync import builders as build

_ids = count(2_000_001)
NOW = datetime(2026, 12, 2, 12, 0, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "properties": {"number": {"type": "string", "x-key": True}, "status": {"type": "string"}},
}


class CloseWorld:
    """Time entries and expenses of projects of HV-UK and HV-DE; the firm counts in GBP, and EUR has a rate of 0.80."""

    def __init__(self) -> None:
        Firm.objects.create(slug="firm", name="Harrow & Vale", currency="GBP", time_zone="Europe/London")
        self.entities = {
            slug: build.entity(slug, SCHEMA)
            for slug in ("legal_entity", "project", "time_entry", "expense", "fiscal_period", "exchange_rate")
        }
        psa, erp = build.connection("psa"), build.connection("erp")
        self.psa, self.erp = psa.system, erp.system
        rules = [{"target": "number", "source": "number"}]
        self.reads = build.sync("psa-time", "in", build.stream(psa, "time"), self.time, rules)
        self.delivers = build.sync("time-to-erp", "out", build.stream(erp, "time"), self.time, rules)
        for code, project in (("HV-UK", "P-UK"), ("HV-DE", "P-DE")):
            self.record("legal_entity", code, {"name": code}, legal_entity=code)
            self.record("project", project, {}, project=project, legal_entity=code)
        self.rate("EUR", "0.80")

    @property
    def time(self) -> Entity:
        return self.entities["time_entry"]

    def record(self, entity: str, key: str = "", body: dict[str, Any] | None = None, **columns: Any) -> CanonicalRecord:
        number = next(_ids)
        profile, _ = ProvenanceProfile.objects.get_or_create(
            digest=b"1" * 16, defaults={"fields": {"status": self.erp.pk} if hasattr(self, "erp") else {}}
        )
        return CanonicalRecord.objects.create(
            **{
                "id": number,
                "entity": self.entities[entity],
                "key": key or f"{entity}-{number}",
                "version": 1,
                "body": {"number": key or f"{entity}-{number}", **(body or {})},
                "provenance": profile,
                "hash": b"0" * 16,
                "updated_at": NOW,
                **columns,
            }
        )

    def rate(self, currency: str, rate: str) -> None:
        body = {
            "from_currency": currency, "to_currency": "GBP", "rate": rate, "rate_date": "2026-11-30", "rate_type": "spot",
        }  # fmt: skip
        self.record("exchange_rate", f"{currency}|GBP", body)

    def entry(self, amount: str | None = "100.00", currency: str = "GBP", **fields: Any) -> CanonicalRecord:
        """A time entry of November on HV-UK's project, approved; `body` and columns as given."""
        body = {"date": "2026-11-20", "status": "approved", **fields.pop("body", {})}
        money = {"amount": Decimal(amount) if amount else None, "currency": currency}
        made = self.record("time_entry", "", body, **{"project": "P-UK", **money, **fields})
        if body["status"] in awaiting.STATUSES:
            AwaitingApproval.objects.create(record_id=made.pk)
        return made

    def entries(self, columns: list[dict[str, Any]]) -> list[int]:
        """Many time entries at once, each by its columns; returns their ids in order."""
        profile = ProvenanceProfile.objects.get(digest=b"1" * 16)
        rows = []
        for given in columns:
            number = next(_ids)
            plain = {"version": 1, "provenance": profile, "hash": b"0" * 16, "updated_at": NOW}
            rows.append(CanonicalRecord(id=number, entity=self.time, key=f"T-{number}", **plain, **given))
        CanonicalRecord.objects.bulk_create(rows)
        return [row.pk for row in rows]

    def delivery(self, record: CanonicalRecord, state: DeliveryState, sync: Sync | None = None) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into sync_delivery (sync_id, record_id, version, state, next_at) values (%s, %s, 1, %s, now())",
                [(sync or self.delivers).pk, record.pk, int(state)],
            )

    def told(self, legal_entity: str, period: str, status: str, **body: Any) -> CanonicalRecord:
        """A period as the ERP delivers it."""
        columns = {"legal_entity": legal_entity, "period": period}
        return self.record(
            "fiscal_period", f"{legal_entity}|{period}", {**columns, "status": status, **body}, **columns
        )


def period(legal_entity: str = "HV-UK", month: str = "2026-11", **fields: Any) -> Period:
    """Planned through the service; closes four days after its end at 17:30 in London."""
    services.save_period(document(legal_entity, month, **fields), by=None)
    return Period.objects.get(legal_entity=legal_entity, period=month)


def document(legal_entity: str = "HV-UK", month: str = "2026-11", **fields: Any) -> dict[str, Any]:
    start, end = period_bounds(month)
    year, number = (int(part) for part in month.split("-"))
    close = f"{year + number // 12}-{number % 12 + 1:02d}-04"
    return {
        "slug": services.slug_of(legal_entity, month),
        "legal_entity": legal_entity,
        "period": month,
        "start_date": start.isoformat(),
        "end_date": end.isoformat(),
        "close_date": close,
        "time_zone": "Europe/London",
        **fields,
    }


def item(world: CloseWorld, **fields: Any) -> ExceptionItem:
    """An open exception of HV-UK's November."""
    cause = fields.get("cause", "missing_rate")
    now = timezone.now()
    group, _ = ExceptionGroup.objects.get_or_create(
        fingerprint=cause, defaults={"cause": cause, "title": cause, "first_at": now, "last_at": now}
    )
    given = {
        "origin": ExceptionItem.Origin.HELD, "origin_key": f"held:1:{next(_ids)}", "group": group, "kind": "business",
        "cause": cause, "title": f"Something about {cause}", "entity": world.time, "domain": world.time.domain,
        "legal_entity": "HV-UK", "period": "2026-11", "amount": Decimal("250.00"), "currency": "GBP",
        "opened_at": now, "seen_at": now,
    }  # fmt: skip
    return ExceptionItem.objects.create(**{**given, **fields})


def other_domain() -> Domain:
    return Domain.objects.exclude(slug="project-wbs").first() or Domain.objects.get()
