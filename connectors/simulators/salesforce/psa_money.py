"""What the demo firm's PSA knows beside work and time: schedules, demand, budgets, adjustments and billing events."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from connectors.simulators.firm import Firm
from connectors.simulators.ids import crm_id
from connectors.simulators.planted import Row
from connectors.simulators.salesforce.psa_objects import DAYS

_DAILY = Decimal(8)
_STATUS = {"draft": "Saved", "submitted": "Submitted", "approved": "Approved", "rejected": "Rejected"}


def rows(firm: Firm, people: dict[str, str], projects: dict[str, str]) -> dict[str, list[Row]]:
    """By object; `people` and `projects` give the org's ids."""
    return {
        "pse__Schedule__c": list(_schedules(firm)),
        "pse__Resource_Request__c": list(_requests(firm, projects)),
        "pse__Expense_Report__c": list(_reports(firm, people, projects)),
        "pse__Budget__c": list(_budgets(firm, projects)),
        "pse__Miscellaneous_Adjustment__c": list(_adjustments(firm, projects)),
        "pse__Billing_Event__c": list(_events(firm, projects)),
        "pse__Billing_Event_Item__c": list(_items(firm, projects)),
    }


def _schedules(firm: Firm) -> Iterator[Row]:
    for one in firm.assignments:
        hours = {f"pse__{day}_Hours__c": _DAILY * one.percent / 100 for day in DAYS[:5]}
        span = {"pse__Start_Date__c": one.start.isoformat(), "pse__End_Date__c": one.end.isoformat()}
        yield {"Id": crm_id("pse__Schedule__c", one.n), "Name": f"S-{one.n:06d}", **span, **hours}


def _requests(firm: Firm, projects: dict[str, str]) -> Iterator[Row]:
    """One open request for each project that is still running."""
    for project in firm.projects:
        if project.status != "closed":
            yield {
                "Id": crm_id("pse__Resource_Request__c", project.n),
                "Name": f"RR-{project.n:06d}",
                "pse__Project__c": projects[project.code],
                "pse__Status__c": "Ready to Staff",
                "pse__Resource_Role__c": "Consultant",
                "pse__Start_Date__c": project.start.isoformat(),
                "pse__End_Date__c": project.end.isoformat(),
                "pse__SOW_Hours__c": Decimal(80),
            }


def _reports(firm: Firm, people: dict[str, str], projects: dict[str, str]) -> Iterator[Row]:
    for one in firm.expenses:
        yield {
            "Id": crm_id("pse__Expense_Report__c", one.n),
            "Name": f"ER-{one.n:06d}",
            "pse__Project__c": projects[one.project],
            "pse__Resource__c": people[one.person],
            "pse__Status__c": _STATUS[one.status],
        }


def _budgets(firm: Firm, projects: dict[str, str]) -> Iterator[Row]:
    for project in firm.projects:
        yield {
            "Id": crm_id("pse__Budget__c", project.n),
            "Name": f"Budget {project.code}"[:80],
            "pse__Project__c": projects[project.code],
            "pse__Amount__c": Decimal(project.budget_revenue),
            "CurrencyIsoCode": project.currency,
        }


def _adjustments(firm: Firm, projects: dict[str, str]) -> Iterator[Row]:
    for project in firm.projects:
        if project.billing_type == "fixed":
            yield {
                "Id": crm_id("pse__Miscellaneous_Adjustment__c", project.n),
                "Name": f"Discount {project.code}"[:80],
                "pse__Project__c": projects[project.code],
                "pse__Amount__c": Decimal(-100),
                "pse__Effective_Date__c": project.start.isoformat(),
                "CurrencyIsoCode": project.currency,
            }


def _events(firm: Firm, projects: dict[str, str]) -> Iterator[Row]:
    """One event for each invoice of a project."""
    for invoice in firm.invoices:
        if invoice.project in projects:
            day = invoice.day.isoformat()
            yield {
                "Id": crm_id("pse__Billing_Event__c", invoice.n),
                "Name": f"BE-{invoice.n:06d}",
                "pse__Project__c": projects[invoice.project],
                "pse__Status__c": "Invoiced",
                "pse__Date__c": day,
                "pse__Invoice_Number__c": invoice.number,
                "pse__Invoice_Date__c": day,
                "pse__Is_Released__c": True,
                "pse__Invoiced__c": True,
                "pse__Total_Amount__c": Decimal(invoice.net),
                "CurrencyIsoCode": invoice.currency,
            }


def _items(firm: Firm, projects: dict[str, str]) -> Iterator[Row]:
    lines = [(invoice, line) for invoice in firm.invoices if invoice.project in projects for line in invoice.lines]
    for n, (invoice, line) in enumerate(lines, 1):
        yield {
            "Id": crm_id("pse__Billing_Event_Item__c", n),
            "Name": f"BEI-{n:06d}",
            "pse__Billing_Event__c": crm_id("pse__Billing_Event__c", invoice.n),
            "pse__Project__c": projects[invoice.project],
            "pse__Category__c": "Timecard",
            "pse__Amount__c": Decimal(line.net),
            "pse__Quantity__c": Decimal(line.hours),
            "pse__Unit_Price__c": Decimal(line.unit_price),
            "pse__Date__c": invoice.day.isoformat(),
            "CurrencyIsoCode": invoice.currency,
        }
