"""The firm as Oracle Fusion knows it: long numeric ids, and items that are addressed by hashes of their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

from connectors.simulators.erp_data import RECEIVABLES, REVENUE, TAX
from connectors.simulators.firm import Firm, posted_entries, quiet_moment
from connectors.simulators.firm.shapes import Client, Expense, Invoice, Person, Project, Task, TimeEntry
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

FIRST_ID = 300_100_000_000_000
BUSINESS_UNIT, BUSINESS_UNIT_ID = "Harrow & Vale Operations", "204"
_CHANGED = Field("LastUpdateDate", "date-time", read_only=True)


def _kind(name: str, key: str, *fields: Field, writable: bool = True) -> ObjectType:
    known = (Field(key, "id", read_only=True), *fields, _CHANGED)
    return ObjectType(name, known, key=key, modified="LastUpdateDate", writable=writable)


PROJECTS = _kind(
    "projects", "ProjectId",
    Field("ProjectNumber", required=True, max_length=25, unique=True),
    Field("ProjectName", required=True, max_length=240),
    Field("ProjectDescription", max_length=2000),
    Field("ProjectStatus", options=("Active", "Approved", "Closed")),
    Field("ProjectTypeName"),
    Field("ProjectStartDate", "date"),
    Field("ProjectEndDate", "date"),
    Field("ProjectManagerName"),
    Field("BusinessUnitName"),
    Field("LegalEntityName"),
    Field("OwningOrganizationName"),
    Field("ProjectCurrencyCode", max_length=3),
    Field("SourceApplicationCode"),
    Field("SourceProjectReference", max_length=25),
)  # fmt: skip
TASKS = _kind(
    "Tasks", "TaskId",
    Field("ProjectId", "id", references="projects"),
    Field("TaskNumber", required=True, max_length=100),
    Field("TaskName", required=True, max_length=255),
    Field("ParentTaskId", "id", references="Tasks"),
    Field("TaskLevel", "integer"),
    Field("TaskStartDate", "date"),
    Field("TaskFinishDate", "date"),
    Field("BillableFlag", "boolean"),
    Field("ChargeableFlag", "boolean"),
    Field("PercentComplete", "decimal"),
    Field("SourceReference", max_length=100),
)  # fmt: skip
COSTS = _kind(
    "unprocessedProjectCosts", "UnprocessedTransactionReferenceId",
    Field("BusinessUnit"),
    Field("BusinessUnitId", "id"),
    Field("ExpenditureBatch", required=True, max_length=200),
    Field("TransactionSource"),
    Field("Document"),
    Field("DocumentEntry"),
    Field("OriginalTransactionReference", required=True, max_length=120),
    Field("PersonNumber"),
    Field("PersonName"),
    Field("Quantity", "decimal", required=True),
    Field("UnitOfMeasureCode"),
    Field("RawCostRateInTransactionCurrency", "decimal"),
    Field("RawCostInTransactionCurrency", "decimal"),
    Field("TransactionCurrencyCode", max_length=15),
    Field("Comment", max_length=240),
    Field("ProjectStandardCostCollectionFlexfields", "array"),
    Field("StatusCode", read_only=True),
    Field("ProjectNumber", read_only=True),
    Field("TaskNumber", read_only=True),
    Field("ExpenditureItemDate", "date", read_only=True),
    Field("Errors", "array", read_only=True),
)  # fmt: skip
ITEMS = _kind(
    "projectExpenditureItems", "ExpenditureItemId",
    Field("OriginalTransactionReference"),
    Field("ExpenditureBatch"),
    Field("TransactionSource"),
    Field("ProjectNumber"),
    Field("TaskNumber"),
    Field("PersonNumber"),
    Field("ExpenditureItemDate", "date"),
    Field("ExpenditureType"),
    Field("Quantity", "decimal"),
    Field("UnitOfMeasureCode"),
    Field("RawCostInTransactionCurrency", "decimal"),
    Field("TransactionCurrencyCode"),
    Field("BillableFlag", "boolean"),
    Field("Comment"),
    writable=False,
)  # fmt: skip
CUSTOMERS = _kind(
    "customerAccounts", "CustomerAccountId",
    Field("AccountNumber", required=True, max_length=30, unique=True),
    Field("PartyName", required=True, max_length=360),
    Field("AccountDescription", max_length=240),
    Field("Status", options=("A", "I")),
    Field("Country", max_length=2),
    Field("City"),
    Field("Address1"),
    Field("PostalCode"),
    Field("TaxpayerIdentificationNumber"),
    Field("CurrencyCode", max_length=3),
    Field("PaymentTerms"),
)  # fmt: skip
SUPPLIERS = _kind(
    "suppliers", "SupplierId",
    Field("SupplierNumber", unique=True),
    Field("Supplier", required=True, max_length=360),
    Field("SupplierType"),
    Field("Status", options=("ACTIVE", "INACTIVE")),
    Field("TaxRegistrationCountry", max_length=2),
)  # fmt: skip
ORDERS = _kind(
    "purchaseOrders", "POHeaderId",
    Field("OrderNumber", required=True, unique=True),
    Field("Supplier"),
    Field("Status"),
    Field("Description"),
    Field("CurrencyCode"),
    Field("Ordered", "decimal"),
    Field("CreationDate", "date"),
    writable=False,
)  # fmt: skip
INVOICES = _kind(
    "receivablesInvoices", "CustomerTransactionId",
    Field("TransactionNumber", max_length=20, unique=True),
    Field("TransactionDate", "date", required=True),
    Field("AccountingDate", "date"),
    Field("DueDate", "date"),
    Field("TransactionType"),
    Field("TransactionSource"),
    Field("BusinessUnit"),
    Field("BillToCustomerName"),
    Field("BillToCustomerNumber", required=True, references="customerAccounts.AccountNumber"),
    Field("PaymentTerms"),
    Field("InvoiceCurrencyCode", max_length=3),
    Field("InvoiceStatus", options=("Incomplete", "Complete")),
    Field("CrossReference", max_length=120),
    Field("PurchaseOrder", max_length=50),
    Field("EnteredAmount", "decimal", read_only=True),
    Field("InvoiceBalanceAmount", "decimal", read_only=True),
    Field("receivablesInvoiceLines", "array"),
)  # fmt: skip
JOURNAL_LINES = _kind(
    "journalLines", "JournalLineId",
    Field("JournalHeaderId", "id"),
    Field("JournalName"),
    Field("LineNumber", "integer"),
    Field("AccountCombination"),
    Field("AccountedDr", "decimal"),
    Field("AccountedCr", "decimal"),
    Field("CurrencyCode"),
    Field("AccountingDate", "date"),
    Field("LedgerName"),
    writable=False,
)  # fmt: skip
PERSONS = _kind(
    "publicWorkers", "PersonId",
    Field("PersonNumber", unique=True),
    Field("DisplayName"),
    Field("WorkEmail"),
    writable=False,
)  # fmt: skip
KINDS = (PROJECTS, TASKS, COSTS, ITEMS, CUSTOMERS, SUPPLIERS, ORDERS, INVOICES, JOURNAL_LINES, PERSONS)
# What Upsert-Mode matches by, where it is supported.
NATURAL_KEYS = {"projects": "ProjectNumber", "customerAccounts": "AccountNumber", "suppliers": "SupplierNumber"}
# Resources whose key is composed, so that items are addressed by a hash that only the server can make.
HASHED = frozenset({"unprocessedProjectCosts", "suppliers", "purchaseOrders"})
CHILDREN = {
    "projects": {"Tasks"},
    "unprocessedProjectCosts": {"Errors", "ProjectStandardCostCollectionFlexfields"},
    "receivablesInvoices": {"receivablesInvoiceLines"},
}
# After an invoice was made, this is all that may be changed.
CHANGEABLE = {"receivablesInvoices": {"InvoiceStatus", "PaymentTerms", "TransactionDate"}}
# The two items of a flexfield that say where a cost belongs.
PROJECT_FLEX, TASK_FLEX, DATE_FLEX = "_PROJECT_ID_Display", "_TASK_ID_Display", "_EXPENDITURE_ITEM_DATE"


def unique_id(resource: str, key: str) -> str:
    """The address of an item whose key is composed: nobody can guess it."""
    return f"0002{hashlib.blake2b(f'{resource}/{key}'.encode(), digest_size=16).hexdigest().upper()}"


def stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}+00:00"


_PLACES = {kind.name: FIRST_ID + place * 10_000_000 for place, kind in enumerate(KINDS)}


def number(resource: str, n: int) -> str:
    return str(_PLACES[resource] + n)


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    names = {client.code: client.name for client in firm.clients}
    projects = {p.code: number("projects", p.n) for p in firm.projects if p.in_erp}
    tasks = {(t.project, t.wbs): number("Tasks", t.n) for t in firm.tasks if t.project in projects}
    return {
        "projects": _quiet(firm, "ProjectId", [_project(p, projects, firm) for p in firm.projects if p.in_erp]),
        "Tasks": _quiet(firm, "TaskId", [_task(t, projects, tasks) for t in firm.tasks if t.project in projects]),
        "unprocessedProjectCosts": [],
        "projectExpenditureItems": [_item(n, entry) for n, entry in enumerate(posted_entries(firm), start=1)],
        "customerAccounts": _quiet(firm, "CustomerAccountId", [_customer(c) for c in firm.clients if c.in_erp]),
        "suppliers": _quiet(firm, "SupplierId", [_supplier(n, name) for n, name in enumerate(_SUPPLIERS, start=1)]),
        "purchaseOrders": [_order(n, e) for n, e in enumerate(firm.expenses[:200], start=1)],
        "receivablesInvoices": [_invoice(i, names) for i in firm.invoices],
        "journalLines": list(_journal(firm)),
        "publicWorkers": _quiet(firm, "PersonId", [_person(p) for p in firm.people]),
    }


_SUPPLIERS = ("Kestrel Travel", "Lattice Software", "Orchard Staffing")


def _quiet(firm: Firm, key: str, rows: list[Row]) -> list[Stamped]:
    return [Stamped(row[key], row, quiet_moment(firm, n)) for n, row in enumerate(rows, start=1)]


def _at(key: str, row: Row, day: date) -> Stamped:
    return Stamped(row[key], row, datetime.combine(day, time(11), UTC))


def _project(project: Project, ids: dict[str, str], firm: Firm) -> Row:
    managers = {person.number: person.name for person in firm.people}
    return {
        "ProjectId": ids[project.code], "ProjectNumber": project.code, "ProjectName": project.name,
        "ProjectDescription": None, "ProjectStatus": "Closed" if project.status == "closed" else "Active",
        "ProjectTypeName": "Billable" if project.client else "Indirect",
        "ProjectStartDate": project.start.isoformat(), "ProjectEndDate": project.end.isoformat(),
        "ProjectManagerName": managers.get(project.manager), "BusinessUnitName": BUSINESS_UNIT,
        "LegalEntityName": project.legal_entity, "OwningOrganizationName": project.cost_centre,
        "ProjectCurrencyCode": project.currency, "SourceApplicationCode": None, "SourceProjectReference": project.code,
    }  # fmt: skip


def _task(task: Task, projects: dict[str, str], tasks: dict[tuple[str, str], str]) -> Row:
    return {
        "TaskId": tasks[task.project, task.wbs], "ProjectId": projects[task.project], "TaskNumber": task.wbs,
        "TaskName": task.name, "ParentTaskId": tasks.get((task.project, task.parent)),
        "TaskLevel": task.wbs.count(".") + 1, "TaskStartDate": task.start.isoformat(),
        "TaskFinishDate": task.end.isoformat(), "BillableFlag": True, "ChargeableFlag": True,
        "PercentComplete": Decimal(0), "SourceReference": None,
    }  # fmt: skip


def _item(n: int, entry: TimeEntry) -> Stamped:
    hours = Decimal(entry.minutes) / 60
    row: Row = {
        "ExpenditureItemId": number("projectExpenditureItems", n), "OriginalTransactionReference": entry.reference,
        "ExpenditureBatch": "SEEDED", "TransactionSource": "Hub", "ProjectNumber": entry.project,
        "TaskNumber": entry.task, "PersonNumber": entry.person, "ExpenditureItemDate": entry.day.isoformat(),
        "ExpenditureType": "Professional", "Quantity": hours, "UnitOfMeasureCode": "HOURS",
        "RawCostInTransactionCurrency": hours * Decimal(entry.cost_rate), "TransactionCurrencyCode": entry.currency,
        "BillableFlag": entry.billable, "Comment": entry.notes,
    }  # fmt: skip
    return Stamped(row["ExpenditureItemId"], row, entry.changed_at)


def _customer(client: Client) -> Row:
    return {
        "CustomerAccountId": number("customerAccounts", client.n), "AccountNumber": client.code,
        "PartyName": client.name, "AccountDescription": None, "Status": "A", "Country": client.country,
        "City": client.city, "Address1": client.street, "PostalCode": client.postcode,
        "TaxpayerIdentificationNumber": client.tax_id, "CurrencyCode": client.currency, "PaymentTerms": "30 Net",
    }  # fmt: skip


def _supplier(n: int, name: str) -> Row:
    return {
        "SupplierId": number("suppliers", n), "SupplierNumber": f"S-{100 + n}", "Supplier": name,
        "SupplierType": "Services", "Status": "ACTIVE", "TaxRegistrationCountry": "GB",
    }  # fmt: skip


def _order(n: int, expense: Expense) -> Stamped:
    row: Row = {
        "POHeaderId": number("purchaseOrders", n), "OrderNumber": f"PO-{5_000 + n}",
        "Supplier": _SUPPLIERS[n % len(_SUPPLIERS)], "Status": "OPEN", "Description": expense.category,
        "CurrencyCode": expense.currency, "Ordered": Decimal(expense.amount), "CreationDate": expense.day.isoformat(),
    }  # fmt: skip
    return Stamped(row["POHeaderId"], row, expense.changed_at)


def _invoice(invoice: Invoice, names: dict[str, str]) -> Stamped:
    lines = [
        {"LineNumber": n, "Description": line.description, "Quantity": Decimal(line.hours),
         "UnitSellingPrice": Decimal(line.unit_price), "LineAmount": Decimal(line.net)}
        for n, line in enumerate(invoice.lines, start=1)
    ]  # fmt: skip
    row: Row = {
        "CustomerTransactionId": number("receivablesInvoices", invoice.n), "TransactionNumber": invoice.number,
        "TransactionDate": invoice.day.isoformat(), "AccountingDate": invoice.day.isoformat(),
        "DueDate": invoice.due.isoformat(), "TransactionType": "Invoice", "TransactionSource": "Hub",
        "BusinessUnit": BUSINESS_UNIT, "BillToCustomerName": names.get(invoice.client),
        "BillToCustomerNumber": invoice.client, "PaymentTerms": "30 Net", "InvoiceCurrencyCode": invoice.currency,
        "InvoiceStatus": "Complete", "CrossReference": f"HV-{invoice.number}", "PurchaseOrder": None,
        "EnteredAmount": Decimal(invoice.gross),
        "InvoiceBalanceAmount": Decimal("0.00") if invoice.paid else Decimal(invoice.gross),
        "receivablesInvoiceLines": lines,
    }  # fmt: skip
    return _at("CustomerTransactionId", row, invoice.day)


def _journal(firm: Firm) -> Iterator[Stamped]:
    n, zero = 0, Decimal("0.00")
    for invoice in firm.invoices:
        net, tax = Decimal(invoice.net), Decimal(invoice.tax)
        legs = [(RECEIVABLES, net + tax, zero), (REVENUE, zero, net)] + ([(TAX, zero, tax)] if tax else [])
        for line, (account, debit, credit) in enumerate(legs, start=1):
            n += 1
            row: Row = {
                "JournalLineId": number("journalLines", n), "JournalHeaderId": number("journalLines", invoice.n),
                "JournalName": f"Invoice {invoice.number}", "LineNumber": line, "AccountCombination": f"01.{account}.000",
                "AccountedDr": debit, "AccountedCr": credit, "CurrencyCode": invoice.currency,
                "AccountingDate": invoice.day.isoformat(), "LedgerName": "Harrow & Vale Primary",
            }  # fmt: skip
            yield _at("JournalLineId", row, invoice.day)


def _person(person: Person) -> Row:
    return {
        "PersonId": number("publicWorkers", person.n), "PersonNumber": person.number, "DisplayName": person.name,
        "WorkEmail": person.email,
    }  # fmt: skip
