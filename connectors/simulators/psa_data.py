"""The firm as the PSA knows it: ids are text, money is whole cents, working time is whole minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain

from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Assignment, Client, Expense, Milestone, Person, Project, Task, TimeEntry
from connectors.simulators.ids import MILESTONE_OFFSET, psa_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

_PACIFIC = timezone(timedelta(hours=-8))
STATUSES = {
    "approved": {"key": "approved", "message": "Approved", "color": "light-green"},
    "in_progress": {"key": "in_progress", "message": "In Progress", "color": "green"},
    "on_hold": {"key": "on_hold", "message": "On Hold", "color": "yellow"},
    "completed": {"key": "completed", "message": "Completed", "color": "blue"},
    "closed": {"key": "closed", "message": "Closed", "color": "grey"},
    "cancelled": {"key": "cancelled", "message": "Cancelled", "color": "red"},
}
_STATUS = {"approved": "approved", "active": "in_progress", "closed": "closed"}
_BILLING = {"tm": "time_and_materials", "fixed": "fixed_fee", "internal": "internal"}
_MILESTONE_STATES = {"planned": "not started", "completed": "completed", "accepted": "accepted"}
_COMMON = (Field("id", "id", read_only=True), Field("created_at", "date-time", read_only=True))
_UPDATED = Field("updated_at", "date-time", read_only=True)


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return ObjectType(name, (*_COMMON, *fields, _UPDATED), key="id", modified="updated_at", writable=writable)


GROUPS = _kind(
    "workspace_groups", Field("name", required=True, max_length=255), Field("external_reference", max_length=100)
)
WORKSPACES = _kind(
    "workspaces",
    Field("title", required=True, max_length=255),
    Field("external_reference", max_length=100),
    Field("status", "object"),
    Field("archived", "boolean"),
    Field("start_date", "date"),
    Field("due_date", "date"),
    Field("currency", max_length=3, options=("GBP", "EUR", "USD")),
    Field("price_in_cents", "integer"),
    Field("budgeted_minutes", "integer"),
    Field("billing_type", options=tuple(_BILLING.values())),
    Field("workspace_group_ids", "array"),
    Field("workspace_group_id", "id", references="workspace_groups"),
    Field("lead_user_id", "id", references="users"),
    Field("rate_card_id", "id", references="rate_cards"),
    Field("contract_number", max_length=40),
    Field("legal_entity_code", max_length=10),
    Field("cost_center_code", max_length=20),
)
STORIES = _kind(
    "stories",
    Field("workspace_id", "id", required=True, references="workspaces"),
    Field("parent_id", "id", references="stories"),
    Field("story_type", required=True, options=("task", "deliverable", "milestone")),
    Field("position", max_length=20),
    Field("title", required=True, max_length=255),
    Field("state", options=("not started", "started", "completed", "accepted")),
    Field("start_date", "date"),
    Field("due_date", "date"),
    Field("accepted_on", "date"),
    Field("billable", "boolean"),
    Field("time_estimate_in_minutes", "integer"),
    Field("budget_estimate_in_cents", "integer"),
    Field("currency", max_length=3),
    Field("external_reference", max_length=100),
)
USERS = _kind(
    "users",
    Field("full_name", required=True, max_length=255),
    Field("email_address", required=True, unique=True, max_length=255),
    Field("headline", max_length=255),
    Field("employee_number", max_length=20),
    Field("disabled", "boolean"),
    Field("generic", "boolean"),
    Field("default_rate_in_cents", "integer"),
    Field("cost_rate_in_cents", "integer"),
)
TIME_ENTRIES = _kind(
    "time_entries",
    Field("user_id", "id", required=True, references="users"),
    Field("workspace_id", "id", required=True, references="workspaces"),
    Field("story_id", "id", references="stories"),
    Field("date_performed", "date", required=True),
    Field("time_in_minutes", "integer", required=True),
    Field("billable", "boolean"),
    Field("status", options=("draft", "submitted", "approved", "rejected")),
    Field("approved", "boolean", read_only=True),
    Field("approved_at", "date-time", read_only=True),
    Field("is_invoiced", "boolean"),
    Field("rate_in_cents", "integer"),
    Field("cost_rate_in_cents", "integer"),
    Field("currency", max_length=3),
    Field("notes", max_length=4000),
    Field("external_reference", max_length=100),
)
EXPENSES = _kind(
    "expenses",
    Field("user_id", "id", required=True, references="users"),
    Field("workspace_id", "id", required=True, references="workspaces"),
    Field("date", "date", required=True),
    Field("category", max_length=100),
    Field("amount_in_cents", "integer", required=True),
    Field("currency", max_length=3),
    Field("is_billable", "boolean"),
    Field("is_invoiced", "boolean"),
    Field("reimbursable", "boolean"),
    Field("status", options=("draft", "submitted", "approved", "rejected")),
    Field("external_reference", max_length=100),
)
ALLOCATIONS = _kind(
    "workspace_allocations",
    Field("workspace_id", "id", required=True, references="workspaces"),
    Field("user_id", "id", required=True, references="users"),
    Field("start_date", "date", required=True),
    Field("end_date", "date", required=True),
    Field("percentage", "integer"),
    Field("hard", "boolean"),
)
RATE_CARDS = _kind(
    "rate_cards", Field("title", required=True), Field("currency"), Field("external_reference"), Field("roles", "array")
)
RATE_CARD_ROLES = _kind(
    "rate_card_roles",
    Field("rate_card_id", "id", required=True, references="rate_cards"),
    Field("role", required=True),
    Field("currency"),
    Field("rate_in_cents", "integer"),
    Field("cost_in_cents", "integer"),
)
KINDS = (GROUPS, WORKSPACES, STORIES, USERS, TIME_ENTRIES, EXPENSES, ALLOCATIONS, RATE_CARDS, RATE_CARD_ROLES)


def stamp(instant: datetime) -> str:
    """Whole seconds with the offset of the vendor's home: "2026-11-20T01:05:00-08:00"."""
    return instant.astimezone(_PACIFIC).isoformat(timespec="seconds")


def cents(amount: str) -> int:
    return int(Decimal(amount) * 100)


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    return _Copy(firm).rows()


class _Copy:
    """Rewrites the firm's codes as the PSA's ids."""

    def __init__(self, firm: Firm) -> None:
        self.firm = firm
        self._groups = {c.code: psa_id("workspace_groups", c.n) for c in firm.clients}
        self._users = {p.number: psa_id("users", p.n) for p in firm.people}
        self._workspaces = {p.code: psa_id("workspaces", p.n) for p in firm.projects}
        self._stories = {(t.project, t.wbs): psa_id("stories", t.n) for t in firm.tasks}
        self._cards = {card.code: psa_id("rate_cards", n) for n, card in enumerate(firm.rate_cards, start=1)}

    def rows(self) -> dict[str, Iterable[Stamped]]:
        firm = self.firm
        return {
            "workspace_groups": self._quiet([_group(c) for c in firm.clients]),
            "workspaces": self._quiet([self._workspace(p) for p in firm.projects]),
            "stories": chain(self._quiet([self._task(t) for t in firm.tasks]), map(self._milestone, firm.milestones)),
            "users": self._quiet([self._user(p) for p in firm.people if p.books_time]),
            "time_entries": map(self._time, firm.time_entries),
            "expenses": map(self._expense, firm.expenses),
            "workspace_allocations": self._quiet([self._allocation(a) for a in firm.assignments]),
            "rate_cards": self._quiet(self._rate_cards()),
            "rate_card_roles": self._quiet(self._rate_card_roles()),
        }

    def _quiet(self, rows: list[Row]) -> Iterator[Stamped]:
        for n, row in enumerate(rows, start=1):
            yield _stamped(row, quiet_moment(self.firm, n))

    def _workspace(self, project: Project) -> Row:
        client = self._groups.get(project.client)
        return {
            "id": self._workspaces[project.code],
            "title": project.name,
            "external_reference": project.code,
            "status": STATUSES[_STATUS[project.status]],
            "archived": False,
            "start_date": project.start.isoformat(),
            "due_date": project.end.isoformat(),
            "currency": project.currency,
            "price_in_cents": cents(project.budget_revenue),
            "budgeted_minutes": project.budget_minutes,
            "billing_type": _BILLING[project.billing_type],
            "workspace_group_ids": [client] if client else [],
            "workspace_group_id": client,
            "lead_user_id": self._users[project.manager],
            "rate_card_id": self._cards[project.rate_card],
            "contract_number": project.deal or None,
            "legal_entity_code": project.legal_entity,
            "cost_center_code": project.cost_centre,
        }

    def _task(self, task: Task) -> Row:
        return {
            "id": self._stories[task.project, task.wbs],
            "workspace_id": self._workspaces[task.project],
            "parent_id": self._stories[task.project, task.parent] if task.parent else None,
            "story_type": "task" if task.kind == "task" else "deliverable",
            "position": task.wbs,
            "title": task.name,
            "state": "started",
            "start_date": task.start.isoformat(),
            "due_date": task.end.isoformat(),
            "accepted_on": None,
            "billable": not task.project.startswith("INT"),
            "time_estimate_in_minutes": task.planned_minutes,
            "budget_estimate_in_cents": None,
            "currency": None,
            "external_reference": None,
        }

    def _milestone(self, milestone: Milestone) -> Stamped:
        row: Row = {
            "id": psa_id("stories", MILESTONE_OFFSET + milestone.n),
            "workspace_id": self._workspaces[milestone.project],
            "parent_id": None,
            "story_type": "milestone",
            "position": None,
            "title": milestone.name,
            "state": _MILESTONE_STATES[milestone.status],
            "start_date": None,
            "due_date": milestone.planned.isoformat(),
            "accepted_on": milestone.accepted.isoformat() if milestone.accepted else None,
            "billable": True,
            "time_estimate_in_minutes": None,
            "budget_estimate_in_cents": cents(milestone.amount),
            "currency": milestone.currency,
            "external_reference": milestone.reference,
        }
        return _stamped(row, quiet_moment(self.firm, milestone.n))

    def _user(self, person: Person) -> Row:
        rate = next(c for c in self.firm.rate_cards if c.code == "RC-GB").line(person.role)
        return {
            "id": self._users[person.number],
            "full_name": person.name,
            "email_address": person.email,
            "headline": person.role,
            "employee_number": person.number,
            "disabled": False,
            "generic": False,
            "default_rate_in_cents": cents(rate.bill_rate),
            "cost_rate_in_cents": cents(rate.cost_rate),
        }

    def _time(self, entry: TimeEntry) -> Stamped:
        row: Row = {
            "id": psa_id("time_entries", entry.n),
            "user_id": self._users[entry.person],
            "workspace_id": self._workspaces[entry.project],
            "story_id": self._stories[entry.project, entry.task],
            "date_performed": entry.day.isoformat(),
            "time_in_minutes": entry.minutes,
            "billable": entry.billable,
            "status": entry.status,
            "approved": entry.status == "approved",
            "approved_at": stamp(entry.approved_at) if entry.approved_at else None,
            "is_invoiced": entry.invoiced,
            "rate_in_cents": cents(entry.bill_rate),
            "cost_rate_in_cents": cents(entry.cost_rate),
            "currency": entry.currency,
            "notes": entry.notes,
            "external_reference": entry.reference,
        }
        return _stamped(row, entry.changed_at)

    def _expense(self, expense: Expense) -> Stamped:
        row: Row = {
            "id": psa_id("expenses", expense.n),
            "user_id": self._users[expense.person],
            "workspace_id": self._workspaces[expense.project],
            "date": expense.day.isoformat(),
            "category": expense.category,
            "amount_in_cents": cents(expense.amount),
            "currency": expense.currency,
            "is_billable": expense.billable,
            "is_invoiced": False,
            "reimbursable": True,
            "status": expense.status,
            "external_reference": expense.reference,
        }
        return _stamped(row, expense.changed_at)

    def _allocation(self, assignment: Assignment) -> Row:
        return {
            "id": psa_id("workspace_allocations", assignment.n),
            "workspace_id": self._workspaces[assignment.project],
            "user_id": self._users[assignment.person],
            "start_date": assignment.start.isoformat(),
            "end_date": assignment.end.isoformat(),
            "percentage": assignment.percent,
            "hard": assignment.hard,
        }

    def _rate_cards(self) -> list[Row]:
        return [
            {
                "id": self._cards[card.code],
                "title": card.name,
                "currency": card.currency,
                "external_reference": card.code,
                "roles": [
                    {"role": line.role, "rate_in_cents": cents(line.bill_rate), "cost_in_cents": cents(line.cost_rate)}
                    for line in card.lines
                ],
            }
            for card in self.firm.rate_cards
        ]

    def _rate_card_roles(self) -> list[Row]:
        """The lines of the cards once more, each as a record of its own."""
        pairs = [(card, line) for card in self.firm.rate_cards for line in card.lines]
        return [
            {
                "id": psa_id("rate_card_roles", n),
                "rate_card_id": self._cards[card.code],
                "role": line.role,
                "currency": card.currency,
                "rate_in_cents": cents(line.bill_rate),
                "cost_in_cents": cents(line.cost_rate),
            }
            for n, (card, line) in enumerate(pairs, start=1)
        ]


def _group(client: Client) -> Row:
    return {"id": psa_id("workspace_groups", client.n), "name": client.name, "external_reference": client.code}


def _stamped(row: Row, changed_at: datetime) -> Stamped:
    created = min(changed_at, changed_at.replace(hour=8, minute=0, second=0, tzinfo=UTC))
    return Stamped(row["id"], row | {"created_at": stamp(created)}, changed_at)
