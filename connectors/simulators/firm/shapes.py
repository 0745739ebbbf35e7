"""What the demo firm is made of, before any system dresses it in its own style.

Money and rates are decimal strings with two digits ("145.00"), working time is whole minutes, dates are `date`,
instants are aware UTC `datetime`. Codes refer to other objects: `TimeEntry.project` holds a `Project.code`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class LegalEntity:
    code: str
    name: str
    country: str
    currency: str
    tax_no: str


@dataclass(frozen=True, slots=True)
class CostCentre:
    code: str
    name: str
    legal_entity: str


@dataclass(frozen=True, slots=True)
class RateLine:
    role: str
    bill_rate: str
    cost_rate: str


@dataclass(frozen=True, slots=True)
class RateCard:
    code: str
    name: str
    currency: str
    lines: tuple[RateLine, ...]

    def line(self, role: str) -> RateLine:
        return next(line for line in self.lines if line.role == role)


@dataclass(frozen=True, slots=True)
class Person:
    """`number` is the employee number, six digits with leading zeros; `n` counts people from 1."""

    n: int
    number: str
    given: str
    family: str
    email: str
    role: str
    grade: str
    legal_entity: str
    cost_centre: str
    manager: str
    hire_date: date
    books_time: bool
    weekly_hours: int = 40

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"


@dataclass(frozen=True, slots=True)
class Client:
    n: int
    code: str
    name: str
    country: str
    city: str
    street: str
    postcode: str
    currency: str
    tax_id: str
    industry: str
    legal_entity: str
    rate_card: str
    in_erp: bool


@dataclass(frozen=True, slots=True)
class Deal:
    """An opportunity; `stage` is the CRM's word. `project` is the agreed project code once the deal is won."""

    n: int
    number: str
    name: str
    client: str
    stage: str
    amount: str
    currency: str
    close_date: date
    legal_entity: str
    billing_type: str
    owner: str
    project: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    n: int
    number: str
    deal: str
    client: str
    value: str
    currency: str
    start: date
    end: date
    purchase_order: str


@dataclass(frozen=True, slots=True)
class Project:
    """`status` is one of approved, active, closed; `in_erp` tells whether finance already has it."""

    n: int
    code: str
    name: str
    client: str
    deal: str
    status: str
    billing_type: str
    manager: str
    start: date
    end: date
    currency: str
    legal_entity: str
    cost_centre: str
    rate_card: str
    budget_minutes: int
    budget_revenue: str
    takes_time: bool
    in_erp: bool


@dataclass(frozen=True, slots=True)
class Task:
    """One line of a project's work breakdown; `wbs` is "1" for a phase, "1.2" for a task below it."""

    n: int
    project: str
    wbs: str
    name: str
    kind: str
    planned_minutes: int
    start: date
    end: date
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    n: int
    person: str
    project: str
    start: date
    end: date
    percent: int
    hard: bool


@dataclass(frozen=True, slots=True)
class TimeEntry:
    """`reference` is the timesheet line, unique in the firm; `status` is draft, submitted, approved or rejected."""

    n: int
    reference: str
    person: str
    project: str
    task: str
    day: date
    minutes: int
    billable: bool
    bill_rate: str
    cost_rate: str
    currency: str
    status: str
    changed_at: datetime
    approved_at: datetime | None
    invoiced: bool
    notes: str


@dataclass(frozen=True, slots=True)
class Expense:
    n: int
    reference: str
    person: str
    project: str
    day: date
    category: str
    amount: str
    currency: str
    billable: bool
    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Milestone:
    """`status` is planned, completed or accepted; only an accepted one may be billed."""

    n: int
    reference: str
    project: str
    name: str
    planned: date
    amount: str
    currency: str
    status: str
    accepted: date | None


@dataclass(frozen=True, slots=True)
class Absence:
    n: int
    person: str
    start: date
    end: date
    kind: str


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    task: str
    description: str
    hours: str
    unit_price: str
    net: str


@dataclass(frozen=True, slots=True)
class Invoice:
    n: int
    number: str
    client: str
    project: str
    day: date
    due: date
    currency: str
    net: str
    tax: str
    gross: str
    paid: bool
    lines: tuple[InvoiceLine, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault: record `external_id` of the stream `object` at `system` is wrong; the hub must say `expected`.

    expected: quarantined (breaks the contract) · waiting (refers to something the hub does not have) · duplicate (is
    another record again) · rejected (the target refuses it) · late (in time for no open period) · gap (only a
    reconciliation can see it) · normalised (looks odd, must pass with its value kept: `field` then holds `value`).
    """

    code: str
    system: str
    object: str
    external_id: str
    sentence: str
    expected: str
    field: str = ""
    value: str = ""


@dataclass(slots=True)
class Firm:
    """Harrow & Vale as one true story; `faults` lists what each system's copy gets wrong."""

    profile: str
    seed: int
    today: date
    posted_until: date
    legal_entities: list[LegalEntity] = field(default_factory=list)
    cost_centres: list[CostCentre] = field(default_factory=list)
    rate_cards: list[RateCard] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    contracts: list[Contract] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    time_entries: list[TimeEntry] = field(default_factory=list)
    expenses: list[Expense] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
