"""The firm as NetSuite knows it: internal ids are small numbers, external ids are the firm's own codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

from connectors.simulators.erp_data import RECEIVABLES, REVENUE, TAX
from connectors.simulators.firm import Firm, posted_entries, quiet_moment
from connectors.simulators.firm.shapes import Assignment, Client, Invoice, Person, Project, Task, TimeEntry
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

_ID = Field("id", "id", read_only=True)
_EXTERNAL = Field("externalId", max_length=80, unique=True)
_MODIFIED = Field("lastModifiedDate", "date-time", read_only=True)
_INACTIVE = Field("isInactive", "boolean")
# Where the internal ids of each type of record begin.
_FIRST = {
    "customer": 100,
    "job": 1_000,
    "projectTask": 5_000,
    "employee": 200,
    "resourceAllocation": 9_000,
    "timeBill": 100_000,
    "invoice": 40_000,
    "transactionLine": 800_000,
    "subsidiary": 1,
    "department": 50,
}


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return ObjectType(name, (_ID, _EXTERNAL, *fields, _MODIFIED), modified="lastModifiedDate", writable=writable)


SUBSIDIARY = _kind("subsidiary", Field("name"), Field("currency"), Field("country"), _INACTIVE)
DEPARTMENT = _kind("department", Field("name"), Field("subsidiary", "id"), _INACTIVE)
CUSTOMER = _kind(
    "customer",
    Field("entityId", required=True, max_length=83, unique=True),
    Field("companyName", required=True, max_length=83),
    Field("email", max_length=254),
    Field("phone", max_length=32),
    Field("subsidiary", "id", references="subsidiary"),
    Field("currency", max_length=3),
    Field("terms", max_length=20),
    Field("vatRegNumber", max_length=20),
    Field("parent", "id", references="customer"),
    _INACTIVE,
)
EMPLOYEE = _kind(
    "employee",
    Field("entityId", required=True, unique=True),
    Field("firstName", required=True),
    Field("lastName", required=True),
    Field("email"),
    Field("title"),
    Field("subsidiary", "id", references="subsidiary"),
    Field("department", "id", references="department"),
    Field("supervisor", "id", references="employee"),
    Field("hireDate", "date"),
    _INACTIVE,
)
JOB = _kind(
    "job",
    Field("entityId", required=True, max_length=83, unique=True),
    Field("companyName", required=True, max_length=83),
    Field("parent", "id", references="customer"),
    Field("startDate", "date"),
    Field("projectedEndDate", "date"),
    Field("entityStatus", options=("Pending", "In Progress", "Closed")),
    Field("jobBillingType", options=("TM", "FBI", "NON")),
    Field("projectManager", "id", references="employee"),
    Field("subsidiary", "id", references="subsidiary"),
    Field("estimatedTime", "decimal"),
    _INACTIVE,
)
PROJECT_TASK = _kind(
    "projectTask",
    Field("company", "id", required=True, references="job"),
    Field("wbs", max_length=20),
    Field("title", required=True, max_length=255),
    Field("parent", "id", references="projectTask"),
    Field("startDate", "date"),
    Field("endDate", "date"),
    Field("estimatedWork", "decimal"),
    Field("status", options=("NOTSTART", "PROGRESS", "COMPLETED")),
)
RESOURCE_ALLOCATION = _kind(
    "resourceAllocation",
    Field("allocationResource", "id", required=True, references="employee"),
    Field("project", "id", required=True, references="job"),
    Field("startDate", "date", required=True),
    Field("endDate", "date", required=True),
    Field("allocationAmount", "decimal", required=True),
    Field("allocationUnit", options=("H", "P")),
    Field("allocationType", options=("1", "2")),
)
TIME_BILL = _kind(
    "timeBill",
    Field("employee", "id", required=True, references="employee"),
    Field("customer", "id", references="job"),
    Field("caseTaskEvent", "id", references="projectTask"),
    Field("tranDate", "date", required=True),
    Field("hours", required=True, max_length=10),
    Field("isBillable", "boolean"),
    Field("rate", "decimal"),
    Field("approvalStatus", options=("1", "2", "3")),
    Field("memo", max_length=999),
)
INVOICE = _kind(
    "invoice",
    Field("tranId", max_length=45, unique=True),
    Field("entity", "id", required=True, references="customer"),
    Field("job", "id", references="job"),
    Field("tranDate", "date", required=True),
    Field("dueDate", "date"),
    Field("currency", max_length=3),
    Field("subsidiary", "id", references="subsidiary"),
    Field("memo", max_length=999),
    Field("status", read_only=True),
    Field("subtotal", "decimal", read_only=True),
    Field("taxTotal", "decimal", read_only=True),
    Field("total", "decimal", read_only=True),
    Field("amountRemaining", "decimal", read_only=True),
    Field("item", "object"),
)
LINE = _kind(
    "transactionLine",
    Field("transaction", "id"),
    Field("line", "integer"),
    Field("account"),
    Field("debit", "decimal"),
    Field("credit", "decimal"),
    Field("currency"),
    Field("subsidiary", "id"),
    Field("job", "id"),
    writable=False,
)
KINDS = (
    SUBSIDIARY, DEPARTMENT, CUSTOMER, EMPLOYEE, JOB, PROJECT_TASK, RESOURCE_ALLOCATION, TIME_BILL, INVOICE, LINE,
)  # fmt: skip
# Types of record that the record service offers; lines are for queries alone.
RECORDS = frozenset(kind.name for kind in KINDS) - {"transactionLine"}
SUBLISTS = {"invoice": ("item",)}
# Queries call some things otherwise than records do: table -> (type of record, column -> field).
QUERY_NAMES = {
    "transaction": ("invoice", {"foreigntotal": "total", "foreignamountunpaid": "amountRemaining", "type": "type"}),
    "transactionline": (
        "transactionLine",
        {
            "uniquekey": "id",
            "linesequencenumber": "line",
            "expenseaccount": "account",
            "debitforeignamount": "debit",
            "creditforeignamount": "credit",
            "linelastmodifieddate": "lastModifiedDate",
        },
    ),
}


def internal_id(kind: str, n: int) -> str:
    return str(_FIRST[kind] + n)


def stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class _Numbers:
    """The internal id behind each of the firm's codes."""

    def __init__(self, firm: Firm) -> None:
        self.subsidiaries = _ids("subsidiary", [e.code for e in firm.legal_entities])
        self.departments = _ids("department", [c.code for c in firm.cost_centres])
        self.customers = _ids("customer", [c.code for c in firm.clients if c.in_erp])
        self.employees = _ids("employee", [p.number for p in firm.people])
        self.jobs = _ids("job", [p.code for p in firm.projects if p.in_erp])
        self.tasks = _ids("projectTask", [f"{t.project}/{t.wbs}" for t in firm.tasks if t.project in self.jobs])


def _ids(kind: str, codes: list[str]) -> dict[str, str]:
    return {code: internal_id(kind, n) for n, code in enumerate(codes)}


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    ids = _Numbers(firm)
    return {
        "subsidiary": _quiet(firm, [
            _row(ids.subsidiaries[e.code], e.code, name=e.name, currency=e.currency, country=e.country)
            for e in firm.legal_entities
        ]),
        "department": _quiet(firm, [
            _row(ids.departments[c.code], c.code, name=c.name, subsidiary=ids.subsidiaries[c.legal_entity])
            for c in firm.cost_centres
        ]),
        "customer": _quiet(firm, [_customer(c, ids) for c in firm.clients if c.in_erp]),
        "employee": _quiet(firm, [_employee(p, ids) for p in firm.people]),
        "job": _quiet(firm, [_job(p, ids) for p in firm.projects if p.in_erp]),
        "projectTask": _quiet(firm, [_task(t, ids) for t in firm.tasks if t.project in ids.jobs]),
        "resourceAllocation": _quiet(firm, [
            _allocation(n, a, ids) for n, a in enumerate(firm.assignments) if a.project in ids.jobs
        ]),
        "timeBill": [_time(n, entry, ids) for n, entry in enumerate(posted_entries(firm))],
        "invoice": [_stamped(_invoice(n, i, ids), i.day) for n, i in enumerate(firm.invoices)],
        "transactionLine": list(_ledger(firm, ids)),
    }  # fmt: skip


def _row(key: str, external: str | None, **values: object) -> Row:
    return {"id": key, "externalId": external, "isInactive": False, **values}


def _quiet(firm: Firm, rows: list[Row]) -> list[Stamped]:
    return [Stamped(row["id"], row, quiet_moment(firm, n)) for n, row in enumerate(rows, start=1)]


def _stamped(row: Row, day: date) -> Stamped:
    return Stamped(row["id"], row, datetime.combine(day, time(11), UTC))


def _customer(client: Client, ids: _Numbers) -> Row:
    return _row(
        ids.customers[client.code], client.code, entityId=client.code, companyName=client.name, email=None, phone=None,
        subsidiary=ids.subsidiaries.get(client.legal_entity), currency=client.currency, terms="Net 30",
        vatRegNumber=client.tax_id, parent=None,
    )  # fmt: skip


def _employee(person: Person, ids: _Numbers) -> Row:
    return _row(
        ids.employees[person.number], person.number, entityId=person.number, firstName=person.given,
        lastName=person.family, email=person.email, title=person.role, subsidiary=ids.subsidiaries[person.legal_entity],
        department=ids.departments.get(person.cost_centre), supervisor=ids.employees.get(person.manager),
        hireDate=person.hire_date.isoformat(),
    )  # fmt: skip


def _job(project: Project, ids: _Numbers) -> Row:
    return _row(
        ids.jobs[project.code], project.code, entityId=project.code, companyName=project.name,
        parent=ids.customers.get(project.client), startDate=project.start.isoformat(),
        projectedEndDate=project.end.isoformat(),
        entityStatus="Closed" if project.status == "closed" else "In Progress",
        jobBillingType={"tm": "TM", "fixed": "FBI"}.get(project.billing_type, "NON"),
        projectManager=ids.employees.get(project.manager), subsidiary=ids.subsidiaries.get(project.legal_entity),
        estimatedTime=Decimal(project.budget_minutes) / 60,
    )  # fmt: skip


def _task(task: Task, ids: _Numbers) -> Row:
    return {
        "id": ids.tasks[f"{task.project}/{task.wbs}"], "externalId": f"{task.project}_{task.wbs}".replace(".", "-"),
        "company": ids.jobs[task.project], "wbs": task.wbs, "title": task.name,
        "parent": ids.tasks.get(f"{task.project}/{task.parent}"), "startDate": task.start.isoformat(),
        "endDate": task.end.isoformat(), "estimatedWork": Decimal(task.planned_minutes) / 60, "status": "PROGRESS",
    }  # fmt: skip


def _allocation(n: int, assignment: Assignment, ids: _Numbers) -> Row:
    return {
        "id": internal_id("resourceAllocation", n), "externalId": f"RA-{assignment.n}",
        "allocationResource": ids.employees.get(assignment.person), "project": ids.jobs[assignment.project],
        "startDate": assignment.start.isoformat(), "endDate": assignment.end.isoformat(),
        "allocationAmount": Decimal(assignment.percent), "allocationUnit": "P",
        "allocationType": "1" if assignment.hard else "2",
    }  # fmt: skip


def _time(n: int, entry: TimeEntry, ids: _Numbers) -> Stamped:
    row: Row = {
        "id": internal_id("timeBill", n), "externalId": entry.reference, "employee": ids.employees.get(entry.person),
        "customer": ids.jobs.get(entry.project), "caseTaskEvent": ids.tasks.get(f"{entry.project}/{entry.task}"),
        "tranDate": entry.day.isoformat(), "hours": f"{entry.minutes // 60}:{entry.minutes % 60:02d}",
        "isBillable": entry.billable, "rate": Decimal(entry.bill_rate), "approvalStatus": "3", "memo": entry.notes,
    }  # fmt: skip
    return Stamped(row["id"], row, entry.changed_at)


def _invoice(n: int, invoice: Invoice, ids: _Numbers) -> Row:
    lines = [
        {"line": k, "description": line.description, "quantity": Decimal(line.hours), "rate": Decimal(line.unit_price),
         "amount": Decimal(line.net)}
        for k, line in enumerate(invoice.lines, start=1)
    ]  # fmt: skip
    return {
        "id": internal_id("invoice", n), "externalId": f"HV-{invoice.number}", "tranId": invoice.number,
        "entity": ids.customers.get(invoice.client), "job": ids.jobs.get(invoice.project),
        "tranDate": invoice.day.isoformat(), "dueDate": invoice.due.isoformat(), "currency": invoice.currency,
        "subsidiary": None, "memo": None, "status": "Paid In Full" if invoice.paid else "Open",
        "subtotal": Decimal(invoice.net), "taxTotal": Decimal(invoice.tax), "total": Decimal(invoice.gross),
        "amountRemaining": Decimal("0.00") if invoice.paid else Decimal(invoice.gross), "item": {"items": lines},
    }  # fmt: skip


def _ledger(firm: Firm, ids: _Numbers) -> Iterator[Stamped]:
    number, zero = 0, Decimal("0.00")
    for n, invoice in enumerate(firm.invoices):
        net, tax = Decimal(invoice.net), Decimal(invoice.tax)
        legs = [(RECEIVABLES, net + tax, zero), (REVENUE, zero, net)] + ([(TAX, zero, tax)] if tax else [])
        for line, (account, debit, credit) in enumerate(legs):
            row: Row = {
                "id": internal_id("transactionLine", number), "externalId": None,
                "transaction": internal_id("invoice", n), "line": line, "account": account, "debit": debit,
                "credit": credit, "currency": invoice.currency, "subsidiary": None, "job": ids.jobs.get(invoice.project),
            }  # fmt: skip
            number += 1
            yield _stamped(row, invoice.day)
