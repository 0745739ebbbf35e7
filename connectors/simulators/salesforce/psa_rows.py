"""The demo firm as Certinia PSA knows it: weekly timecards, their splits by month, and what is billed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby

from connectors.simulators import crm_data
from connectors.simulators.crm_data import stamp, stamped
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Person, Project, TimeEntry
from connectors.simulators.ids import CRM_PREFIXES, crm_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.salesforce import psa_money
from connectors.simulators.salesforce.psa_objects import DAYS

_STAGES = {"approved": "Planned", "active": "In Progress", "closed": "Closed"}
_BILLING = {"tm": "Time and Materials", "fixed": "Fixed Price"}
_STATUS = {"draft": "Saved", "submitted": "Submitted", "approved": "Approved", "rejected": "Rejected"}
_MILESTONES = {"planned": "Planned", "completed": "Completed", "accepted": "Approved"}
_DRAFTS = 6
_FLAGS = ("pse__Approved", "pse__Submitted", "pse__Include_In_Financials", "pse__Billed", "pse__Invoiced")
_COPIED = ("Billable", "Status")


class Numbers:
    """The org's ids of the firm's objects, by the firm's own codes."""

    def __init__(self, firm: Firm) -> None:
        self.people = {person.number: crm_id("Contact", 10_000 + person.n) for person in firm.people}
        self.projects = {project.code: crm_id("pse__Proj__c", project.n) for project in firm.projects}
        self.clients = {client.code: crm_id("Account", client.n) for client in firm.clients}
        self.deals = {deal.number: crm_id("Opportunity", deal.n) for deal in firm.deals}
        self.regions = {one.code: crm_id("pse__Region__c", n) for n, one in enumerate(firm.legal_entities, 1)}
        self.practices = {one.code: crm_id("pse__Practice__c", n) for n, one in enumerate(firm.cost_centres, 1)}
        self.tasks = {(task.project, task.wbs): crm_id("pse__Project_Task__c", task.n) for task in firm.tasks}


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    ids = Numbers(firm)
    headers = list(_with_draft(_timecards(firm, ids)))
    regions: list[Row] = [{"Id": ids.regions[one.code], "Name": one.name} for one in firm.legal_entities]
    practices: list[Row] = [{"Id": ids.practices[one.code], "Name": one.name} for one in firm.cost_centres]
    return {
        **crm_data.rows(firm),
        **{name: _quiet(firm, found) for name, found in psa_money.rows(firm, ids.people, ids.projects).items()},
        "pse__Region__c": _quiet(firm, regions),
        "pse__Practice__c": _quiet(firm, practices),
        "Contact": _quiet(firm, (_resource(person, ids) for person in firm.people)),
        "pse__Proj__c": _quiet(firm, (_project(project, ids) for project in firm.projects)),
        "pse__Project_Task__c": _quiet(firm, _tasks(firm, ids)),
        "pse__Assignment__c": _quiet(firm, _assignments(firm, ids)),
        "pse__Rate_Card__c": _quiet(firm, _rates(firm)),
        "pse__Milestone__c": _with_draft(_quiet(firm, _milestones(firm, ids))),
        "pse__Timecard_Header__c": headers,
        "pse__Timecard__c": _all_splits(headers),
        "pse__Expense__c": _expenses(firm, ids),
    }


def splits(header: Row) -> list[Row]:
    """One split for each month that a week touches; fields that billing sets are empty."""
    start = date.fromisoformat(header["pse__Start_Date__c"])
    worked = [(start + timedelta(days=n), day) for n, day in enumerate(DAYS)]
    found = []
    for _, days in groupby(worked, key=lambda pair: pair[0].month):
        part = list(days)
        hours = {f"pse__{day}_Hours__c": header.get(f"pse__{day}_Hours__c") or Decimal(0) for _, day in part}
        total = sum(hours.values(), Decimal(0))
        if total:
            found.append(_split(header, hours, total, part[0][0], part[-1][0]))
    return found


def _split(header: Row, hours: Row, total: Decimal, first: date, last: date) -> Row:
    return {
        "Name": f"TC-{header['Id'][-8:]}-{first:%m%d}",
        "pse__Timecard_Header__c": header["Id"],
        "pse__Start_Date__c": first.isoformat(),
        "pse__End_Date__c": last.isoformat(),
        **hours,
        "pse__Total_Hours__c": total,
        "pse__Total_Billable_Amount__c": total * (header.get("pse__Bill_Rate__c") or 0),
        **{f"pse__{name}__c": header.get(f"pse__{name}__c") for name in _COPIED},
        "pse__Approved_for_Billing__c": False,
        "pse__Billed__c": False,
        "pse__Invoiced__c": False,
    }


def _quiet(firm: Firm, found: Iterable[Row]) -> Iterator[Stamped]:
    for n, row in enumerate(found, 1):
        yield stamped(row, quiet_moment(firm, n))


def _with_draft(found: Iterable[Stamped]) -> Iterator[Stamped]:
    """The records, before them some that somebody began and forgot: copies of the first that nothing locks."""
    kept = list(found)
    if not kept:
        return
    first, began = kept[0].row, min(one.changed_at for one in kept) - timedelta(days=1)
    states = {"pse__Status__c": "Saved" if "pse__Submitted__c" in first else "Planned"}
    unset = {name: False for name in first if name.startswith(_FLAGS)}
    for n in range(_DRAFTS):
        row = {**first, **unset, **states, "Id": crm_id(_name_of(first["Id"]), 99_000 + n), "Name": f"Draft {n + 1}"}
        yield stamped(row, began + timedelta(minutes=n))
    yield from kept


def _name_of(key: str) -> str:
    return next(name for name, prefix in CRM_PREFIXES.items() if key.startswith(prefix))


def _resource(person: Person, ids: Numbers) -> Row:
    return {
        "Id": ids.people[person.number],
        "FirstName": person.given,
        "LastName": person.family,
        "Name": person.name,
        "Email": person.email,
        "Title": person.role,
        "pse__Is_Resource__c": True,
        "pse__Is_Resource_Active__c": True,
        "pse__Exclude_From_Time_Calculations__c": not person.books_time,
        "pse__Resource_Role__c": person.role,
        "pse__Region__c": ids.regions.get(person.legal_entity),
        "pse__Practice__c": ids.practices.get(person.cost_centre),
        "pse__Start_Date__c": person.hire_date.isoformat(),
    }


def _project(project: Project, ids: Numbers) -> Row:
    is_billable = project.billing_type != "internal"
    return {
        "Id": ids.projects[project.code],
        "Name": project.name[:80],
        "pse__Project_ID__c": project.code,
        "pse__Account__c": ids.clients.get(project.client),
        "pse__Opportunity__c": ids.deals.get(project.deal),
        "pse__Project_Manager__c": ids.people.get(project.manager),
        "pse__Region__c": ids.regions.get(project.legal_entity),
        "pse__Practice__c": ids.practices.get(project.cost_centre),
        "pse__Stage__c": _STAGES.get(project.status, "Draft"),
        "pse__Project_Status__c": "Green",
        "pse__Billing_Type__c": _BILLING.get(project.billing_type),
        "pse__Is_Active__c": project.status == "active",
        "pse__Is_Billable__c": is_billable,
        "pse__Closed_for_Time_Entry__c": not project.takes_time,
        "pse__Exclude_From_Billing__c": not is_billable,
        "pse__Start_Date__c": project.start.isoformat(),
        "pse__End_Date__c": project.end.isoformat(),
        "pse__Planned_Hours__c": _hours(project.budget_minutes),
        "pse__Bookings__c": Decimal(project.budget_revenue),
        "CurrencyIsoCode": project.currency,
    }


def _tasks(firm: Firm, ids: Numbers) -> Iterator[Row]:
    for task in firm.tasks:
        yield {
            "Id": ids.tasks[task.project, task.wbs],
            "Name": task.name[:80],
            "pse__Project__c": ids.projects[task.project],
            "pse__Parent_Task__c": ids.tasks.get((task.project, task.parent)),
            "pse__Status__c": "Started",
            "pse__Start_Date_Time__c": _midnight(task.start),
            "pse__End_Date_Time__c": _midnight(task.end),
            "pse__Estimated_Hours__c": _hours(task.planned_minutes),
        }


def _assignments(firm: Firm, ids: Numbers) -> Iterator[Row]:
    roles = {person.number: person.role for person in firm.people}
    for one in firm.assignments:
        yield {
            "Id": crm_id("pse__Assignment__c", one.n),
            "Name": f"A-{one.n:06d}",
            "pse__Project__c": ids.projects[one.project],
            "pse__Resource__c": ids.people[one.person],
            "pse__Role__c": roles[one.person],
            "pse__Status__c": "Scheduled" if one.hard else "Tentative",
            "pse__Is_Billable__c": True,
            "pse__Percent_Allocated__c": Decimal(one.percent),
            "pse__Start_Date__c": one.start.isoformat(),
            "pse__End_Date__c": one.end.isoformat(),
        }


def _rates(firm: Firm) -> Iterator[Row]:
    lines = [(card, line) for card in firm.rate_cards for line in card.lines]
    for n, (card, line) in enumerate(lines, 1):
        yield {
            "Id": crm_id("pse__Rate_Card__c", n),
            "Name": f"{card.code} {line.role}"[:80],
            "pse__Resource_Role__c": line.role,
            "pse__Suggested_Bill_Rate__c": Decimal(line.bill_rate),
            "pse__Average_Cost_Rate__c": Decimal(line.cost_rate),
            "pse__External__c": False,
            "CurrencyIsoCode": card.currency,
        }


def _milestones(firm: Firm, ids: Numbers) -> Iterator[Row]:
    for one in firm.milestones:
        is_accepted = one.status == "accepted"
        yield {
            "Id": crm_id("pse__Milestone__c", one.n),
            "Name": one.name[:80],
            "pse__Project__c": ids.projects[one.project],
            "pse__Milestone_Amount__c": Decimal(one.amount),
            "pse__Status__c": _MILESTONES[one.status],
            "pse__Target_Date__c": one.planned.isoformat(),
            "pse__Actual_Date__c": one.accepted.isoformat() if one.accepted else None,
            "pse__Approved__c": is_accepted,
            "pse__Approved_for_Billing__c": is_accepted,
            "pse__Include_In_Financials__c": is_accepted,
            "pse__Billed__c": False,
            "pse__Invoiced__c": False,
            "CurrencyIsoCode": one.currency,
        }


def _timecards(firm: Firm, ids: Numbers) -> Iterator[Stamped]:
    """The entries of a week that share person, project, rate and status are one timecard."""
    ordered = sorted(firm.time_entries, key=_sheet)
    for n, (_, found) in enumerate(groupby(ordered, key=_sheet), 1):
        entries = list(found)
        yield stamped(_timecard(n, entries, ids), max(entry.changed_at for entry in entries))


def _sheet(entry: TimeEntry) -> tuple[object, ...]:
    return (
        entry.status == "approved",
        _monday(entry.day),
        entry.person,
        entry.project,
        entry.billable,
        entry.status,
        entry.bill_rate,
    )


def _timecard(n: int, entries: list[TimeEntry], ids: Numbers) -> Row:
    one = entries[0]
    start = _monday(one.day)
    hours = {f"pse__{day}_Hours__c": Decimal(0) for day in DAYS}
    for entry in entries:
        hours[f"pse__{DAYS[entry.day.weekday()]}_Hours__c"] += _hours(entry.minutes)
    return {
        "Id": crm_id("pse__Timecard_Header__c", n),
        "Name": f"TCH-{start:%m-%d-%Y}-{n:06d}",
        "pse__Resource__c": ids.people[one.person],
        "pse__Project__c": ids.projects[one.project],
        "pse__Start_Date__c": start.isoformat(),
        "pse__End_Date__c": (start + timedelta(days=6)).isoformat(),
        **hours,
        "pse__Total_Hours__c": sum(hours.values(), Decimal(0)),
        "pse__Status__c": _STATUS[one.status],
        "pse__Submitted__c": one.status in ("submitted", "approved"),
        "pse__Approved__c": one.status == "approved",
        "pse__Include_In_Financials__c": one.status == "approved",
        "pse__Billable__c": one.billable,
        "pse__Bill_Rate__c": Decimal(one.bill_rate),
        "pse__Cost_Rate_Amount__c": Decimal(one.cost_rate),
        "CurrencyIsoCode": one.currency,
    }


def _all_splits(headers: Iterable[Stamped]) -> Iterator[Stamped]:
    n = 0
    for header in headers:
        for row in splits(header.row):
            n += 1
            yield stamped({"Id": crm_id("pse__Timecard__c", n), **row}, header.changed_at)


def _expenses(firm: Firm, ids: Numbers) -> Iterator[Stamped]:
    for one in firm.expenses:
        row: Row = {
            "Id": crm_id("pse__Expense__c", one.n),
            "Name": one.reference[:80],
            "pse__Project__c": ids.projects[one.project],
            "pse__Resource__c": ids.people[one.person],
            "pse__Expense_Date__c": one.day.isoformat(),
            "pse__Type__c": one.category,
            "pse__Amount__c": Decimal(one.amount),
            "pse__Billable__c": one.billable,
            "pse__Status__c": _STATUS[one.status],
            "pse__Approved__c": one.status == "approved",
            "pse__Billed__c": False,
            "pse__Invoiced__c": False,
            "CurrencyIsoCode": one.currency,
        }
        yield stamped(row, one.changed_at)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _hours(minutes: int) -> Decimal:
    return (Decimal(minutes) / 60).quantize(Decimal("0.01"))


def _midnight(day: date) -> str:
    return stamp(datetime.combine(day, time(), UTC))
