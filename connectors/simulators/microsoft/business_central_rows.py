"""The firm as Business Central's standard API shows it, and the fields that this API has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from connectors.simulators import erp_data
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.ids import erp_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

_ID = Field("id", "id", read_only=True)
_MODIFIED = Field("lastModifiedDateTime", "date-time", read_only=True)
_CURRENCY = Field("currencyCode", max_length=10)
_BLOCKED = Field("blocked", options=(" ", "Ship", "Invoice", "All"))


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return ObjectType(name, (_ID, *fields, _MODIFIED), modified="lastModifiedDateTime", writable=writable)


def _party(name: str, *more: Field) -> ObjectType:
    return _kind(
        name,
        Field("number", required=True, max_length=20, unique=True),
        Field("displayName", required=True, max_length=100),
        Field("addressLine1", max_length=100),
        Field("addressLine2", max_length=50),
        Field("city", max_length=30),
        Field("state", max_length=30),
        Field("country", max_length=10),
        Field("postalCode", max_length=20),
        Field("phoneNumber", max_length=30),
        Field("email", max_length=80),
        Field("taxRegistrationNumber", max_length=20),
        _CURRENCY,
        Field("paymentTermsId", "id"),
        _BLOCKED,
        *more,
    )


COMPANIES = ObjectType(
    "companies", (_ID, Field("name"), Field("displayName"), Field("businessProfileId")), writable=False
)
CUSTOMERS = _party(
    "customers",
    Field("type", options=("Company", "Person")),
    Field("balanceDue", "decimal", read_only=True),
    Field("creditLimit", "decimal"),
)
VENDORS = _party("vendors", Field("balance", "decimal", read_only=True))
PROJECTS = _kind(
    "projects",
    Field("number", required=True, max_length=20, unique=True),
    Field("displayName", max_length=100),
)
EMPLOYEES = _kind(
    "employees",
    Field("number", required=True, max_length=20, unique=True),
    Field("displayName", max_length=100, read_only=True),
    Field("givenName", max_length=30),
    Field("surname", max_length=30),
    Field("jobTitle", max_length=50),
    Field("email", max_length=80),
    Field("employmentDate", "date"),
    Field("terminationDate", "date"),
    Field("status", options=("Active", "Inactive", "Terminated")),
)
TIME = _kind(
    "timeRegistrationEntries",
    Field("employeeId", "id"),
    Field("employeeNumber", required=True, max_length=20, references="employees.number"),
    Field("jobId", "id"),
    Field("jobNumber", max_length=20, references="projects.number"),
    Field("jobTaskNumber", max_length=20),
    Field("absence", max_length=10),
    Field("lineNumber", "integer", read_only=True),
    Field("date", "date", required=True),
    Field("quantity", "decimal", required=True),
    Field("status", options=("Open", "Submitted", "Rejected", "Approved"), read_only=True),
    Field("unitOfMeasureCode", max_length=10),
)
SALES_INVOICES = _kind(
    "salesInvoices",
    Field("number", max_length=20, unique=True),
    Field("externalDocumentNumber", max_length=35),
    Field("invoiceDate", "date"),
    Field("postingDate", "date"),
    Field("dueDate", "date"),
    Field("customerPurchaseOrderReference", max_length=35),
    Field("customerId", "id"),
    Field("customerNumber", required=True, max_length=20, references="customers.number"),
    _CURRENCY,
    Field("shortcutDimension1Code", max_length=20),
    Field("shortcutDimension2Code", max_length=20),
    Field("totalAmountExcludingTax", "decimal", read_only=True),
    Field("totalTaxAmount", "decimal", read_only=True),
    Field("totalAmountIncludingTax", "decimal", read_only=True),
    Field("remainingAmount", "decimal", read_only=True),
    Field("status", options=("Draft", "In Review", "Open", "Paid", "Canceled", "Corrective"), read_only=True),
)
SALES_INVOICE_LINES = _kind(
    "salesInvoiceLines",
    Field("documentId", "id", required=True, references="salesInvoices"),
    Field("sequence", "integer"),
    Field("lineType", options=("Comment", "Account", "Item", "Resource")),
    Field("lineObjectNumber", max_length=20),
    Field("description", max_length=100),
    Field("quantity", "decimal"),
    Field("unitPrice", "decimal"),
    Field("taxCode", max_length=20),
    Field("netAmount", "decimal", read_only=True),
)
PURCHASE_INVOICES = _kind(
    "purchaseInvoices",
    Field("number", max_length=20, unique=True),
    Field("vendorInvoiceNumber", max_length=35),
    Field("invoiceDate", "date"),
    Field("dueDate", "date"),
    Field("vendorId", "id"),
    Field("vendorNumber", required=True, max_length=20, references="vendors.number"),
    _CURRENCY,
    Field("totalAmountExcludingTax", "decimal", read_only=True),
    Field("totalTaxAmount", "decimal", read_only=True),
    Field("totalAmountIncludingTax", "decimal", read_only=True),
    Field("status", options=("Draft", "In Review", "Open", "Paid", "Canceled"), read_only=True),
)
LEDGER = _kind(
    "generalLedgerEntries",
    Field("entryNumber", "integer"),
    Field("postingDate", "date"),
    Field("documentNumber"),
    Field("documentType"),
    Field("accountNumber"),
    Field("description"),
    Field("debitAmount", "decimal"),
    Field("creditAmount", "decimal"),
    writable=False,
)
ACCOUNTS = _kind("accounts", Field("number"), Field("displayName"), Field("category"), writable=False)
DIMENSIONS = _kind("dimensions", Field("code"), Field("displayName"), writable=False)
DIMENSION_VALUES = _kind(
    "dimensionValues", Field("code"), Field("displayName"), Field("dimensionId", "id"), writable=False
)
SUBSCRIPTIONS = ObjectType(
    "subscriptions",
    (
        Field("subscriptionId", "id", read_only=True),
        Field("notificationUrl", required=True),
        Field("resource", required=True),
        Field("clientState", max_length=2_048),
        Field("expirationDateTime", "date-time", read_only=True),
    ),
    key="subscriptionId",
)
KINDS = (
    COMPANIES, CUSTOMERS, VENDORS, PROJECTS, EMPLOYEES, TIME, SALES_INVOICES, SALES_INVOICE_LINES, PURCHASE_INVOICES,
    LEDGER, ACCOUNTS, DIMENSIONS, DIMENSION_VALUES, SUBSCRIPTIONS,
)  # fmt: skip
_SUPPLIERS = (
    ("V-100", "Brightwater Training", "GBP"),
    ("V-110", "Kestrel Contractors", "GBP"),
    ("V-120", "Lindner & Söhne", "EUR"),
)
_LEDGER_ACCOUNTS = {erp_data.RECEIVABLES: "Receivables", erp_data.REVENUE: "Revenue", erp_data.TAX: "Sales tax"}


def seed(firm: Firm) -> dict[str, Iterable[Stamped]]:
    known = {name: list(found) for name, found in erp_data.rows(firm).items()}
    numbers = {row.row["number"]: row.row["id"] for row in known["salesInvoices"]}
    return {
        "companies": [_still(firm, _company())],
        "customers": _as(CUSTOMERS, known["customers"]),
        "vendors": [_still(firm, row) for row in _vendors()],
        "projects": _as(PROJECTS, known["projects"]),
        "employees": [_employee(each, firm) for each in known["employees"]],
        "timeRegistrationEntries": _as(TIME, known["timeRegistrationEntries"]),
        "salesInvoices": _as(SALES_INVOICES, known["salesInvoices"]),
        "salesInvoiceLines": _as(SALES_INVOICE_LINES, [_line(each, numbers) for each in known["salesInvoiceLines"]]),
        "purchaseInvoices": [_still(firm, row) for row in _purchases(firm)],
        "generalLedgerEntries": _as(LEDGER, known["generalLedgerEntries"]),
        "accounts": [_still(firm, row) for row in _accounts()],
        "dimensions": [_still(firm, row) for row in _dimensions()],
        "dimensionValues": [_dimension_value(each) for each in known["dimensionValues"]],
        "subscriptions": [],
    }


def posting(invoice: Row, first: int) -> Iterator[Row]:
    """The ledger entries of an invoice that is posted."""
    names = {field.name for field in LEDGER.fields} - {"id", "lastModifiedDateTime"}
    for entry in erp_data.ledger_rows({"jobNumber": "", **invoice}, first):
        yield {name: value for name, value in entry.items() if name in names}


def _as(kind: ObjectType, stamped: Iterable[Stamped]) -> list[Stamped]:
    """The rows with the fields that this API has, and no others."""
    names = [field.name for field in kind.fields]
    return [Stamped(s.key, {name: s.row.get(name) for name in names}, s.changed_at) for s in stamped]


def _still(firm: Firm, row: Row) -> Stamped:
    return Stamped(row["id"], row, quiet_moment(firm, 1))


def _company() -> Row:
    name = "HARROW & VALE"
    return {"id": erp_id("companies", name), "name": name, "displayName": "Harrow & Vale", "businessProfileId": ""}


def _vendors() -> Iterator[Row]:
    blank = {field.name: None for field in VENDORS.fields}
    for number, name, currency in _SUPPLIERS:
        facts = {"number": number, "displayName": name, "currencyCode": currency, "blocked": " "}
        yield {**blank, **facts, "id": erp_id("vendors", number), "balance": Decimal("0.00")}


def _purchases(firm: Firm) -> Iterator[Row]:
    for n, (vendor, _, currency) in enumerate(_SUPPLIERS * 3, start=1):
        day, net = firm.today - timedelta(days=7 * n), Decimal(180 + 35 * n)
        yield {
            "id": erp_id("purchaseInvoices", str(n)), "number": f"P-INV{10_000 + n}", "vendorInvoiceNumber": f"R{n:05d}",
            "invoiceDate": day.isoformat(), "dueDate": (day + timedelta(days=30)).isoformat(), "currencyCode": currency,
            "vendorId": erp_id("vendors", vendor), "vendorNumber": vendor, "status": "Open",
            "totalAmountExcludingTax": net, "totalTaxAmount": net / 5, "totalAmountIncludingTax": net * 6 / 5,
        }  # fmt: skip


def _employee(stamped: Stamped, firm: Firm) -> Stamped:
    person = next(each for each in firm.people if each.number == stamped.row["number"])
    names = {"givenName": person.given, "surname": person.family, "employmentDate": person.hire_date.isoformat()}
    row = {**{field.name: None for field in EMPLOYEES.fields}, **stamped.row, **names}
    return Stamped(stamped.key, row, stamped.changed_at)


def _line(stamped: Stamped, invoices: dict[str, str]) -> Stamped:
    more = {"documentId": invoices[stamped.row["documentNumber"]], "lineType": "Account"}
    return Stamped(stamped.key, {**stamped.row, **more, "lineObjectNumber": erp_data.REVENUE}, stamped.changed_at)


def _accounts() -> Iterator[Row]:
    for number, name in _LEDGER_ACCOUNTS.items():
        yield {"id": erp_id("accounts", number), "number": number, "displayName": name, "category": "Income"}


def _dimensions() -> Iterator[Row]:
    for code, name in (("LEGALENTITY", "Legal entity"), ("COSTCENTER", "Cost centre")):
        yield {"id": erp_id("dimensions", code), "code": code, "displayName": name}


def _dimension_value(stamped: Stamped) -> Stamped:
    row = {name: stamped.row[name] for name in ("id", "code", "displayName")}
    return Stamped(
        stamped.key, {**row, "dimensionId": erp_id("dimensions", stamped.row["dimensionCode"])}, stamped.changed_at
    )
