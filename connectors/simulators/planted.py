"""Does the damage that `firm.faults` describes: a system's copy of a record is spoiled, the firm itself stays true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.simulators import ids
from connectors.simulators.firm.faults import MANUAL_TIME, NOISY_AMOUNT
from connectors.simulators.firm.shapes import Fault, Firm

Row = dict[str, Any]


@dataclass(slots=True)
class Stamped:
    """A row of seed data with the instant of its last change."""

    key: str
    row: Row
    changed_at: datetime


Rows = dict[str, Stamped]
# Milestones are a stream of their own and stories to the PSA.
_TABLES = {"milestones": "stories"}


def spoil(system: str, objects: dict[str, Rows], firm: Firm) -> None:
    """Plant all faults of `system`. A fault without an entry below is one that the firm's own story already tells."""
    for fault in firm.faults:
        if fault.system == system and fault.code in _HARM:
            _HARM[fault.code](objects[_TABLES.get(fault.object, fault.object)], fault)


def _set(**values: Any) -> Callable[[Rows, Fault], None]:
    def harm(rows: Rows, fault: Fault) -> None:
        rows[fault.external_id].row.update(values)

    return harm


def _add_duplicate_client(rows: Rows, fault: Fault) -> None:
    """The first client once more, entered eight weeks later by somebody who did not look."""
    original = next(iter(rows.values()))
    row = original.row | {
        "Id": fault.external_id,
        "AccountNumber": "C-1901",
        "Name": "NORTHGATE  Logistics Ltd.",
        "BillingStreet": "14, Canal Wharf",
        "Hub_External_Id__c": None,
    }
    rows[fault.external_id] = Stamped(fault.external_id, row, original.changed_at + timedelta(hours=5))


def _give_huge_id(rows: Rows, fault: Fault) -> None:
    stamped = next(s for s in rows.values() if s.row["notes"] == "Reviewed the huge file")
    del rows[stamped.key]
    stamped.key, stamped.row["id"] = ids.HUGE_ID, int(ids.HUGE_ID)
    rows[ids.HUGE_ID] = stamped


def _strip_number(rows: Rows, fault: Fault) -> None:
    row = rows[fault.external_id].row
    row["employee_number"] = row["employee_number"].lstrip("0")


def _lengthen_code(rows: Rows, fault: Fault) -> None:
    row = rows[fault.external_id].row
    row["external_reference"] = f"{row['external_reference']}-EXTENSION-OF-THE-COMPLIANCE-PROGRAMME-2027"[:46]


def _break_status(rows: Rows, fault: Fault) -> None:
    rows[fault.external_id].row["status"] = {"key": "paused_by_client", "message": "Paused by client", "color": "grey"}


def _add_manual_time(rows: Rows, fault: Fault) -> None:
    """A copy of the newest registration, under a reference that no other system knows."""
    newest = max(rows.values(), key=lambda stamped: (stamped.row["date"], stamped.key))
    row = newest.row | {"id": fault.external_id, "externalReference": MANUAL_TIME, "quantity": Decimal("7.50")}
    rows[fault.external_id] = Stamped(fault.external_id, row, newest.changed_at)


_HARM: dict[str, Callable[[Rows, Fault], None]] = {
    "UNKNOWN_PROJECT": _set(workspace_id="49999"),
    "NEGATIVE_HOURS": _set(time_in_minutes=-240),
    "MISSING_EMAIL": _set(workEmail=""),
    "DUPLICATE_CLIENT": _add_duplicate_client,
    "HUGE_ID": _give_huge_id,
    "DEAL_WITHOUT_LEGAL_ENTITY": _set(Legal_Entity__c=None),
    "BAD_CURRENCY": _set(CurrencyIsoCode="GPB"),
    "FLOAT_NOISE": _set(Amount=Decimal(NOISY_AMOUNT)),
    "LONG_PROJECT_CODE": _lengthen_code,
    "UNKNOWN_PROJECT_STATUS": _break_status,
    "STRIPPED_EMPLOYEE_NUMBER": _strip_number,
    "UNKNOWN_PERSON": _set(user_id="69999"),
    "MISSING_RATE": _set(rate_in_cents=None),
    "HOURS_AS_TEXT": _set(time_in_minutes="8:00"),
    "DAY_OF_25_HOURS": _set(time_in_minutes=1500),
    "NUL_IN_NOTES": _set(notes="Copied from a\x00terminal"),
    "BAD_EXPENSE_CURRENCY": _set(currency="EURO"),
    "IMPOSSIBLE_DATE": _set(due_date="2026-02-31"),
    "DATE_FORMAT": _set(hireDate="31/12/2025"),
    "OLD_COST_CENTRE": _set(costCenter="CC-905"),
    "EMOJI_NAME": _set(firstName="Robin 🐝"),
    "TIME_ONLY_IN_ERP": _add_manual_time,
}
