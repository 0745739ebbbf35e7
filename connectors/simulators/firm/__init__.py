"""Harrow & Vale, an invented consulting firm: one definition, from which every simulated system takes its data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import ceil
from random import Random
from typing import Any

from connectors.simulators import ids
from connectors.simulators.firm import clients, people, work
from connectors.simulators.firm.faults import plant_faults
from connectors.simulators.firm.shapes import Fault, Firm, TimeEntry

__all__ = ["PROFILES", "Fault", "Firm", "Profile", "build_firm", "large", "profile_named", "totals"]

# With these outcomes a record does not get into the hub (yet), so its hours do not count.
BLOCKING = frozenset({"quarantined", "waiting", "duplicate"})


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    clients: int
    projects: int
    people: int
    bookers: int
    entries: int
    faults: int


PROFILES = {
    "tiny": Profile("tiny", clients=1, projects=3, people=6, bookers=4, entries=60, faults=5),
    "small": Profile("small", clients=3, projects=12, people=40, bookers=32, entries=4_000, faults=25),
}
_ENTRIES_PER_PERSON = 130  # two a working day in thirteen weeks


def large(entries: int) -> Profile:
    """As many people and projects as it takes to write `entries` time entries in about thirteen weeks."""
    bookers = max(32, ceil(entries / _ENTRIES_PER_PERSON))
    projects = max(12, bookers // 3)
    return Profile(f"large:{entries}", max(3, projects // 10), projects, bookers * 5 // 4, bookers, entries, faults=25)


def profile_named(name: str) -> Profile:
    """`tiny`, `small` or `large:100000`; ValueError for anything else."""
    kind, _, count = name.partition(":")
    if kind == "large" and count.isdecimal() and int(count) >= PROFILES["small"].entries:
        return large(int(count))
    if name not in PROFILES:
        raise ValueError(f"There is no profile {name!r}: use tiny, small or large:N with N of at least 4000.")
    return PROFILES[name]


def build_firm(profile: Profile | str, *, today: date, seed: int = 1) -> Firm:
    """The whole firm as it stands on `today`; the same arguments always give the same firm."""
    profile = profile_named(profile) if isinstance(profile, str) else profile
    firm = Firm(profile.name, seed, today, work.posted_until(today))
    _fill_master_data(firm, profile)
    _fill_work(firm, profile)
    plant_faults(firm, profile.faults)
    return firm


def _fill_master_data(firm: Firm, profile: Profile) -> None:
    firm.legal_entities, firm.cost_centres = list(people.ENTITIES), list(people.COST_CENTRES)
    firm.rate_cards = clients.price_rate_cards()
    firm.people = people.hire_people(profile.people, profile.bookers, firm.today, _dice(firm, "people"))
    firm.clients = clients.win_clients(profile.clients)
    firm.projects = clients.start_projects(profile.projects, firm.clients, firm.people, firm.today, firm.posted_until)
    firm.tasks = clients.break_down(firm.projects)
    firm.deals = clients.close_deals(firm.projects, firm.clients, firm.people, firm.today)
    firm.contracts = clients.sign_contracts(firm.deals, firm.projects)


def _fill_work(firm: Firm, profile: Profile) -> None:
    firm.absences = people.plan_absences(firm.people, firm.today)
    firm.assignments = work.assign(firm.people, firm.projects, firm.today)
    sheets = work.Timesheets(firm.people, firm.projects, firm.tasks, firm.rate_cards)
    firm.time_entries = sheets.write(
        profile.entries, firm.assignments, firm.today, firm.posted_until, _dice(firm, "time")
    )
    firm.expenses = work.file_expenses(firm.time_entries, _dice(firm, "expenses"))
    firm.milestones = work.plan_milestones(firm.projects, firm.today)
    firm.invoices = work.invoice(firm.time_entries, firm.projects, firm.tasks)


def _dice(firm: Firm, purpose: str) -> Random:
    return Random(f"{firm.seed}:{purpose}")


def totals(firm: Firm) -> dict[str, Any]:
    """What the hub must arrive at once every system is read: counts, hours and amounts without the blocked records."""
    good = list(sound_entries(firm))
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for entry in good:
        if entry.status == "approved" and entry.billable:
            amounts[entry.currency] += Decimal(entry.bill_rate) * entry.minutes / 60
    return {
        "time_entries": len(good),
        "approved_hours": clients.money(Decimal(sum(e.minutes for e in good if e.status == "approved")) / 60),
        "approved_amounts": {currency: clients.money(amount) for currency, amount in sorted(amounts.items())},
        "faults": dict(Counter(fault.expected for fault in firm.faults)),
    }


def quiet_moment(firm: Firm, n: int) -> datetime:
    """When the n-th object of some kind was last touched: in the last eighty days, several in the same second."""
    day = firm.today - timedelta(days=1 + n * 7 % 80)
    return datetime.combine(day, time(9, n % 60, n // 3 % 60), UTC)


def posted_entries(firm: Firm) -> Iterator[TimeEntry]:
    """The time that finance has already registered in the ERP: approved in time for a period that is closed."""
    cut = firm.posted_until
    for entry in firm.time_entries:
        if entry.approved_at and entry.day < cut and entry.approved_at.date() <= cut + timedelta(days=5):
            yield entry


def sound_entries(firm: Firm) -> Iterator[TimeEntry]:
    """The time entries that no blocking fault keeps out of the hub."""
    blocked = {f.external_id for f in firm.faults if f.object == "time_entries" and f.expected in BLOCKING}
    return (entry for entry in firm.time_entries if ids.psa_id("time_entries", entry.n) not in blocked)
