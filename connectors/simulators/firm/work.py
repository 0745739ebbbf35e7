"""Assignments, time, expenses, milestones and invoices: what people do and what finance makes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from connectors.simulators.firm import words
from connectors.simulators.firm.clients import money
from connectors.simulators.firm.shapes import (
    Assignment,
    Expense,
    Invoice,
    InvoiceLine,
    Milestone,
    Person,
    Project,
    RateCard,
    Task,
    TimeEntry,
)

_SPLITS = ((240, 240), (300, 180), (360, 120), (270, 210))
PAYMENT_TERMS_DAYS = 30
_TAX = {"GBP": Decimal("0.20"), "EUR": Decimal("0.19"), "USD": Decimal("0")}


def posted_until(today: date) -> date:
    """First day of last month: time before it is posted in the ERP and invoiced, its periods are closed."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def assign(people: list[Person], projects: list[Project], today: date) -> list[Assignment]:
    """Everybody who books time works on two projects; where one does not span the quarter, another fills the gap."""
    takers = [p for p in projects if p.takes_time]
    assignments: list[Assignment] = []
    for position, person in enumerate(p for p in people if p.books_time):
        first = takers[position % len(takers)]
        second = takers[(position + 1 + position // len(takers)) % len(takers)]
        second = second if second is not first else takers[(position + 1) % len(takers)]
        others = [p for p in takers if p not in (first, second)]
        for project, percent in ((first, 60), (second, 40)):
            for code, start, end in _spells(project, others, today):
                assignments.append(
                    Assignment(len(assignments) + 1, person.number, code, start, end, percent, code == project.code)
                )
    return assignments


def _spells(project: Project, others: list[Project], today: date) -> Iterator[tuple[str, date, date]]:
    """(project code, first day, last day): the project itself, and what stands in before it starts or after it ends."""
    opening = today - timedelta(days=100)
    yield project.code, project.start, project.end
    if project.start > opening:
        before = next((p for p in others if p.start <= opening and p.end >= project.start), None)
        if before:
            yield before.code, before.start, project.start - timedelta(days=1)
    if project.end < today:
        after = next((p for p in others if p.start <= project.end < today <= p.end), None)
        if after:
            yield after.code, project.end + timedelta(days=1), after.end


class Timesheets:
    """Writes the time entries: two a person and working day, newest day first until `count` is reached."""

    def __init__(self, people: list[Person], projects: list[Project], tasks: list[Task], cards: list[RateCard]) -> None:
        self._people = [p for p in people if p.books_time]
        self._projects = {p.code: p for p in projects}
        self._cards = {card.code: card for card in cards}
        self._tasks: dict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            if task.kind == "task":
                self._tasks[task.project].append(task)

    def write(self, count: int, plan: list[Assignment], today: date, posted: date, rng: Random) -> list[TimeEntry]:
        by_person: dict[str, list[Assignment]] = defaultdict(list)
        for assignment in plan:
            by_person[assignment.person].append(assignment)
        slots = self._slots(count, by_person, today)
        return [self._entry(n, slot, today, posted, rng) for n, slot in enumerate(slots, start=1)]

    def _slots(
        self, count: int, plan: dict[str, list[Assignment]], today: date
    ) -> list[tuple[date, Person, Assignment, int]]:
        """(day, person, assignment, minutes) in order of time."""
        slots: list[tuple[date, Person, Assignment, int]] = []
        day = today
        while len(slots) < count:
            day -= timedelta(days=1)
            if day.weekday() < 5:
                for position, person in enumerate(self._people):
                    live = [a for a in plan[person.number] if a.start <= day <= a.end][:2]
                    split = _SPLITS[(day.toordinal() + position) % len(_SPLITS)]
                    slots += [(day, person, a, minutes) for a, minutes in zip(live, split, strict=False)]
        return sorted(slots[:count], key=lambda slot: slot[0])

    def _entry(
        self, n: int, slot: tuple[date, Person, Assignment, int], today: date, posted: date, rng: Random
    ) -> TimeEntry:
        day, person, assignment, minutes = slot
        project = self._projects[assignment.project]
        tasks = self._tasks[project.code]
        rate = self._cards[project.rate_card].line(person.role)
        status = _status((today - day).days, day < posted, rng)
        approved_at = _instant(day + timedelta(days=3), 16, n) if status == "approved" else None
        billable = project.billing_type == "tm"
        return TimeEntry(
            n, f"TS-{day:%y%m%d}-{person.number}-{n % 2 + 1}", person.number, project.code,
            tasks[(n + person.n) % len(tasks)].wbs, day, minutes, billable, rate.bill_rate, rate.cost_rate,
            project.currency, status, approved_at or _instant(day, 17, n), approved_at,
            invoiced=billable and day < posted and status == "approved", notes=words.NOTES[n % len(words.NOTES)],
        )  # fmt: skip


def _status(age_days: int, posted: bool, rng: Random) -> str:
    """Old time is approved but for a few; the newest is still with the person or with the manager."""
    dice = rng.random()
    if posted:
        return "approved"
    if age_days > 12:
        return "rejected" if dice < 0.01 else "submitted" if dice < 0.03 else "approved"
    if age_days > 4:
        return "submitted" if dice < 0.3 else "approved"
    return "draft" if dice < 0.4 else "submitted"


def _instant(day: date, hour: int, n: int) -> datetime:
    """Not all different: several records share a second, as in life."""
    return datetime.combine(day, time(hour, n * 7 % 60, n % 60), UTC)


def file_expenses(entries: list[TimeEntry], rng: Random) -> list[Expense]:
    """One receipt for every fortieth entry on client work that was sent in."""
    on_site = [e for e in entries[::40] if e.billable and e.status in ("approved", "submitted")]
    return [_expense(n, entry, rng) for n, entry in enumerate(on_site, start=1)]


def _expense(n: int, entry: TimeEntry, rng: Random) -> Expense:
    category, low, high = words.EXPENSES[n % len(words.EXPENSES)]
    amount = money(Decimal(rng.randrange(low * 100, high * 100)) / 100)
    return Expense(
        n, f"EX-{9000 + n}", entry.person, entry.project, entry.day, category, amount, entry.currency, n % 6 != 0,
        entry.status, entry.changed_at,
    )  # fmt: skip


def plan_milestones(projects: list[Project], today: date) -> list[Milestone]:
    """Three for each fixed-price project: accepted, completed and still to come."""
    milestones: list[Milestone] = []
    for project in (p for p in projects if p.billing_type == "fixed" and p.takes_time):
        third = money(Decimal(project.budget_revenue) / 3)
        for part, (name, days, status) in enumerate(
            (("Blueprint agreed", -40, "accepted"), ("Pilot live", -6, "completed"), ("Roll-out done", 60, "planned"))
        ):
            n = len(milestones) + 1
            due = today + timedelta(days=days)
            accepted = due + timedelta(days=2) if status == "accepted" else None
            reference = f"MS-{project.code}-{part + 1}"
            milestones.append(
                Milestone(n, reference, project.code, name, due, third, project.currency, status, accepted)
            )
    return milestones


def invoice(entries: list[TimeEntry], projects: list[Project], tasks: list[Task]) -> list[Invoice]:
    """One invoice for each project and month of time that finance has posted."""
    by_project = {p.code: p for p in projects}
    names = {(t.project, t.wbs): t.name for t in tasks}
    piles: dict[tuple[date, str], list[TimeEntry]] = defaultdict(list)
    for entry in entries:
        if entry.invoiced:
            piles[(entry.day.replace(day=1), entry.project)].append(entry)
    return [
        _invoice(n, month, by_project[code], piles[month, code], names)
        for n, (month, code) in enumerate(sorted(piles), start=1)
    ]


def _invoice(
    n: int, month: date, project: Project, pile: list[TimeEntry], names: dict[tuple[str, str], str]
) -> Invoice:
    lines = _invoice_lines(pile, names)
    net = sum((Decimal(line.net) for line in lines), Decimal(0))
    tax = (net * _TAX[project.currency]).quantize(Decimal("0.01"))
    day = (month + timedelta(days=31)).replace(day=1) + timedelta(days=4)
    due = day + timedelta(days=PAYMENT_TERMS_DAYS)
    return Invoice(
        n, f"SI-{10_000 + n}", project.client, project.code, day, due, project.currency, money(net), money(tax),
        money(net + tax), n % 3 != 0, lines,
    )  # fmt: skip


def _invoice_lines(pile: list[TimeEntry], names: dict[tuple[str, str], str]) -> tuple[InvoiceLine, ...]:
    minutes: dict[tuple[str, str], int] = defaultdict(int)
    for entry in pile:
        minutes[entry.task, entry.bill_rate] += entry.minutes
    project = pile[0].project
    return tuple(
        InvoiceLine(task, names[project, task], money(Decimal(total) / 60), rate, money(Decimal(rate) * total / 60))
        for (task, rate), total in sorted(minutes.items())
    )
