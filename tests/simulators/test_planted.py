"""Every planted fault is there: read over HTTP as the hub reads it, one test for each code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.simulators import ids
from connectors.simulators.client import Controls
from connectors.simulators.firm import build_firm
from connectors.simulators.firm.faults import PLANTS

from .conftest import TODAY, crm_client, erp_client, hris_client, psa_client

Row = dict[str, Any]
FAULTS = {fault.code: fault for fault in build_firm("small", today=TODAY).faults}


def _read(systems: Controls, code: str) -> Row:
    """The spoiled record as its system serves it."""
    fault = FAULTS[code]
    if fault.system == "crm":
        with crm_client(systems) as client:
            return dict(client.get(f"/sobjects/{fault.object}/{fault.external_id}").json())
    if fault.system == "hris":
        with hris_client(systems) as client:
            return dict(client.get(f"/employees/{fault.external_id}").json())
    if fault.system == "erp":
        with erp_client(systems) as client:
            return dict(client.get(f"/{fault.object}({fault.external_id})").json())
    name = {"milestones": "stories"}.get(fault.object, fault.object)
    with psa_client(systems) as client:
        return dict(client.get(f"/{name}/{fault.external_id}").json()[name][fault.external_id])


CLOSED = next(p for p in build_firm("small", today=TODAY).projects if p.status == "closed")
POSTED_UNTIL = build_firm("small", today=TODAY).posted_until.isoformat()
SIGNS: dict[str, Callable[[Row], bool]] = {
    "UNKNOWN_PROJECT": lambda row: row["workspace_id"] == "49999",
    "NEGATIVE_HOURS": lambda row: row["time_in_minutes"] == -240,
    "MISSING_EMAIL": lambda row: row["workEmail"] == "",
    "DUPLICATE_CLIENT": lambda row: row["Name"] == "NORTHGATE  Logistics Ltd." and row["AccountNumber"] == "C-1901",
    "HUGE_ID": lambda row: row["id"] == 9007199254740993,
    "DEAL_WITHOUT_LEGAL_ENTITY": lambda row: row["IsWon"] is True and row["Legal_Entity__c"] is None,
    "BAD_CURRENCY": lambda row: row["CurrencyIsoCode"] == "GPB",
    "FLOAT_NOISE": lambda row: repr(row["Amount"]) == "40100.299999999996",
    "LONG_PROJECT_CODE": lambda row: len(row["external_reference"]) == 46,
    "UNKNOWN_PROJECT_STATUS": lambda row: row["status"]["key"] == "paused_by_client",
    "STRIPPED_EMPLOYEE_NUMBER": lambda row: "000" + row["employee_number"] == FAULTS["STRIPPED_EMPLOYEE_NUMBER"].value,
    "UNKNOWN_PERSON": lambda row: row["user_id"] == "69999",
    "MISSING_RATE": lambda row: row["rate_in_cents"] is None and row["billable"] is True,
    "HOURS_AS_TEXT": lambda row: row["time_in_minutes"] == "8:00",
    "DAY_OF_25_HOURS": lambda row: row["time_in_minutes"] == 25 * 60,
    "NUL_IN_NOTES": lambda row: "\x00" in row["notes"],
    "CLOSED_PROJECT": lambda row: row["workspace_id"] == ids.psa_id("workspaces", CLOSED.n),
    "APPROVED_TWICE": lambda row: row["status"] == "approved",
    "LATE_TIME": lambda row: row["date_performed"] < POSTED_UNTIL and row["approved_at"] > "2026-11-23",
    "BAD_EXPENSE_CURRENCY": lambda row: row["currency"] == "EURO",
    "IMPOSSIBLE_DATE": lambda row: row["due_date"] == "2026-02-31",
    "DATE_FORMAT": lambda row: row["hireDate"] == "31/12/2025",
    "OLD_COST_CENTRE": lambda row: row["costCenter"] == "CC-905",
    "EMOJI_NAME": lambda row: row["firstName"] == "Robin 🐝",
    "TIME_ONLY_IN_ERP": lambda row: row["externalReference"] == "BY-HAND-0001",
}


@pytest.mark.parametrize("code", [plant.code for plant in PLANTS])
def test_fault_is_in_the_data(small: Controls, code: str) -> None:
    row = _read(small, code)
    assert SIGNS[code](row), row


def test_the_control_planes_list_every_fault(small: Controls) -> None:
    assert {fault["code"] for fault in small.planted()} == set(FAULTS) == set(SIGNS)


def test_nothing_else_is_wrong_with_time(small: Controls) -> None:
    """Sound records: whole minutes of one day, a known person and project, a rate when billable."""
    listed = {fault.external_id for fault in FAULTS.values()}
    users = {row["id"] for row in small.psa.state("users")}
    projects = {row["id"] for row in small.psa.state("workspaces")}
    for row in small.psa.state("time_entries"):
        if str(row["id"]) in listed:
            continue
        assert row["user_id"] in users
        assert row["workspace_id"] in projects
        assert isinstance(row["time_in_minutes"], int)
        assert 0 < row["time_in_minutes"] <= 24 * 60
        assert row["rate_in_cents"] is not None


def test_the_twin_repeats_another_entry_but_for_its_id(small: Controls) -> None:
    rows = small.psa.state("time_entries")
    twin = next(row for row in rows if row["id"] == FAULTS["APPROVED_TWICE"].external_id)
    others = [row for row in rows if row["external_reference"] == twin["external_reference"] and row is not twin]
    assert [{**row, "id": twin["id"]} for row in others] == [twin]


def test_the_erp_refuses_the_time_on_the_closed_project(small: Controls) -> None:
    entry = next(row for row in small.psa.state("time_entries") if row["id"] == FAULTS["CLOSED_PROJECT"].external_id)
    body = {
        "externalReference": entry["external_reference"], "employeeNumber": "000470", "jobNumber": CLOSED.code,
        "date": entry["date_performed"], "quantity": 4,
    }  # fmt: skip
    with erp_client(small) as client:
        answer = client.post("/timeRegistrationEntries", json=body)
    assert answer.status_code == 400
    assert "is blocked" in answer.json()["error"]["message"]


def test_the_hand_typed_time_has_no_source(small: Controls) -> None:
    references = {row["external_reference"] for row in small.psa.state("time_entries")}
    in_erp = {row["externalReference"] for row in small.erp.state("timeRegistrationEntries")}
    assert in_erp - references == {"BY-HAND-0001"}
