"""The objects of Certinia PSA: custom objects of the org under the namespace `pse`."""

from __future__ import annotations

from dataclasses import replace

from connectors.simulators.crm_data import CURRENCY
from connectors.simulators.salesforce import objects
from connectors.simulators.salesforce.objects import reference, sobject
from connectors.simulators.tables import Field, FieldType, ObjectType

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BILLING_TYPES = ("Time and Materials", "Fixed Price", "T&M/Fixed")
STATUSES = ("Saved", "Submitted", "Approved", "Rejected")
# Together they open a record that is in the financials, for one save.
ADMIN_EDIT, AUDIT_NOTES = "pse__Admin_Global_Edit__c", "pse__Audit_Notes__c"
IN_FINANCIALS = "pse__Include_In_Financials__c"


def _pse(name: str, kind: FieldType = "string", **more: object) -> Field:
    return replace(Field(f"pse__{name}__c", kind), **more)  # type: ignore[arg-type]


def _flags(*names: str) -> tuple[Field, ...]:
    return tuple(_pse(name, "boolean") for name in names)


def _numbers(*names: str) -> tuple[Field, ...]:
    return tuple(_pse(name, "decimal") for name in names)


def _to(name: str, target: str, *, required: bool = False) -> Field:
    return reference(f"pse__{name}__c", target, required=required)


_SPAN = (_pse("Start_Date", "date"), _pse("End_Date", "date"))
_EDIT = (*_flags("Include_In_Financials", "Admin_Global_Edit"), _pse("Audit_Notes", max_length=32_000))
_BILLED = (
    *_flags("Approved_for_Billing", "Billed", "Invoiced", "Exclude_From_Billing"),
    _pse("Invoice_Number", max_length=80),
    _pse("Invoice_Date", "date"),
    _to("Billing_Event_Item", "pse__Billing_Event_Item__c"),
)


def _kind(name: str, *fields: Field) -> ObjectType:
    return sobject(f"pse__{name}__c", Field("Name", max_length=80), *fields)


CONTACT = replace(
    objects.CONTACT,
    fields=(
        *objects.CONTACT.fields,
        Field("Name", read_only=True),
        *_flags("Is_Resource", "Is_Resource_Active", "Exclude_From_Time_Calculations"),
        _pse("Resource_Role", max_length=80),
        _to("Salesforce_User", "User"),
        _to("Region", "pse__Region__c"),
        _to("Practice", "pse__Practice__c"),
        *_numbers("Utilization_Target", "Default_Cost_Rate"),
        _pse("Start_Date", "date"),
        _pse("Last_Date", "date"),
    ),
)
REGION = _kind("Region")
PRACTICE = _kind("Practice")
PROJECT = _kind(
    "Proj",
    _pse("Project_ID", max_length=80),
    _to("Account", "Account"),
    _to("Opportunity", "Opportunity"),
    _to("Project_Manager", "Contact"),
    _to("Region", "pse__Region__c"),
    _to("Practice", "pse__Practice__c"),
    _to("Master_Project", "pse__Proj__c"),
    _pse("Stage", options=("Draft", "Planned", "In Progress", "On Hold", "Completed", "Canceled", "Closed")),
    _pse("Project_Status", options=("Green", "Yellow", "Red")),
    _pse("Billing_Type", options=BILLING_TYPES),
    _pse("Project_Type", max_length=80),
    *_flags("Is_Active", "Is_Billable", "Closed_for_Time_Entry", "Exclude_From_Billing"),
    *_SPAN,
    *_numbers("Planned_Hours", "Bookings", "Billings", "Revenue", "Total_Costs"),
    CURRENCY,
)
TASK = _kind(
    "Project_Task",
    _to("Project", "pse__Proj__c", required=True),
    _to("Parent_Task", "pse__Project_Task__c"),
    _to("Milestone", "pse__Milestone__c"),
    _pse("Status", options=("Planned", "Started", "Completed")),
    _pse("Start_Date_Time", "date-time"),
    _pse("End_Date_Time", "date-time"),
    *_numbers("Estimated_Hours"),
)
SCHEDULE = _kind("Schedule", *_SPAN, *_numbers(*(f"{day}_Hours" for day in DAYS), "Scheduled_Hours", "Scheduled_Days"))
REQUEST = _kind(
    "Resource_Request",
    _to("Project", "pse__Proj__c"),
    _to("Opportunity", "Opportunity"),
    _to("Staffer_Resource", "Contact"),
    _pse("Status", options=("Draft", "Ready to Staff", "Tentative", "Assigned", "Canceled")),
    _pse("Resource_Role", max_length=80),
    *_SPAN,
    *_numbers("SOW_Hours", "Requested_Bill_Rate"),
)
ASSIGNMENT = _kind(
    "Assignment",
    _to("Project", "pse__Proj__c", required=True),
    _to("Resource", "Contact", required=True),
    _to("Schedule", "pse__Schedule__c"),
    _to("Rate_Card", "pse__Rate_Card__c"),
    _to("Resource_Request", "pse__Resource_Request__c"),
    _to("Milestone", "pse__Milestone__c"),
    _pse("Role", max_length=80),
    _pse("Status", options=("Draft", "Tentative", "Scheduled", "Completed", "Closed", "Canceled")),
    *_flags("Is_Billable", "Closed_for_Time_Entry"),
    *_SPAN,
    *_numbers("Bill_Rate", "Cost_Rate_Amount", "Percent_Allocated", "Planned_Hours", "Scheduled_Hours"),
)
TIMECARD = _kind(
    "Timecard_Header",
    _to("Resource", "Contact", required=True),
    _to("Project", "pse__Proj__c", required=True),
    _to("Assignment", "pse__Assignment__c"),
    _to("Milestone", "pse__Milestone__c"),
    _pse("Start_Date", "date", required=True),
    _pse("End_Date", "date", required=True),
    *_numbers(*(f"{day}_Hours" for day in DAYS)),
    *(_pse(f"{day}_Notes", max_length=255) for day in DAYS),
    _pse("Total_Hours", "decimal", read_only=True),
    _pse("Status", options=STATUSES),
    *(_pse(name, "boolean", read_only=True) for name in ("Submitted", "Approved")),
    *_flags("Billable"),
    _pse("Timecard_Notes", max_length=32_000),
    *_numbers("Bill_Rate", "Cost_Rate_Amount"),
    CURRENCY,
    *_EDIT,
)
SPLIT = _kind(
    "Timecard",
    _to("Timecard_Header", "pse__Timecard_Header__c", required=True),
    *_SPAN,
    *_numbers(*(f"{day}_Hours" for day in DAYS), "Total_Hours", "Total_Billable_Amount"),
    *_flags("Billable"),
    _pse("Status", options=STATUSES),
    *_BILLED,
)
REPORT = _kind(
    "Expense_Report",
    _to("Project", "pse__Proj__c", required=True),
    _to("Resource", "Contact", required=True),
    _pse("Status", options=STATUSES),
)
EXPENSE = _kind(
    "Expense",
    _to("Expense_Report", "pse__Expense_Report__c"),
    _to("Project", "pse__Proj__c", required=True),
    _to("Assignment", "pse__Assignment__c"),
    _to("Resource", "Contact", required=True),
    _pse("Expense_Date", "date", required=True),
    _pse("Type", max_length=80),
    _pse("Amount", "decimal", required=True),
    _pse("Description", max_length=32_000),
    *_flags("Billable"),
    _pse("Status", options=STATUSES),
    _pse("Approved", "boolean", read_only=True),
    *_numbers("Reimbursement_Amount"),
    CURRENCY,
    *_BILLED,
    *_EDIT,
)
MILESTONE = _kind(
    "Milestone",
    _to("Project", "pse__Proj__c", required=True),
    _pse("Milestone_Amount", "decimal"),
    _pse("Status", options=("Planned", "In Progress", "Completed", "Approved", "Canceled")),
    _pse("Target_Date", "date"),
    _pse("Actual_Date", "date"),
    _pse("Approved", "boolean", read_only=True),
    *_flags("Closed_for_Time_Entry"),
    _pse("Description", max_length=32_000),
    CURRENCY,
    *_BILLED,
    *_EDIT,
)
BUDGET = _kind(
    "Budget", _to("Project", "pse__Proj__c", required=True), *_numbers("Amount", "Amount_Consumed"), CURRENCY
)
ADJUSTMENT = _kind(
    "Miscellaneous_Adjustment",
    _to("Project", "pse__Proj__c", required=True),
    _pse("Amount", "decimal", required=True),
    _pse("Effective_Date", "date"),
    *_flags("Billable", "Approved"),
    *_BILLED,
    *_EDIT,
    CURRENCY,
)
RATE_CARD = _kind(
    "Rate_Card",
    _to("Account", "Account"),
    _to("Region", "pse__Region__c"),
    _pse("Resource_Role", max_length=80),
    *_numbers("Suggested_Bill_Rate", "Average_Cost_Rate"),
    *_flags("External"),
    *_SPAN,
    CURRENCY,
)
EVENT = _kind(
    "Billing_Event",
    _to("Project", "pse__Proj__c"),
    _pse("Status", options=("Draft", "Approved", "Released", "Invoiced")),
    _pse("Date", "date"),
    _pse("Invoice_Number", max_length=80),
    _pse("Invoice_Date", "date"),
    *_flags("Is_Released", "Invoiced"),
    *_numbers("Total_Amount"),
    CURRENCY,
)
EVENT_ITEM = _kind(
    "Billing_Event_Item",
    _to("Billing_Event", "pse__Billing_Event__c", required=True),
    _to("Project", "pse__Proj__c"),
    _to("Milestone", "pse__Milestone__c"),
    _pse("Category", max_length=80),
    *_numbers("Amount", "Quantity", "Unit_Price"),
    _pse("Date", "date"),
    CURRENCY,
)
KINDS = (
    objects.ACCOUNT, objects.USER, objects.OPPORTUNITY, REGION, PRACTICE, CONTACT, PROJECT, MILESTONE, TASK, SCHEDULE,
    RATE_CARD, REQUEST, ASSIGNMENT, EVENT, EVENT_ITEM, TIMECARD, SPLIT, REPORT, EXPENSE, BUDGET, ADJUSTMENT,
)  # fmt: skip
