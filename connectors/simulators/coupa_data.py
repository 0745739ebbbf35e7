"""The firm as Coupa knows it: names with hyphens, and documents that remember whether somebody has exported them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Expense, Person
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

_CHANGED = Field("updated-at", "date-time", read_only=True)
_EXPORTED = (Field("exported", "boolean", read_only=True), Field("last-exported-at", "date-time", read_only=True))


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    known = (
        Field("id", "integer", read_only=True),
        *fields,
        Field("created-at", "date-time", read_only=True),
        _CHANGED,
    )
    return ObjectType(name, known, modified="updated-at", writable=writable)


SUPPLIERS = _kind(
    "suppliers",
    Field("number", max_length=50, unique=True),
    Field("name", required=True, max_length=255, unique=True),
    Field("status", options=("active", "inactive", "draft")),
    Field("external-ref-num", max_length=50),
)
ORDERS = _kind(
    "purchase_orders",
    Field("po-number", max_length=50, unique=True, read_only=True),
    Field("status", read_only=True),
    Field("version", "integer", read_only=True),
    Field("currency", "object", required=True),
    Field("supplier", "object", required=True),
    Field("external-ref-num", max_length=50),
    Field("order-lines", "array"),
    *_EXPORTED,
)
INVOICES = _kind(
    "invoices",
    Field("invoice-number", required=True, max_length=50),
    Field("invoice-date", "date", required=True),
    Field("status", read_only=True),
    Field("supplier", "object", required=True),
    Field("currency", "object"),
    Field("total-with-taxes", "decimal"),
    Field("net-due-date", "date"),
    Field("paid", "boolean"),
    Field("external-ref-num", max_length=50),
    Field("invoice-lines", "array"),
    *_EXPORTED,
)
EXPENSES = _kind(
    "expense_reports",
    Field("title", required=True),
    Field("status", read_only=True),
    Field("total", "decimal"),
    Field("currency", "object"),
    Field("external-ref-num", max_length=50),
    *_EXPORTED,
)
REQUISITIONS = _kind(
    "requisitions",
    Field("title", max_length=255),
    Field("status", read_only=True),
    Field("external-ref-num", max_length=50),
    Field("requisition-lines", "array"),
)
USERS = _kind(
    "users",
    Field("login", required=True, unique=True),
    Field("email", required=True),
    Field("firstname"),
    Field("lastname"),
    Field("employee-number"),
    Field("active", "boolean"),
)
KINDS = (SUPPLIERS, ORDERS, INVOICES, EXPENSES, REQUISITIONS, USERS)
EXPORTABLE = frozenset(kind.name for kind in KINDS if kind.field("exported"))
_FIRST = {kind.name: 1_000 * place for place, kind in enumerate(KINDS, start=1)}
_SUPPLIERS = ("Kestrel Travel", "Lattice Software", "Orchard Staffing", "Wren Catering")


def number(kind: str, n: int) -> int:
    return _FIRST[kind] + n


def stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+00:00"


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    suppliers = [_supplier(n, name) for n, name in enumerate(_SUPPLIERS, start=1)]
    spent = firm.expenses[:300]
    return {
        "suppliers": [_quiet(firm, row, n) for n, row in enumerate(suppliers, start=1)],
        "purchase_orders": [_order(n, expense, suppliers) for n, expense in enumerate(spent, start=1)],
        "invoices": [_invoice(n, expense, suppliers) for n, expense in enumerate(spent, start=1)],
        "expense_reports": [_report(n, expense) for n, expense in enumerate(spent, start=1)],
        "requisitions": [_requisition(n, expense) for n, expense in enumerate(spent[:60], start=1)],
        "users": [_quiet(firm, _user(person), person.n) for person in firm.people],
    }


def _quiet(firm: Firm, row: Row, n: int) -> Stamped:
    return Stamped(str(row["id"]), row | {"created-at": stamp(quiet_moment(firm, n))}, quiet_moment(firm, n))


def _supplier(n: int, name: str) -> Row:
    return {
        "id": number("suppliers", n),
        "number": f"S-{n}",
        "name": name,
        "status": "active",
        "external-ref-num": None,
    }


def _named(supplier: Row) -> Row:
    return {name: supplier[name] for name in ("id", "name", "number")}


def _at(row: Row, moment: datetime) -> Stamped:
    return Stamped(str(row["id"]), row | {"created-at": stamp(moment)}, moment)


def _order(n: int, expense: Expense, suppliers: list[Row]) -> Stamped:
    line = {
        "line-num": "1", "description": expense.category, "quantity": Decimal(1), "price": Decimal(expense.amount),
        "total": Decimal(expense.amount), "account": {"code": f"6000-{expense.project}"},
    }  # fmt: skip
    row: Row = {
        "id": number("purchase_orders", n), "po-number": str(7_000 + n), "status": "issued", "version": 1,
        "currency": {"code": expense.currency}, "supplier": _named(suppliers[n % len(suppliers)]),
        "external-ref-num": None, "order-lines": [line], "exported": False, "last-exported-at": None,
    }  # fmt: skip
    return _at(row, expense.changed_at)


def _invoice(n: int, expense: Expense, suppliers: list[Row]) -> Stamped:
    row: Row = {
        "id": number("invoices", n), "invoice-number": f"INV-{n}", "invoice-date": expense.day.isoformat(),
        "status": "approved", "supplier": _named(suppliers[n % len(suppliers)]), "currency": {"code": expense.currency},
        "total-with-taxes": Decimal(expense.amount), "net-due-date": None, "paid": False, "external-ref-num": None,
        "invoice-lines": [], "exported": False, "last-exported-at": None,
    }  # fmt: skip
    return _at(row, expense.changed_at)


def _report(n: int, expense: Expense) -> Stamped:
    row: Row = {
        "id": number("expense_reports", n), "title": f"{expense.category} {expense.day}", "status": "approved",
        "total": Decimal(expense.amount), "currency": {"code": expense.currency}, "external-ref-num": expense.reference,
        "exported": False, "last-exported-at": None,
    }  # fmt: skip
    return _at(row, expense.changed_at)


def _requisition(n: int, expense: Expense) -> Stamped:
    row: Row = {
        "id": number("requisitions", n), "title": f"{expense.category} for {expense.project}", "status": "draft",
        "external-ref-num": f"RQ-{n}", "requisition-lines": [],
    }  # fmt: skip
    return _at(row, expense.changed_at)


def _user(person: Person) -> Row:
    return {
        "id": number("users", person.n), "login": person.email, "email": person.email, "firstname": person.given,
        "lastname": person.family, "employee-number": person.number, "active": True,
    }  # fmt: skip
