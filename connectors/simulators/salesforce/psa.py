"""A simulated org with Certinia PSA: splits appear some seconds after a timecard, and the financials lock records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Request
from connectors.simulators.planted import Stamped
from connectors.simulators.salesforce import psa_objects, psa_rows
from connectors.simulators.salesforce.org import SalesforceSimulator
from connectors.simulators.salesforce.psa_objects import ADMIN_EDIT, AUDIT_NOTES, DAYS, IN_FINANCIALS, SPLIT, TIMECARD
from connectors.simulators.tables import ObjectType, Problem, Row

SPLIT_SECONDS = 2
_APPROVABLE = (psa_objects.TIMECARD, psa_objects.EXPENSE, psa_objects.MILESTONE)


class CertiniaSimulator(SalesforceSimulator):
    system, label = "certinia", "Simulated Certinia PSA"
    kinds = psa_objects.KINDS

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._unsplit: dict[str, datetime] = {}

    def firm_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self._unsplit.clear()
        return psa_rows.rows(firm)

    def guard(self, request: Request) -> None:
        super().guard(request)
        self._split_what_is_due()

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        row = super().derive(kind, row, before)
        if kind.name == "Contact":
            row["Name"] = f"{row['FirstName'] or ''} {row['LastName']}".strip()
        if kind in _APPROVABLE:
            row["pse__Approved__c"] = row["pse__Status__c"] == "Approved"
        if kind is TIMECARD:
            row["pse__Submitted__c"] = row["pse__Status__c"] in ("Submitted", "Approved")
            row["pse__Total_Hours__c"] = sum((row[f"pse__{day}_Hours__c"] or Decimal(0) for day in DAYS), Decimal(0))
        if ADMIN_EDIT in row:
            row[ADMIN_EDIT] = False
        return row

    def insert(self, kind: ObjectType, values: Row) -> Row:
        row = super().insert(kind, values)
        self._split_later(kind, row)
        return row

    def update(self, kind: ObjectType, key: str, changes: Row) -> Row:
        before = self.tables[kind.name].rows[key]
        is_open = changes.get(ADMIN_EDIT) is True and changes.get(AUDIT_NOTES)
        if before.get(IN_FINANCIALS) and not is_open:
            raise Problem(
                "rule",
                IN_FINANCIALS,
                "The record is included in financials: set Admin Global Edit and say why in Audit Notes.",
            )
        row = super().update(kind, key, changes)
        self._split_later(kind, row)
        return row

    def _split_later(self, kind: ObjectType, row: Row) -> None:
        if kind is TIMECARD:
            self._unsplit[row["Id"]] = self.clock.now() + timedelta(seconds=SPLIT_SECONDS)

    def _split_what_is_due(self) -> None:
        now = self.clock.now()
        for key in [key for key, due_at in self._unsplit.items() if due_at <= now]:
            del self._unsplit[key]
            table = self.tables[SPLIT.name]
            for old in [row["Id"] for row in table.find("pse__Timecard_Header__c", key)]:
                self.delete(SPLIT, old)
            for split in psa_rows.splits(self.tables[TIMECARD.name].rows.get(key, {})) if self._lives(key) else ():
                super().insert(SPLIT, split)

    def _lives(self, key: str) -> bool:
        return key in self.tables[TIMECARD.name].rows
