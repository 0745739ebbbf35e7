"""What the hub has to say of each planted fault, worked out from the firm's own story and not from anything that the hub did.

Amounts are what hangs on the record in its own currency: of time, hours × bill rate, as the person booked them. None where
the record has no amount, or none that anybody could know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from connectors.simulators import ids
from connectors.simulators.firm import posted_entries
from connectors.simulators.firm.faults import MANUAL_TIME
from connectors.simulators.firm.shapes import Fault, Firm, TimeEntry

Money = tuple[Decimal, str] | None
FINANCE, PMO, HR, SALES = "Finance operations", "PMO", "HR operations", "Sales operations"
# What no business can settle, and what hangs on 50,000 pounds or more: whole deals and projects.
INTEGRATION, CONTROLLER = "Integration team", "Controller"


@dataclass(frozen=True, slots=True)
class Expected:
    """The queue's cause (slug of a classification), whose turn it is, and the money."""

    fault: Fault
    cause: str
    team: str
    money: Money = None


def expected_of(firm: Firm) -> dict[tuple[str, str], Expected]:
    """(system, the record's id there) → what must stand in the exception queue."""
    found = [_expected(firm, fault) for fault in firm.faults if fault.expected != "normalised"]
    return {(each.fault.system, each.fault.external_id): each for each in found}


def kept_of(firm: Firm) -> list[Fault]:
    """Faults that only look like one: they pass with their value kept and stand in no queue."""
    return [fault for fault in firm.faults if fault.expected == "normalised"]


def _expected(firm: Firm, fault: Fault) -> Expected:
    cause, team, money = _ANSWERS[fault.code]
    return Expected(fault, cause, team, money(firm, fault) if money else None)


# Amounts ---------------------------------------------------------------------------------------------------
def _entry(firm: Firm, fault: Fault) -> TimeEntry:
    return next(e for e in firm.time_entries if ids.psa_id("time_entries", e.n) == fault.external_id)


def _time(minutes: int | None = None) -> Callable[[Firm, Fault], Money]:
    """Hours × bill rate; `minutes` are those that were booked by mistake."""

    def money(firm: Firm, fault: Fault) -> Money:
        entry = _entry(firm, fault)
        hours = Decimal(entry.minutes if minutes is None else minutes) / 60
        return (hours * Decimal(entry.bill_rate)).quantize(Decimal("0.01")), entry.currency

    return money


def _card(firm: Firm, fault: Fault) -> Money:
    """The entry lacks its rate: what the client's rate card says for the person's role."""
    entry = _entry(firm, fault)
    project = next(p for p in firm.projects if p.code == entry.project)
    role = next(p.role for p in firm.people if p.number == entry.person)
    card = next(c for c in firm.rate_cards if c.code == project.rate_card)
    return (Decimal(entry.minutes) / 60 * Decimal(card.line(role).bill_rate)).quantize(Decimal("0.01")), card.currency


def _deal(currency: str = "") -> Callable[[Firm, Fault], Money]:
    def money(firm: Firm, fault: Fault) -> Money:
        deal = next(d for d in firm.deals if ids.crm_id("Opportunity", d.n) == fault.external_id)
        return Decimal(deal.amount), currency or deal.currency

    return money


def _budget(firm: Firm, fault: Fault) -> Money:
    """All that the project is to bring."""
    project = next(p for p in firm.projects if ids.psa_id("workspaces", p.n) == fault.external_id)
    return Decimal(project.budget_revenue), project.currency


def _expense(firm: Firm, fault: Fault) -> Money:
    spent = next(e for e in firm.expenses if ids.psa_id("expenses", e.n) == fault.external_id)
    return Decimal(spent.amount), "EURO"


def _milestone(firm: Firm, fault: Fault) -> Money:
    due = next(m for m in firm.milestones if ids.psa_id("stories", ids.MILESTONE_OFFSET + m.n) == fault.external_id)
    return Decimal(due.amount), due.currency


def _by_hand(firm: Firm, fault: Fault) -> Money:
    """The newest registration copied, with its amount, under other hours; nothing hangs on it where nobody is charged."""
    assert fault.external_id == _registration(MANUAL_TIME)
    copied = max(posted_entries(firm), key=lambda entry: (entry.day, _registration(entry.reference)))
    amount = Decimal(copied.minutes) / 60 * Decimal(copied.bill_rate)
    return (amount.quantize(Decimal("0.01")), copied.currency) if copied.billable else None


def _registration(reference: str) -> str:
    return ids.erp_id("timeRegistrationEntries", reference)


_ANSWERS: dict[str, tuple[str, str, Callable[[Firm, Fault], Money] | None]] = {
    "UNKNOWN_PROJECT": ("missing-project", PMO, _time()),
    "NEGATIVE_HOURS": ("validation", FINANCE, _time(-240)),
    "MISSING_EMAIL": ("validation", HR, None),
    "DUPLICATE_CLIENT": ("duplicate", SALES, None),
    "DEAL_WITHOUT_LEGAL_ENTITY": ("validation", CONTROLLER, _deal()),
    "BAD_CURRENCY": ("currency-tax", SALES, _deal("GPB")),
    "LONG_PROJECT_CODE": ("validation", CONTROLLER, _budget),
    "UNKNOWN_PROJECT_STATUS": ("value-not-mapped", INTEGRATION, _budget),
    "UNKNOWN_PERSON": ("inactive-person", HR, _time()),
    "MISSING_RATE": ("missing-rate", FINANCE, _card),
    "HOURS_AS_TEXT": ("validation", FINANCE, None),
    "DAY_OF_25_HOURS": ("validation", FINANCE, _time(1500)),
    "NUL_IN_NOTES": ("validation", FINANCE, _time()),
    "CLOSED_PROJECT": ("closed-project", FINANCE, _time()),
    "APPROVED_TWICE": ("duplicate", FINANCE, _time()),
    "LATE_TIME": ("closed-period", FINANCE, _time()),
    "BAD_EXPENSE_CURRENCY": ("currency-tax", FINANCE, _expense),
    "IMPOSSIBLE_DATE": ("milestone-not-triggered", PMO, _milestone),
    "DATE_FORMAT": ("validation", HR, None),
    "OLD_COST_CENTRE": ("reference-missing", HR, None),
    "TIME_ONLY_IN_ERP": ("gap", FINANCE, _by_hand),
}
