"""An engagement whose history a test tells step by step: records, ledger rows and deliveries at chosen times."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection

from connectors.models import System
from governance.models import Entity, ServiceLevel
from governance.schemas import markers_of
from governance.services import activate_schema, create_entity
from hub.accounts.models import Domain
from hub.records.models import CanonicalRecord, Crosswalk, ProvenanceProfile
from hub.records.reading import Described
from hub.sync.models import Sync
from hub.sync.states import DeliveryState, Outcome
from tests.sync import builders as build

_ids = count(2_000_001)
KEY = {"type": "string", "x-key": True}
TEXT = {"type": ["string", "null"]}
MONEY = {
    "amount": {"type": ["string", "null"], "format": "decimal", "x-money": "currency"},
    "currency": {"type": ["string", "null"], "x-currency": True},
}
OF_PROJECT = {"project": {"type": ["string", "null"], "x-ref": "project", "x-project": True}}
OF_CUSTOMER = {"customer": {"type": ["string", "null"], "x-ref": "customer", "x-customer": True}}
# entity → (domain, its fields)
MODEL: dict[str, tuple[str, dict[str, Any]]] = {
    "customer": ("customer-contract", {"code": {**KEY, "x-customer": True}, "name": TEXT, "tax_id": TEXT}),
    "opportunity": ("customer-contract", {"number": KEY, **OF_CUSTOMER, "status": TEXT, "won_at": TEXT, "name": TEXT, **MONEY}),
    "contract": (
        "customer-contract",
        {"number": KEY, **OF_CUSTOMER, "opportunity": TEXT, "status": TEXT, "signed_at": TEXT, **MONEY},
    ),
    "project": (
        "project-wbs",
        {
            "code": {**KEY, "x-project": True}, "name": TEXT, **OF_CUSTOMER, "opportunity": TEXT, "contract": TEXT,
            "legal_entity": TEXT, "rate_card": TEXT, "status": TEXT, "billing_type": TEXT, **MONEY,
        },
    ),
    "time_entry": (
        "time-expense",
        {"number": KEY, **OF_PROJECT, "hours": TEXT, "status": TEXT, "approved_at": TEXT, "date": TEXT, **MONEY},
    ),
    "milestone": ("time-expense", {"number": KEY, **OF_PROJECT, "status": TEXT, "accepted_at": TEXT, **MONEY}),
    "invoice": (
        "billing-gl",
        {"number": KEY, **OF_PROJECT, **OF_CUSTOMER, "status": TEXT, "issued_at": TEXT, "invoice_date": TEXT, **MONEY},
    ),
    "gl_posting": ("billing-gl", {"number": KEY, **OF_PROJECT, "category": TEXT, "posting_date": TEXT, **MONEY}),
}  # fmt: skip


class Engagement:
    """A CRM, a PSA and an ERP: the CRM brings customers, deals and contracts, the PSA projects, time and milestones, the ERP
    invoices and postings; customers, projects and time go to the ERP, projects to the PSA."""

    def __init__(self, *, without: tuple[str, ...] = ()) -> None:
        self.entities = {slug: _entity(slug, *MODEL[slug]) for slug in MODEL if slug not in without}
        self.connections = {name: build.connection(name) for name in ("crm", "psa", "erp")}
        for name in self.connections:
            System.objects.filter(slug=name).update(category=name)
        self.syncs: dict[str, Sync] = {}
        reads = {
            "crm": ("customer", "opportunity", "contract"),
            "psa": ("project", "time_entry", "milestone"),
            "erp": ("invoice", "gl_posting"),
        }
        for system, slugs in reads.items():
            for slug in slugs:
                self._sync(slug, "in", system)
        for slug, system in (("customer", "erp"), ("project", "erp"), ("time_entry", "erp"), ("project", "psa")):
            self._sync(slug, "out", system)

    def _sync(self, slug: str, direction: str, system: str) -> None:
        if slug not in self.entities:
            return
        name = f"{system}-{slug}" if direction == "in" else f"{slug}-to-{system}"
        source = build.stream(self.connections[system], name)
        key = next(field for field, spec in MODEL[slug][1].items() if spec.get("x-key"))
        rule = {"target": key, "source": key} if direction == "in" else {"target": "id", "source": key}
        self.syncs[name] = build.sync(name, direction, source, self.entities[slug], [rule])

    # What happens --------------------------------------------------------------------------------------------------
    def record(self, slug: str, key: str, at: datetime, **body: Any) -> CanonicalRecord:
        entity = self.entities[slug]
        markers = markers_of(Described(entity).schema)
        body = {markers.key[0]: key, **body}
        columns = {column: body.get(name) for column, name in markers.promoted if column != "source_updated_at"}
        amount = body.get("amount")
        profile, _ = ProvenanceProfile.objects.get_or_create(digest=b"0" * 16, defaults={"fields": {}})
        return CanonicalRecord.objects.create(
            id=next(_ids), entity=entity, key=key, version=1, body=body, provenance=profile, hash=b"0" * 16, updated_at=at,
            amount=Decimal(amount) if amount else None, currency=body.get("currency"), **columns,
        )  # fmt: skip

    def arrives(self, system: str, slug: str, key: str, at: datetime, **body: Any) -> CanonicalRecord:
        """A record that comes from a system: its row, its id there, and the ledger's row of it."""
        made = self.record(slug, key, at, **body)
        sync = self.syncs[f"{system}-{slug}"]
        self.known(sync, made, f"{system}:{key}")
        self.ledger(sync, made, at)
        return made

    def known(self, sync: Sync, record: CanonicalRecord, external_id: str) -> None:
        Crosswalk.objects.create(
            stream_id=sync.mapping.stream_id, external_id=external_id, record=record, batch_id=0, hash=b"0" * 16
        )

    def ledger(
        self,
        sync: Sync,
        record: CanonicalRecord,
        at: datetime,
        outcome: Outcome = Outcome.CREATED,
        cause: int = 0,
        **more: Any,
    ) -> int:
        number = next(_ids)
        values = {
            "id": number, "at": at, "run_id": 0, "sync_id": sync.pk, "batch_id": 0, "position": 0,
            "correlation_id": cause or number, "record_id": record.pk, "key": record.key, "outcome": int(outcome), **more,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(
                f"insert into sync_transaction ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",
                list(values.values()),
            )
        return number

    def delivery(
        self, name: str, record: CanonicalRecord, state: DeliveryState, at: datetime, cause: int | None, **more: Any
    ) -> None:
        there = {"delivered_version": 1, "target_ref": f"ref:{record.key}"} if state == DeliveryState.DELIVERED else {}
        values = {
            "sync_id": self.syncs[name].pk, "record_id": record.pk, "version": 1, "state": int(state), "next_at": at,
            "cause_id": cause, **there, **more,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(
                f"insert into sync_delivery ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",
                list(values.values()),
            )

    def delivered(self, record: CanonicalRecord, name: str, left: datetime, taken: timedelta) -> int:
        """A record that was asked for at `left` and was at the target so much later; gives the ledger row of its arrival."""
        sync = self.syncs[name]
        cause = self._cause(record, left)
        number = self.ledger(sync, record, left + taken, cause=cause, target_ref=f"ref:{record.key}")
        self.delivery(name, record, DeliveryState.DELIVERED, left + taken, cause)
        return number

    def open(self, record: CanonicalRecord, name: str, left: datetime, state: DeliveryState, **more: Any) -> None:
        """A delivery that has not arrived."""
        cause = self._cause(record, left)
        self.delivery(name, record, state, left, cause, **more)

    def _cause(self, record: CanonicalRecord, left: datetime) -> int:
        source = next(sync for name, sync in self.syncs.items() if name.endswith(f"-{record.entity.slug}"))
        return self.ledger(source, record, left, Outcome.UPDATED)

    # Ready-made ------------------------------------------------------------------------------------------------------
    def won(self, at: datetime) -> CanonicalRecord:
        """A deal that was won, with customer, contract and project; nothing has reached the ERP yet."""
        self.arrives("crm", "customer", "C-1", at - timedelta(days=30), name="Meridian Rail", tax_id="GB1")
        self.arrives(
            "crm", "opportunity", "OPP-1", at, customer="C-1", status="won", won_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            amount="312000.00", currency="GBP",
        )  # fmt: skip
        self.arrives(
            "crm", "contract", "CT-1", at, customer="C-1", opportunity="OPP-1", status="signed",
            signed_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", amount="312000.00", currency="GBP",
        )  # fmt: skip
        return self.arrives(
            "psa", "project", "P-1", at, name="Depot modernisation", customer="C-1", opportunity="OPP-1", status="active",
            billing_type="tm", amount="312000.00", currency="GBP",
        )  # fmt: skip

    def time(self, number: str, at: datetime, **body: Any) -> CanonicalRecord:
        given = {
            "project": "P-1", "hours": "8.00", "status": "approved", "approved_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "amount": "1000.00", "currency": "GBP",
        }  # fmt: skip
        return self.arrives("psa", "time_entry", number, at, **{**given, **body})

    def invoice(self, number: str, at: datetime, **body: Any) -> CanonicalRecord:
        given = {"project": "P-1", "customer": "C-1", "status": "issued", "amount": "5000.00", "currency": "GBP"}
        return self.arrives("erp", "invoice", number, at, **{**given, "issued_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", **body})

    def level(self, **fields: Any) -> ServiceLevel:
        """Approved time reaches the ERP in four hours."""
        given = {
            "slug": "time", "name": "Approved time to the ERP", "measure": "latency", "entity": self.entities["time_entry"],
            "domain": self.entities["time_entry"].domain, "target": System.objects.get(slug="erp"),
            "condition": {"status": ["approved"]}, "warn_seconds": 3 * 3600, "breach_seconds": 4 * 3600,
        }  # fmt: skip
        return ServiceLevel.objects.create(**{**given, **fields})


def _entity(slug: str, domain: str, fields: dict[str, Any]) -> Entity:
    schema = {"type": "object", "properties": fields}
    made = create_entity(
        name=slug.replace("_", " ").title(), slug=slug, domain=Domain.objects.get(slug=domain), by=None
    )
    activate_schema(contract=made.contract, schema=schema, by=None)
    return made
