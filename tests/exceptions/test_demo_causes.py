"""The faults that the demo firm plants, as its first load left them (recorded), and what the queue says of each."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from governance.services import load_canonical_model
from hub.sync import demo
from monitoring.exceptions.collect import collect
from monitoring.models import ExceptionItem
from tests.exceptions import builders

pytestmark = pytest.mark.django_db

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures/demo.json").read_text())
FINANCE, HR, PMO, SALES, ADMINS = (
    "Finance operations", "HR operations", "PMO", "Sales operations", "Integration team",
)  # fmt: skip
# fault → cause, amount, currency, client, team
EXPECTED: dict[str, tuple[str, str | None, str, str, str]] = {
    "UNKNOWN_PROJECT": ("missing-project", "1070.00", "USD", "", PMO),
    "NEGATIVE_HOURS": ("validation", "-676.00", "USD", "C-1003", FINANCE),
    "MISSING_EMAIL": ("validation", None, "", "", HR),
    "DEAL_WITHOUT_LEGAL_ENTITY": ("validation", "91400.00", "EUR", "C-1002", SALES),
    "BAD_CURRENCY": ("currency-tax", "94500.00", "GPB", "C-1003", SALES),
    "LONG_PROJECT_CODE": ("validation", "155000.00", "EUR", "C-1002", PMO),
    "UNKNOWN_PROJECT_STATUS": ("value-not-mapped", "162500.00", "USD", "C-1003", ADMINS),
    "UNKNOWN_PERSON": ("inactive-person", "532.00", "USD", "C-1003", HR),
    "MISSING_RATE": ("missing-rate", "285.00", "GBP", "C-1001", FINANCE),
    "HOURS_AS_TEXT": ("validation", None, "USD", "C-1003", FINANCE),
    "DAY_OF_25_HOURS": ("validation", "4750.00", "EUR", "C-1002", FINANCE),
    "NUL_IN_NOTES": ("validation", "1040.00", "GBP", "C-1001", FINANCE),
    "CLOSED_PROJECT": ("closed-project", "990.00", "GBP", "C-1001", FINANCE),
    "BAD_EXPENSE_CURRENCY": ("currency-tax", "297.59", "EURO", "C-1003", FINANCE),
    "IMPOSSIBLE_DATE": ("milestone-not-triggered", "54166.67", "USD", "C-1003", PMO),
    "DATE_FORMAT": ("validation", None, "", "", HR),
    "OLD_COST_CENTRE": ("reference-missing", None, "", "", HR),
}


@pytest.fixture
def queue(domains: Any, settings: Any, tmp_path: Path) -> dict[str, ExceptionItem]:
    """fault → the item of the queue, in a hub with the demo's documents."""
    settings.HUB_DATA, settings.HUB_EXCEPTION_WAIT_SECONDS = tmp_path, 0
    load_canonical_model()
    demo.load(demo.Demo(8700, "small", 1, "2026-11-30"))
    builders.put_records(RECORDED["records"])
    builders.put_held(RECORDED["held"])
    builders.put_deliveries(RECORDED["deliveries"])
    collect()
    faults = {row["external_id"]: row["fault"] for row in RECORDED["held"]}
    faults |= {row["key"]: row["fault"] for row in RECORDED["deliveries"]}
    items = ExceptionItem.objects.select_related("group")
    return {faults[item.external_id or item.name]: item for item in items}


def test_each_fault_has_its_cause_amount_client_and_team_and_nothing_else_is_there(
    queue: dict[str, ExceptionItem],
) -> None:
    found = {fault: (item.cause, item.amount, item.currency, item.client, item.team) for fault, item in queue.items()}
    wanted = {
        fault: (cause, Decimal(amount) if amount else None, *rest) for fault, (cause, amount, *rest) in EXPECTED.items()
    }
    assert found == wanted
    _titles_are_in_the_words_of_the_business(queue)


def _titles_are_in_the_words_of_the_business(queue: dict[str, ExceptionItem]) -> None:
    rate = queue["MISSING_RATE"]
    assert rate.group.title == "No bill rate: Analyst × Northgate Logistics Limited"
    assert rate.title == "3 h by Diego Zielinski on NLL-101, 14 Oct 2026"
    assert rate.amount_note == "3.00 h × 95.00 GBP of Diego Zielinski, standard rate"
    assert (rate.period, rate.legal_entity, rate.project) == ("2026-10", "HV-UK", "NLL-101")
    assert queue["UNKNOWN_PERSON"].title == "2 h by unknown person 69999 on CRS-106, 12 Oct 2026"
    assert queue["CLOSED_PROJECT"].group.title.startswith("Project closed, time still arriving: NLL-104")
    assert queue["MISSING_EMAIL"].kind == ExceptionItem.Kind.BUSINESS
    assert not ExceptionItem.objects.filter(cause="other").exists()
