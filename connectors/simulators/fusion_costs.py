"""What the import of costs does with what lies in the staging table: each row becomes an expenditure item or is rejected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.simulators import fusion_data
from connectors.simulators.tables import Row, Table

Tables = Mapping[str, Table]


def where_it_belongs(row: Row) -> tuple[str, str, str]:
    """Project number, task number and day of a cost; they stand in its flexfield."""
    flex: Row = next(iter(row.get("ProjectStandardCostCollectionFlexfields") or []), {})
    names = (fusion_data.PROJECT_FLEX, fusion_data.TASK_FLEX, fusion_data.DATE_FLEX)
    project, task, day = (str(flex.get(name) or "") for name in names)
    return project, task, day


def why_rejected(row: Row, tables: Tables) -> list[Row]:
    """The errors of a cost, as its child resource shows them; none for one that may be imported."""
    found = list(_errors(row, tables))
    return [
        {"TransactionErrorId": str(n), "MessageName": name, "MessageText": text}
        for n, (name, text) in enumerate(found, 1)
    ]


def _errors(row: Row, tables: Tables) -> Iterator[tuple[str, str]]:
    project_number, task, day = where_it_belongs(row)
    projects = tables["projects"].find("ProjectNumber", project_number)
    if not projects:
        yield "PJC_TXN_INVALID_PROJECT", f"The project number {project_number} is not valid."
    elif projects[0]["ProjectStatus"] == "Closed":
        yield "PJC_TXN_PROJECT_CLOSED", f"The project {project_number} is closed for transactions."
    elif not _has_task(tables["Tasks"], projects[0]["ProjectId"], task):
        yield "PJC_TXN_INVALID_TASK", f"The task number {task} is not valid for the project {project_number}."
    if not day:
        yield "PJC_TXN_NO_DATE", "The expenditure item date is missing."
    if row["Quantity"] == 0:
        yield "PJC_TXN_ZERO_QUANTITY", "The quantity must not be zero."
    if row.get("PersonNumber") and not tables["publicWorkers"].find("PersonNumber", row["PersonNumber"]):
        yield "PJC_TXN_INVALID_PERSON", f"The person number {row['PersonNumber']} is not valid."


def _has_task(tasks: Table, project: Any, number: str) -> bool:
    return any(task["ProjectId"] == project for task in tasks.find("TaskNumber", number))


def imported(row: Row) -> Row:
    """The expenditure item that a cost becomes."""
    project, task, day = where_it_belongs(row)
    rate = row.get("RawCostRateInTransactionCurrency")
    cost = row.get("RawCostInTransactionCurrency")
    same = ("OriginalTransactionReference", "ExpenditureBatch", "TransactionSource", "PersonNumber", "Quantity")
    return {
        **{name: row.get(name) for name in (*same, "UnitOfMeasureCode", "TransactionCurrencyCode", "Comment")},
        "ProjectNumber": project, "TaskNumber": task, "ExpenditureItemDate": day, "BillableFlag": True,
        "RawCostInTransactionCurrency": cost if cost is not None else row["Quantity"] * (rate or Decimal(0)),
    }  # fmt: skip
