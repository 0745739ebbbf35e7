"""Time at a PSA and at an ERP, in memory, and the hub between them."""

from __future__ import annotations

from typing import Any

from connectors.models import Stream
from hub.sync import services as syncs
from hub.sync.models import Sync
from monitoring.models import Reconciliation, ReconciliationGap, ReconciliationRun
from monitoring.reconciliation import services
from tests import memory
from tests.sync import builders as build

TIME: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "hours": {"type": "string", "format": "decimal"},
        "amount": {"type": "string", "format": "decimal", "x-money": "currency", "x-amount": True},
        "currency": {"type": "string", "x-currency": True},
        "resource": {"type": "string"},
        "project": {"type": "string", "x-project": True},
        "customer": {"type": "string", "x-customer": True},
        "date": {"type": "string", "format": "date"},
        "period": {"type": "string", "x-period": True},
        "legal_entity": {"type": "string", "x-legal-entity": True},
        "status": {"type": "string"},
        "notes": {"type": "string", "maxLength": 250},
    },
}
IN_RULES = [
    {"target": name, "source": name}
    for name in ("number", "hours", "amount", "currency", "resource", "project", "date", "period", "status", "notes")
]
OUT_RULES = [
    {"target": "ref", "source": "number"},
    {"target": "quantity", "source": "hours"},
    {"target": "lineAmount", "source": "amount"},
    {"target": "currencyCode", "source": "currency"},
    {"target": "job", "source": "project"},
    {"target": "day", "source": "date"},
    {"target": "employee", "source": "resource"},
    {"target": "description", "source": "notes", "convert": [{"fn": "truncate", "args": {"length": 10}}]},
]
ERP_FIELDS = {
    "number": "ref",
    "hours": "quantity",
    "amount": "lineAmount",
    "currency": "currencyCode",
    "project": "job",
    "date": "day",
    "resource": "employee",
    "notes": "description",
}


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """A record as the PSA shows it."""
    row = {
        "id": str(number),
        "number": f"T-{number}",
        "hours": "8.00",
        "amount": "800.00",
        "currency": "GBP",
        "resource": "R-1",
        "project": "P-1",
        "date": "2026-11-05",
        "period": "2026-11",
        "status": "approved",
        "notes": "",
    }
    return {**row, **changes}


def posted(number: int, **changes: Any) -> dict[str, Any]:
    """The same as the ERP shows it."""
    row = {
        "id": f"E-{number}",
        "ref": f"T-{number}",
        "quantity": "8.00",
        "lineAmount": "800.00",
        "currencyCode": "GBP",
        "job": "P-1",
        "day": "2026-11-05",
        "employee": "R-1",
        "description": "",
    }
    return {**row, **changes}


class World:
    """`psa` and `erp` are lists of records; `compare()` holds them against each other."""

    def __init__(self) -> None:
        self.entity = build.entity("time_entry", TIME)
        psa, erp = build.connection("psa"), build.connection("erp")
        self.psa_stream: Stream = build.stream(psa, "time")
        self.erp_stream: Stream = build.stream(erp, "time")
        self.reads: Sync = build.sync("psa-time", "in", self.psa_stream, self.entity, IN_RULES)
        self.psa: list[dict[str, Any]] = memory.system("psa").sources.setdefault("time", [])
        self.erp: list[dict[str, Any]] = memory.system("erp").sources.setdefault("time", [])

    def with_delivery(self, **fields: Any) -> Sync:
        """The hub writes to the ERP what it reads of the PSA."""
        return build.sync("time-to-erp", "out", self.erp_stream, self.entity, OUT_RULES, **fields)

    def document(self, **changes: Any) -> dict[str, Any]:
        return {
            "slug": "time",
            "name": "Time, PSA ↔ ERP",
            "owner": "Finance operations",
            "domain": self.entity.domain.slug,
            "entity": "time_entry",
            "left": {"stream": "psa-time", "label": "PSA"},
            "right": {"stream": "erp-time", "label": "ERP", "fields": ERP_FIELDS},
            "key": ["number"],
            "compare": [
                {"field": "hours", "type": "decimal"},
                {"field": "amount", "type": "decimal"},
                {"field": "project"},
            ],
            "totals": {"date": "date", "sums": ["hours"]},
            **changes,
        }

    def reconciliation(self, **changes: Any) -> Reconciliation:
        document = self.document(**changes)
        services.save_reconciliation(document, by=None)
        return Reconciliation.objects.get(slug=document["slug"])

    def compare(self, reconciliation: Reconciliation | None = None, **changes: Any) -> ReconciliationRun:
        found = reconciliation or Reconciliation.objects.filter(slug="time").first() or self.reconciliation(**changes)
        return services.compare_here(found)

    def read(self) -> None:
        syncs.run_here(sync=self.reads)


def gaps(run: ReconciliationRun) -> list[ReconciliationGap]:
    """What the reconciliation of this run has open or decided, by key."""
    return list(
        ReconciliationGap.objects.filter(reconciliation=run.reconciliation)
        .exclude(state="gone")
        .order_by("key", "identity")
    )


def labels(run: ReconciliationRun) -> dict[str, str]:
    return {gap.key: gap.label for gap in gaps(run)}
