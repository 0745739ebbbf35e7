"""The planted faults: whom each one hits and what the hub must say about it. `planted.py` does the damage.

A fault never hits a record that others depend on, so that nothing but the listed records goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from connectors.simulators import ids
from connectors.simulators.firm.shapes import Fault, Firm, Project, TimeEntry

# 40000.1 + 100.2 in binary fractions, and what the CRM's user meant.
NOISY_AMOUNT, NOISY_AMOUNT_MEANS = "40100.299999999996", "40100.30"
MANUAL_TIME = "BY-HAND-0001"


class Victims:
    """Hands out records to be spoiled, no record twice."""

    def __init__(self, firm: Firm) -> None:
        self.firm = firm
        self._time = self._spread(firm)
        self._office = iter([p for p in firm.people if not p.books_time][1:])

    @staticmethod
    def _spread(firm: Firm) -> Iterator[TimeEntry]:
        """Approved billable time in open periods and on open projects, wide apart: distinct people and days."""
        open_codes = {p.code for p in firm.projects if p.status == "active"}
        fit = [
            e
            for e in firm.time_entries
            if e.status == "approved" and e.billable and e.day >= firm.posted_until and e.project in open_codes
        ]
        step = max(1, len(fit) // 16)
        return iter(fit[step // 2 :: step])

    def time(self) -> TimeEntry:
        return next(self._time)

    def office_person(self) -> str:
        return ids.hris_id(next(self._office).n)

    def rewrite(self, entry: TimeEntry) -> None:
        """Put `entry` in the place of the one with the same number."""
        self.firm.time_entries[entry.n - 1] = entry

    def idle_project(self, position: int) -> str:
        idle = [p for p in self.firm.projects if not p.takes_time]
        return ids.psa_id("workspaces", idle[position].n)

    def deal(self, stage: str, position: int = 0) -> str:
        """A deal that no project of the PSA goes back to."""
        codes = {p.code for p in self.firm.projects}
        fit = [d for d in self.firm.deals if d.stage == stage and d.project not in codes]
        return ids.crm_id("Opportunity", fit[position].n)


@dataclass(frozen=True, slots=True)
class Plant:
    code: str
    system: str
    object: str
    expected: str
    aim: Callable[[Victims], str]
    sentence: str
    field: str = ""
    value: str = ""

    def put(self, victims: Victims) -> Fault:
        return Fault(
            self.code, self.system, self.object, self.aim(victims), self.sentence, self.expected, self.field, self.value
        )


def _time_entry(victims: Victims) -> str:
    return ids.psa_id("time_entries", victims.time().n)


def _duplicate_client(victims: Victims) -> str:
    return ids.crm_id("Account", len(victims.firm.clients) + 1)


def _huge_id(victims: Victims) -> str:
    victims.rewrite(replace(victims.time(), notes="Reviewed the huge file"))
    return ids.HUGE_ID


def _on_closed_project(victims: Victims) -> str:
    entry = victims.time()
    closed = next(p for p in victims.firm.projects if p.status == "closed")
    victims.rewrite(_moved(entry, closed, victims.firm))
    return ids.psa_id("time_entries", entry.n)


def _moved(entry: TimeEntry, project: Project, firm: Firm) -> TimeEntry:
    role = next(p.role for p in firm.people if p.number == entry.person)
    rate = next(card for card in firm.rate_cards if card.code == project.rate_card).line(role)
    return replace(
        entry, project=project.code, currency=project.currency, bill_rate=rate.bill_rate, cost_rate=rate.cost_rate
    )


def _approved_twice(victims: Victims) -> str:
    """The twin takes the place of another entry, so that the number of entries stays what the profile says."""
    entry, other = victims.time(), victims.time()
    victims.rewrite(replace(entry, n=other.n))
    return ids.psa_id("time_entries", other.n)


def _late(victims: Victims) -> str:
    entry = victims.time()
    day = victims.firm.posted_until - timedelta(days=9)
    approved = datetime.combine(victims.firm.today - timedelta(days=1), time(18, 5), UTC)
    victims.rewrite(replace(entry, day=day, approved_at=approved, changed_at=approved))
    return ids.psa_id("time_entries", entry.n)


def _stripped_user(victims: Victims) -> str:
    return ids.psa_id("users", next(p.n for p in reversed(victims.firm.people) if p.books_time))


def _expense(victims: Victims) -> str:
    return ids.psa_id("expenses", victims.firm.expenses[-1].n)


def _milestone(victims: Victims) -> str:
    planned = next(m for m in reversed(victims.firm.milestones) if m.status == "planned")
    return ids.psa_id("stories", ids.MILESTONE_OFFSET + planned.n)


def _manual_time(victims: Victims) -> str:
    return ids.erp_id("timeRegistrationEntries", MANUAL_TIME)


def _noisy_deal(victims: Victims) -> str:
    deals = victims.firm.deals
    deals[0] = replace(deals[0], amount=NOISY_AMOUNT_MEANS)
    return ids.crm_id("Opportunity", deals[0].n)


# The first five are the faults of the tiny profile.
PLANTS = (
    Plant(
        "UNKNOWN_PROJECT", "psa", "time_entries", "waiting", _time_entry,
        "Time is booked on project 49999, which does not exist.",
    ),
    Plant(
        "NEGATIVE_HOURS", "psa", "time_entries", "quarantined", _time_entry,
        "Minus four hours were booked to correct an earlier day.",
    ),
    Plant(
        "MISSING_EMAIL", "hris", "employees", "quarantined", Victims.office_person,
        "The employee has no work e-mail address.",
    ),
    Plant(
        "DUPLICATE_CLIENT", "crm", "Account", "duplicate", _duplicate_client,
        "The first client was entered again with another spelling and number.",
    ),
    Plant(
        "HUGE_ID", "psa", "time_entries", "normalised", _huge_id,
        "The id is a JSON number above 2**53.", "id", ids.HUGE_ID,
    ),
    Plant(
        "DEAL_WITHOUT_LEGAL_ENTITY", "crm", "Opportunity", "quarantined", lambda v: v.deal("Closed Won", 1),
        "The deal is won but names no legal entity.",
    ),
    Plant(
        "BAD_CURRENCY", "crm", "Opportunity", "quarantined", lambda v: v.deal("Negotiation"),
        "The currency is GPB, which is no currency.",
    ),
    Plant(
        "FLOAT_NOISE", "crm", "Opportunity", "normalised", _noisy_deal,
        "The amount carries the noise of binary fractions.", "Amount", NOISY_AMOUNT_MEANS,
    ),
    Plant(
        "LONG_PROJECT_CODE", "psa", "workspaces", "quarantined", lambda v: v.idle_project(0),
        "The project code has 46 characters; 20 are allowed.",
    ),
    Plant(
        "UNKNOWN_PROJECT_STATUS", "psa", "workspaces", "quarantined", lambda v: v.idle_project(1),
        "The status is paused_by_client, which nobody has defined.",
    ),
    Plant(
        "STRIPPED_EMPLOYEE_NUMBER", "psa", "users", "normalised", _stripped_user,
        "The employee number has lost its leading zeros.", "employee_number",
    ),
    Plant(
        "UNKNOWN_PERSON", "psa", "time_entries", "waiting", _time_entry,
        "Time is booked by user 69999, who does not exist.",
    ),
    Plant(
        "MISSING_RATE", "psa", "time_entries", "quarantined", _time_entry,
        "Billable time without a bill rate.",
    ),
    Plant(
        "HOURS_AS_TEXT", "psa", "time_entries", "quarantined", _time_entry,
        "The minutes hold the text 8:00.",
    ),
    Plant(
        "DAY_OF_25_HOURS", "psa", "time_entries", "quarantined", _time_entry,
        "25 hours were booked on one day.",
    ),
    Plant(
        "NUL_IN_NOTES", "psa", "time_entries", "quarantined", _time_entry,
        "The notes contain a NUL character.",
    ),
    Plant(
        "CLOSED_PROJECT", "psa", "time_entries", "rejected", _on_closed_project,
        "Time is booked on a project that finance has closed.",
    ),
    Plant(
        "APPROVED_TWICE", "psa", "time_entries", "duplicate", _approved_twice,
        "The same timesheet line was approved a second time.",
    ),
    Plant(
        "LATE_TIME", "psa", "time_entries", "late", _late,
        "Approved yesterday for a day in a closed period.",
    ),
    Plant(
        "BAD_EXPENSE_CURRENCY", "psa", "expenses", "quarantined", _expense,
        "The currency is EURO, which is no currency code.",
    ),
    Plant(
        "IMPOSSIBLE_DATE", "psa", "milestones", "quarantined", _milestone,
        "The milestone is due on the 31st of February.",
    ),
    Plant(
        "DATE_FORMAT", "hris", "employees", "quarantined", Victims.office_person,
        "The hire date is written 31/12/2025.",
    ),
    Plant(
        "OLD_COST_CENTRE", "hris", "employees", "waiting", Victims.office_person,
        "The cost centre still has its code from before it was renamed.",
    ),
    Plant(
        "EMOJI_NAME", "hris", "employees", "normalised", Victims.office_person,
        "The first name contains an emoji.", "firstName", "Robin 🐝",
    ),
    Plant(
        "TIME_ONLY_IN_ERP", "erp", "timeRegistrationEntries", "gap", _manual_time,
        "Somebody typed time into the ERP that the PSA does not have.",
    ),
)  # fmt: skip


def plant_faults(firm: Firm, count: int) -> None:
    victims = Victims(firm)
    firm.faults = [_with_value(plant.put(victims), firm) for plant in PLANTS[:count]]


def _with_value(fault: Fault, firm: Firm) -> Fault:
    """The stripped number must come out whole: only the firm knows which one it is."""
    if fault.code != "STRIPPED_EMPLOYEE_NUMBER":
        return fault
    person = next(p for p in firm.people if ids.psa_id("users", p.n) == fault.external_id)
    return replace(fault, value=person.number)
