"""Simulated Dynamics 365 Finance & Operations: companies by dataAreaId, keys of several fields, infologs, throttling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.microsoft.service import ODataService
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Problem, Row, Table

KEY = "@key"
_AREA = Field("dataAreaId", max_length=4)
_MODIFIED = Field("ModifiedDateTime", "date-time", read_only=True)
_NO_YES = ("No", "Yes")
_TEXTS = (
    "Number of requests exceeded the limit of 6000 over the time window of 300 seconds.",
    "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over the time window of"
    " 300 seconds.",
    "Number of concurrent requests exceeded the limit of 52.",
    "This request was throttled because of the high utilization of the resources of the environment.",
)


def _kind(name: str, *fields: Field, writable: bool = True) -> ObjectType:
    return ObjectType(name, (*fields, _MODIFIED), key=KEY, modified="ModifiedDateTime", writable=writable)


LEGAL_ENTITIES = _kind("LegalEntities", Field("LegalEntityId", required=True), Field("Name"), writable=False)
CUSTOMERS = _kind(
    "CustomersV3",
    _AREA,
    Field("CustomerAccount", required=True, max_length=20),
    Field("OrganizationName", max_length=100),
    Field("CustomerGroupId", max_length=10, required=True),
    Field("SalesCurrencyCode", max_length=3, required=True),
    Field("PaymentTerms", max_length=10),
    Field("TaxExemptNumber", max_length=20),
    Field("PrimaryContactEmail", max_length=255),
    Field("PartyNumber", read_only=True),
)
PROJECTS = _kind(
    "ProjectsV2",
    _AREA,
    Field("ProjectID", required=True, max_length=20),
    Field("ProjectName", max_length=60),
    Field("ProjectStage", max_length=10),
    Field("ProjectGroup", max_length=10),
    Field("ProjectContractID", max_length=20),
    Field("ParentProject", max_length=20),
    Field("CustomerAccount", max_length=20),
    Field("ProjectedStartDate", "date-time"),
    Field("ProjectedEndDate", "date-time"),
    Field("DimensionDisplayValue", max_length=500),
    Field("TotalEffortInHours", "decimal"),
    Field("IsReadyForInvoicing", label="NoYes", options=_NO_YES),
)
MAIN_ACCOUNTS = _kind("MainAccounts", Field("ChartOfAccounts"), Field("MainAccountId"), Field("Name"), writable=False)
JOURNAL_LINES = _kind(
    "LedgerJournalLines",
    _AREA,
    Field("JournalBatchNumber", required=True, max_length=10),
    Field("LineNumber", "decimal", required=True),
    Field("AccountDisplayValue", required=True, max_length=500),
    Field("DebitAmount", "decimal"),
    Field("CreditAmount", "decimal"),
    Field("CurrencyCode", max_length=3),
    Field("TransDate", "date-time"),
    Field("Voucher", max_length=20),
    Field("Text", max_length=60),
)
# the environment decides how this set is called; here it is so
HOUR_LINES = _kind(
    "ProjectHourJournalLines",
    _AREA,
    Field("JournalBatchNumber", required=True, max_length=10),
    Field("LineNumber", "decimal", required=True),
    Field("ProjectID", max_length=20),
    Field("ActivityNumber", max_length=20),
    Field("Category", max_length=10),
    Field("StartDate", "date-time"),
    Field("LineProperty", max_length=10),
    Field("CostPrice", "decimal"),
    Field("Hours", "decimal"),
    Field("SalesPrice", "decimal"),
    Field("Resource", max_length=20),
)
_KEYS = {
    "LegalEntities": ("LegalEntityId",),
    "CustomersV3": ("dataAreaId", "CustomerAccount"),
    "ProjectsV2": ("dataAreaId", "ProjectID"),
    "MainAccounts": ("ChartOfAccounts", "MainAccountId"),
    "LedgerJournalLines": ("dataAreaId", "JournalBatchNumber", "LineNumber"),
    "ProjectHourJournalLines": ("dataAreaId", "JournalBatchNumber", "LineNumber"),
}


class FinanceSimulator(ODataService):
    system, label = "dynamics_finance", "Simulated Dynamics 365 Finance"
    kinds = (LEGAL_ENTITIES, CUSTOMERS, PROJECTS, MAIN_ACCOUNTS, JOURNAL_LINES, HOUR_LINES)
    ROOT, SCOPE, NAMESPACE = "/data", "", "Microsoft.Dynamics.DataEntities"
    KEYS = _KEYS
    ENUMS = {"NoYes": _NO_YES}
    MOST_IN_PAGE, MOST_IN_BATCH = 10_000, 5_000
    WORDS = {
        "malformed": (400, ""),
        "filter": (400, ""),
        "unauthorised": (401, "Unauthorized"),
        "not_found": (404, ""),
        "method": (405, ""),
        "etag": (412, ""),
        "no_etag": (428, ""),
        "throttled": (429, "0x80072322"),
        "server": (503, ""),
        **dict.fromkeys(
            ("unknown", "read_only", "required", "length", "value", "duplicate", "reference", "rule"), (400, "")
        ),
    }

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.company = ""
        self._throttled = 0

    def credentials(self) -> dict[str, str]:
        return {**super().credentials(), "company": self.company, "hour_lines_set": HOUR_LINES.name}

    def error_body(self, status: int, code: str, refusal: Refusal) -> Any:
        if refusal.kind == "throttled":
            return {"error": {"code": code, "message": refusal.message}}
        inner = {
            "message": refusal.message, "stacktrace": "",
            "type": "Microsoft.Dynamics.Platform.Integration.Services.OData.ODataException",
        }  # fmt: skip
        return {"error": {"code": code, "message": "An error has occurred.", "innererror": inner}}

    def throttled(self, retry_after: int | None) -> Refusal:
        self._throttled += 1
        headers = {"Retry-After": str(retry_after or 1)}
        return Refusal("throttled", _TEXTS[self._throttled % len(_TEXTS)], headers=headers)

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self.company = _area(firm.legal_entities[0].code)
        rows = {
            "LegalEntities": [{"LegalEntityId": _area(e.code), "Name": e.name} for e in firm.legal_entities],
            "CustomersV3": list(_customers(firm)),
            "ProjectsV2": list(_projects(firm)),
            "MainAccounts": [{"ChartOfAccounts": "Shared", "MainAccountId": n, "Name": t} for n, t in _ACCOUNTS],
            "LedgerJournalLines": [],
            "ProjectHourJournalLines": [],
        }
        return {
            name: [self._stamped(firm, name, n, row) for n, row in enumerate(found, start=1)]
            for name, found in rows.items()
        }

    def _stamped(self, firm: Firm, name: str, n: int, row: Row) -> Stamped:
        key = self._key(_KEYS[name], row)
        return Stamped(key, {**row, KEY: key}, quiet_moment(firm, n))

    def _key(self, names: Iterable[str], row: Mapping[str, Any]) -> str:
        return "|".join(str(row.get(name) or "") for name in names)

    # Companies

    def found(self, table: Table, query: Mapping[str, str]) -> list[Row]:
        rows = super().found(table, query)
        everywhere = query.get("cross-company") == "true" or "dataAreaId" not in _KEYS[table.kind.name]
        return rows if everywhere else [row for row in rows if row["dataAreaId"] == self.company]

    def posted(self, request: Request, table: Table, values: Row) -> Reply:
        if "dataAreaId" in _KEYS[table.kind.name]:
            values = {"dataAreaId": self.company, **values}
        return super().posted(request, table, values)

    # Keys

    def insert(self, kind: ObjectType, values: Row) -> Row:
        table, now = self.tables[kind.name], self.clock.now()
        key = self._key(_KEYS[kind.name], values)
        if key in table.rows:
            raise Refusal(
                "duplicate", _infolog(kind, f"Cannot create a record in {kind.name}. The record already exists.")
            )
        self._check(kind, values)
        row: Row = {f.name: None for f in kind.fields} | values | {KEY: key, kind.modified: self.stamp(now)}
        inserted = table.insert(self.derive(kind, row, None), now)
        self.remember(self.system, kind.name, key, inserted, now)
        return inserted

    def update(self, kind: ObjectType, key: str, changes: Row) -> Row:
        row = self.tables[kind.name].rows[key]
        moved = [n for n in _KEYS[kind.name] if n in changes and changes[n] != row[n]]
        if moved:
            raise Problem("read_only", moved[0], _infolog(kind, f"Field '{moved[0]}' is part of the key."))
        self._check(kind, {**row, **changes})
        return super().update(kind, key, changes)

    def _check(self, kind: ObjectType, row: Mapping[str, Any]) -> None:
        """The customer of a project must be there, in the project's company."""
        if kind is PROJECTS and row.get("CustomerAccount"):
            wanted = f"{row.get('dataAreaId')}|{row['CustomerAccount']}"
            if wanted not in self.tables["CustomersV3"].rows:
                told = f"The value '{row['CustomerAccount']}' in field 'Customer account' is not found in 'Customers'."
                raise Refusal("reference", _infolog(kind, told))


_ACCOUNTS = (("130100", "Accounts receivable"), ("401100", "Service revenue"), ("202100", "Sales tax"))


def _infolog(kind: ObjectType, text: str) -> str:
    return f"Write failed for table row of type '{kind.name}Entity'. Infolog: Error: {text}"


def _area(code: str) -> str:
    """A company's short name has at most four characters."""
    return "".join(c for c in code.lower() if c.isalnum())[-4:]


def _customers(firm: Firm) -> Iterator[Row]:
    for client in (each for each in firm.clients if each.in_erp):
        yield {
            "dataAreaId": _area(client.legal_entity), "CustomerAccount": client.code, "OrganizationName": client.name,
            "CustomerGroupId": "10", "SalesCurrencyCode": client.currency, "PaymentTerms": "NET30",
            "TaxExemptNumber": client.tax_id, "PrimaryContactEmail": "", "PartyNumber": f"P-{client.n:06d}",
        }  # fmt: skip


def _projects(firm: Firm) -> Iterator[Row]:
    for project in (each for each in firm.projects if each.in_erp):
        yield {
            "dataAreaId": _area(project.legal_entity), "ProjectID": project.code, "ProjectName": project.name,
            "ProjectStage": "Finished" if project.status == "closed" else "InProcess", "ProjectGroup": "TM",
            "ProjectContractID": "", "ParentProject": "", "CustomerAccount": project.client,
            "ProjectedStartDate": f"{project.start}T12:00:00Z", "ProjectedEndDate": f"{project.end}T12:00:00Z",
            "DimensionDisplayValue": f"-{project.cost_centre}-", "IsReadyForInvoicing": "No",
            "TotalEffortInHours": Decimal(project.budget_minutes) / 60,
        }  # fmt: skip
