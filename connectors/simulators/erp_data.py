"""The firm as the ERP knows it: what finance has set up, time of closed periods, invoices and the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from connectors.simulators.firm import Firm, posted_entries, quiet_moment
from connectors.simulators.firm.shapes import Client, Invoice, Person, Project, Task, TimeEntry
from connectors.simulators.ids import erp_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

RECEIVABLES, REVENUE, TAX = "2310", "6110", "5610"
_CURRENCY = Field("currencyCode", max_length=10, options=("GBP", "EUR", "USD", ""))
_ID = Field("id", "id", read_only=True)
_MODIFIED = Field("lastModifiedDateTime", "date-time", read_only=True)
_BLOCKED = Field("blocked", options=(" ", "Posting", "All"))


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return ObjectType(name, (_ID, *fields, _MODIFIED), modified="lastModifiedDateTime", writable=writable)


CUSTOMERS = _kind(
    "customers",
    Field("number", required=True, max_length=20, unique=True),
    Field("displayName", required=True, max_length=100),
    Field("type", options=("Company", "Person")),
    Field("addressLine1", max_length=100),
    Field("city", max_length=30),
    Field("postalCode", max_length=20),
    Field("country", max_length=10),
    Field("email", max_length=80),
    Field("taxRegistrationNumber", max_length=20),
    _CURRENCY,
    Field("paymentTermsCode", max_length=10),
    Field("balanceDue", "decimal", read_only=True),
    _BLOCKED,
)
PROJECTS = _kind(
    "projects",
    Field("number", required=True, max_length=20, unique=True),
    Field("displayName", required=True, max_length=100),
    Field("customerId", "id", references="customers"),
    Field("customerNumber", max_length=20, references="customers.number"),
    Field("status", options=("Planning", "Open", "Completed")),
    Field("startingDate", "date"),
    Field("endingDate", "date"),
    _CURRENCY,
    Field("billingMethod", options=("Time and Material", "Fixed Price", "Internal")),
    Field("legalEntityCode", max_length=20),
    Field("costCenterCode", max_length=20),
    Field("budgetHours", "decimal"),
    Field("budgetRevenue", "decimal"),
    _BLOCKED,
)
PROJECT_TASKS = _kind(
    "projectTasks",
    Field("projectNumber", required=True, max_length=20, references="projects.number"),
    Field("taskNumber", required=True, max_length=20),
    Field("displayName", max_length=100),
)
EMPLOYEES = _kind(
    "employees",
    Field("number", required=True, max_length=20, unique=True),
    Field("displayName", required=True, max_length=100),
    Field("jobTitle", max_length=50),
    Field("email", max_length=80),
    Field("status", options=("Active", "Inactive", "Terminated")),
)
DIMENSIONS = _kind(
    "dimensionValues",
    Field("dimensionCode", required=True, max_length=20),
    Field("code", required=True, max_length=20),
    Field("displayName", max_length=50),
)
TIME = _kind(
    "timeRegistrationEntries",
    Field("externalReference", required=True, max_length=50, unique=True),
    Field("employeeId", "id", references="employees"),
    Field("employeeNumber", required=True, max_length=20, references="employees.number"),
    Field("jobId", "id", references="projects"),
    Field("jobNumber", required=True, max_length=20, references="projects.number"),
    Field("jobTaskNumber", max_length=20),
    Field("date", "date", required=True),
    Field("quantity", "decimal", required=True),
    Field("unitOfMeasureCode", max_length=10),
    Field("unitPrice", "decimal"),
    Field("unitCost", "decimal"),
    Field("lineAmount", "decimal", read_only=True),
    _CURRENCY,
    Field("billable", "boolean"),
    Field("description", max_length=250),
    Field("status", options=("Open", "Submitted", "Rejected", "Approved")),
)
INVOICES = _kind(
    "salesInvoices",
    Field("number", max_length=20, unique=True),
    Field("externalDocumentNumber", max_length=35, unique=True),
    Field("customerNumber", required=True, max_length=20, references="customers.number"),
    Field("jobNumber", max_length=20, references="projects.number"),
    Field("invoiceDate", "date", required=True),
    Field("dueDate", "date"),
    _CURRENCY,
    Field("status", options=("Draft", "Open", "Paid", "Canceled"), read_only=True),
    Field("totalAmountExcludingTax", "decimal", read_only=True),
    Field("totalTaxAmount", "decimal", read_only=True),
    Field("totalAmountIncludingTax", "decimal", read_only=True),
    Field("remainingAmount", "decimal", read_only=True),
)
INVOICE_LINES = _kind(
    "salesInvoiceLines",
    Field("documentNumber", max_length=20, references="salesInvoices.number"),
    Field("sequence", "integer"),
    Field("jobTaskNumber", max_length=20),
    Field("description", max_length=100),
    Field("quantity", "decimal", required=True),
    Field("unitPrice", "decimal", required=True),
    Field("netAmount", "decimal", read_only=True),
)
LEDGER = _kind(
    "generalLedgerEntries",
    Field("entryNumber", "integer"),
    Field("postingDate", "date"),
    Field("documentNumber"),
    Field("documentType"),
    Field("accountNumber"),
    Field("description"),
    Field("jobNumber"),
    Field("debitAmount", "decimal"),
    Field("creditAmount", "decimal"),
    _CURRENCY,
    writable=False,
)
# So many units of the currency are so many of the company's own, which stays empty.
EXCHANGE_RATES = _kind(
    "currencyExchangeRates",
    Field("currencyCode", required=True, max_length=10),
    Field("relationalCurrencyCode", max_length=10),
    Field("startingDate", "date", required=True),
    Field("exchangeRateAmount", "decimal", required=True),
    Field("relationalExchangeRateAmount", "decimal", required=True),
    writable=False,
)
# Where a record may name another one by id or by number: (id field, object, number field); either brings the other.
TWINS = {
    "projects": (("customerId", "customers", "customerNumber"),),
    "timeRegistrationEntries": (("employeeId", "employees", "employeeNumber"), ("jobId", "projects", "jobNumber")),
}
KINDS = (
    CUSTOMERS,
    PROJECTS,
    PROJECT_TASKS,
    EMPLOYEES,
    DIMENSIONS,
    TIME,
    INVOICES,
    INVOICE_LINES,
    LEDGER,
    EXCHANGE_RATES,
)


def stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    known = {p.code for p in firm.projects if p.in_erp}
    return {
        "customers": _quiet(firm, [_customer(c) for c in firm.clients if c.in_erp]),
        "projects": _quiet(firm, [_project(p) for p in firm.projects if p.in_erp]),
        "projectTasks": _quiet(firm, [_task(t) for t in firm.tasks if t.project in known]),
        "employees": _quiet(firm, [_employee(p) for p in firm.people]),
        "dimensionValues": _quiet(firm, list(_dimensions(firm))),
        "timeRegistrationEntries": [_time(entry) for entry in posted_entries(firm)],
        "salesInvoices": [_dated(_invoice(i), i) for i in firm.invoices],
        "salesInvoiceLines": [_dated(row, i) for i in firm.invoices for row in _invoice_lines(i)],
        "generalLedgerEntries": list(_ledger(firm)),
        "currencyExchangeRates": list(_exchange_rates(firm)),
    }


def _exchange_rates(firm: Firm) -> Iterator[Stamped]:
    """What 100 of a currency are worth in pounds, anew each Monday of the last thirteen weeks."""
    monday = firm.today - timedelta(days=firm.today.weekday())
    for code, usual in (("EUR", Decimal("84.20")), ("USD", Decimal("76.40"))):
        for week in range(13):
            day = monday - timedelta(weeks=week)
            row: Row = {
                "id": erp_id("currencyExchangeRates", f"{code}/{day}"),
                "currencyCode": code,
                "relationalCurrencyCode": "",
                "startingDate": day.isoformat(),
                "exchangeRateAmount": Decimal("100.00"),
                "relationalExchangeRateAmount": usual + Decimal(week * 7 % 11 - 5) / 20,
            }
            yield Stamped(row["id"], row, datetime.combine(day, time(6), UTC))


def ledger_rows(invoice: Row, first: int) -> Iterator[Row]:
    """The entries that posting an invoice makes: what the customer owes, the revenue and the tax."""
    net, tax = invoice["totalAmountExcludingTax"], invoice["totalTaxAmount"]
    zero = Decimal("0.00")
    legs = [(RECEIVABLES, net + tax, zero), (REVENUE, zero, net)] + ([(TAX, zero, tax)] if tax else [])
    for n, (account, debit, credit) in enumerate(legs, start=first):
        yield {
            "id": erp_id("generalLedgerEntries", str(n)),
            "entryNumber": n,
            "postingDate": invoice["invoiceDate"],
            "documentNumber": invoice["number"],
            "documentType": "Invoice",
            "accountNumber": account,
            "description": f"Invoice {invoice['number']}",
            "jobNumber": invoice["jobNumber"],
            "debitAmount": debit,
            "creditAmount": credit,
            "currencyCode": invoice["currencyCode"],
        }


def _ledger(firm: Firm) -> Iterator[Stamped]:
    first = 1
    for invoice in firm.invoices:
        rows = list(ledger_rows(_invoice(invoice), first))
        first += len(rows)
        yield from (_dated(row, invoice) for row in rows)


def _quiet(firm: Firm, rows: list[Row]) -> list[Stamped]:
    return [Stamped(row["id"], row, quiet_moment(firm, n)) for n, row in enumerate(rows, start=1)]


def _dated(row: Row, invoice: Invoice) -> Stamped:
    return Stamped(row["id"], row, datetime.combine(invoice.day, time(11), UTC))


def _customer(client: Client) -> Row:
    return {
        "id": erp_id("customers", client.code),
        "number": client.code,
        "displayName": client.name,
        "type": "Company",
        "addressLine1": client.street,
        "city": client.city,
        "postalCode": client.postcode,
        "country": client.country,
        "email": "",
        "taxRegistrationNumber": client.tax_id,
        "currencyCode": client.currency,
        "paymentTermsCode": "30 DAYS",
        "balanceDue": Decimal("0.00"),
        "blocked": " ",
    }


def _project(project: Project) -> Row:
    closed = project.status == "closed"
    return {
        "id": erp_id("projects", project.code),
        "number": project.code,
        "displayName": project.name,
        "customerId": erp_id("customers", project.client) if project.client else "",
        "customerNumber": project.client,
        "status": "Completed" if closed else "Open",
        "startingDate": project.start.isoformat(),
        "endingDate": project.end.isoformat(),
        "currencyCode": project.currency,
        "billingMethod": {"tm": "Time and Material", "fixed": "Fixed Price"}.get(project.billing_type, "Internal"),
        "legalEntityCode": project.legal_entity,
        "costCenterCode": project.cost_centre,
        "budgetHours": Decimal(project.budget_minutes) / 60,
        "budgetRevenue": Decimal(project.budget_revenue),
        "blocked": "All" if closed else " ",
    }


def _task(task: Task) -> Row:
    key = f"{task.project}/{task.wbs}"
    return {
        "id": erp_id("projectTasks", key),
        "projectNumber": task.project,
        "taskNumber": task.wbs,
        "displayName": task.name,
    }


def _employee(person: Person) -> Row:
    return {
        "id": erp_id("employees", person.number),
        "number": person.number,
        "displayName": person.name,
        "jobTitle": person.role,
        "email": person.email,
        "status": "Active",
    }


def _dimensions(firm: Firm) -> Iterator[Row]:
    for entity in firm.legal_entities:
        yield _dimension("LEGALENTITY", entity.code, entity.name)
    for centre in firm.cost_centres:
        yield _dimension("COSTCENTER", centre.code, centre.name)


def _dimension(dimension: str, code: str, name: str) -> Row:
    key = erp_id("dimensionValues", f"{dimension}/{code}")
    return {"id": key, "dimensionCode": dimension, "code": code, "displayName": name}


def _time(entry: TimeEntry) -> Stamped:
    key = erp_id("timeRegistrationEntries", entry.reference)
    hours = Decimal(entry.minutes) / 60
    price = Decimal(entry.bill_rate) if entry.billable else Decimal("0.00")
    row: Row = {
        "id": key,
        "externalReference": entry.reference,
        "employeeId": erp_id("employees", entry.person),
        "employeeNumber": entry.person,
        "jobId": erp_id("projects", entry.project),
        "jobNumber": entry.project,
        "jobTaskNumber": entry.task,
        "date": entry.day.isoformat(),
        "quantity": hours,
        "unitOfMeasureCode": "HOUR",
        "unitPrice": price,
        "unitCost": Decimal(entry.cost_rate),
        "lineAmount": price * hours,
        "currencyCode": entry.currency,
        "billable": entry.billable,
        "description": entry.notes,
        "status": "Approved",
    }
    return Stamped(key, row, entry.changed_at)


def _invoice(invoice: Invoice) -> Row:
    return {
        "id": erp_id("salesInvoices", invoice.number),
        "number": invoice.number,
        "externalDocumentNumber": f"HV-{invoice.number}",
        "customerNumber": invoice.client,
        "jobNumber": invoice.project,
        "invoiceDate": invoice.day.isoformat(),
        "dueDate": invoice.due.isoformat(),
        "currencyCode": invoice.currency,
        "status": "Paid" if invoice.paid else "Open",
        "totalAmountExcludingTax": Decimal(invoice.net),
        "totalTaxAmount": Decimal(invoice.tax),
        "totalAmountIncludingTax": Decimal(invoice.gross),
        "remainingAmount": Decimal("0.00") if invoice.paid else Decimal(invoice.gross),
    }


def _invoice_lines(invoice: Invoice) -> Iterator[Row]:
    for sequence, line in enumerate(invoice.lines, start=1):
        yield {
            "id": erp_id("salesInvoiceLines", f"{invoice.number}/{sequence}"),
            "documentNumber": invoice.number,
            "sequence": sequence * 10_000,
            "jobTaskNumber": line.task,
            "description": line.description,
            "quantity": Decimal(line.hours),
            "unitPrice": Decimal(line.unit_price),
            "netAmount": Decimal(line.net),
        }
