"""The shipped `certinia` declaration against a simulated org with PSA."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import catalog
from hub.common.records import Record, StreamSpec, WriteItem

from .tools import Org, read_all, upsert

STREAMS = tuple(catalog.load_file(catalog.SHIPPED / "certinia.yaml").streams)
LOCK = "pse__Include_In_Financials__c"


def first_id(org: Org, name: str) -> str:
    return str(org.rows(name)[0]["Id"])


def timecard(org: Org, start: str, end: str, **hours: float) -> Record:
    days = {f"pse__{day}_Hours__c": value for day, value in hours.items()}
    resource = next(row["Id"] for row in org.rows("Contact") if row["pse__Is_Resource__c"])
    project = first_id(org, "pse__Proj__c")
    span = {"pse__Start_Date__c": start, "pse__End_Date__c": end}
    return {"pse__Resource__c": resource, "pse__Project__c": project, "pse__Status__c": "Submitted", **span, **days}


def splits_of(org: Org, header: str) -> list[Record]:
    return [row for row in org.rows("pse__Timecard__c") if row["pse__Timecard_Header__c"] == header]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_object_is_read_whole_and_by_cursor(certinia: Org, stream: str) -> None:
    expected = sorted(row["Id"] for row in certinia.rows(stream))
    certinia.control.settings(page_limit=7)
    with certinia.open() as connector:
        pages = list(connector.read(StreamSpec(stream), cursor=None))
        records = [record for page in pages for record in page.records]
        assert sorted(record["Id"] for record in records) == expected
        assert all(set(connector.declaration.streams[stream]["fields"]) <= set(record) for record in records)
        if records:
            assert read_all(connector, stream, pages[-1].cursor)


def _values(org: Org, stream: str) -> Record:
    project = {"pse__Project__c": first_id(org, "pse__Proj__c")}
    resource = {"pse__Resource__c": first_id(org, "Contact")}
    dates = {"pse__Start_Date__c": "2026-11-02", "pse__End_Date__c": "2026-11-08"}
    own: dict[str, dict[str, Any]] = {
        "pse__Proj__c": {"Name": "Depot", "pse__Stage__c": "In Progress", **dates},
        "pse__Project_Task__c": {"Name": "Survey", **project},
        "Contact": {"LastName": "Marsh", "pse__Is_Resource__c": True},
        "pse__Assignment__c": {**project, **resource, **dates},
        "pse__Schedule__c": {**dates, "pse__Monday_Hours__c": 8},
        "pse__Resource_Request__c": {**project, "pse__Status__c": "Draft"},
        "pse__Timecard_Header__c": {**project, **resource, **dates},
        "pse__Expense_Report__c": {**project, **resource, "Name": "Trip"},
        "pse__Expense__c": {**project, **resource, "pse__Expense_Date__c": "2026-11-03", "pse__Amount__c": 12.5},
        "pse__Milestone__c": {**project, "Name": "Sign-off", "pse__Milestone_Amount__c": 1000},
        "pse__Budget__c": {**project, "Name": "Budget", "pse__Amount__c": 10},
        "pse__Miscellaneous_Adjustment__c": {**project, "pse__Amount__c": 10},
        "pse__Rate_Card__c": {"Name": "Standard", "pse__Suggested_Bill_Rate__c": 150},
        "pse__Billing_Event__c": {**project, "pse__Status__c": "Draft"},
        "pse__Region__c": {"Name": "North"},
        "pse__Practice__c": {"Name": "Advice"},
    }
    return own[stream]


WRITABLE = tuple(name for name in STREAMS if name not in ("pse__Timecard__c", "pse__Billing_Event_Item__c"))


@pytest.mark.parametrize("stream", WRITABLE)
def test_an_upsert_whose_answer_is_lost_and_that_is_sent_again_makes_one_object(certinia: Org, stream: str) -> None:
    values = _values(certinia, stream)
    with certinia.open() as connector:
        assert connector.safety(StreamSpec(stream)) == "B"
        certinia.control.add_fault("drop", method="PATCH", path="Hub_External_Id__c", times=1, when="after")
        [lost] = upsert(connector, stream, {"TWICE": values})
        [again] = upsert(connector, stream, {"TWICE": values})
    [row] = certinia.with_external_id(stream, "TWICE")
    assert (lost.status, again.status, again.ref) == ("failed", "updated", row["Id"])


def test_the_invoice_number_is_written_back_to_a_split_and_twice_changes_nothing(certinia: Org) -> None:
    key = first_id(certinia, "pse__Timecard__c")
    item = WriteItem("any", "update", {"pse__Invoice_Number__c": "INV-7", "pse__Invoiced__c": True}, ref=key)
    with certinia.open() as connector:
        for _ in range(2):
            assert connector.write(StreamSpec("pse__Timecard__c"), [item])[0].status == "updated"
    split = next(row for row in certinia.rows("pse__Timecard__c") if row["Id"] == key)
    assert (split["pse__Invoice_Number__c"], split["pse__Invoiced__c"]) == ("INV-7", True)


def test_splits_appear_some_seconds_after_a_timecard_and_a_new_month_makes_two(certinia: Org) -> None:
    certinia.control.freeze()
    card = timecard(certinia, "2026-11-30", "2026-12-06", Monday=8, Tuesday=7.5)
    with certinia.open() as connector:
        [made] = upsert(connector, "pse__Timecard_Header__c", {"T-1": card})
        assert made.ref
        assert splits_of(certinia, made.ref) == []
        certinia.control.advance(3)
        read = [r for r in read_all(connector, "pse__Timecard__c") if r["pse__Timecard_Header__c"] == made.ref]
    assert {(r["pse__Start_Date__c"], r["pse__Total_Hours__c"]) for r in read} == {
        ("2026-11-30", "8"),
        ("2026-12-01", "7.5"),
    }


def test_hours_that_change_are_split_anew_and_the_old_splits_are_read_as_deleted(certinia: Org) -> None:
    certinia.control.freeze()
    with certinia.open() as connector:
        [made] = upsert(
            connector, "pse__Timecard_Header__c", {"T-2": timecard(certinia, "2026-11-02", "2026-11-08", Monday=8)}
        )
        assert made.ref
        certinia.control.advance(3)
        [old] = [r for r in read_all(connector, "pse__Timecard__c") if r["pse__Timecard_Header__c"] == made.ref]
        upsert(connector, "pse__Timecard_Header__c", {"T-2": {"pse__Monday_Hours__c": 4}})
        certinia.control.advance(3)
        found = [r for r in read_all(connector, "pse__Timecard__c") if r["pse__Timecard_Header__c"] == made.ref]
    assert {(r["Id"] == old["Id"], r["IsDeleted"], r["pse__Total_Hours__c"]) for r in found} == {
        (True, True, "8"),
        (False, False, "4"),
    }


def test_what_is_in_the_financials_opens_only_with_the_permission_and_a_reason_in_the_same_save(certinia: Org) -> None:
    card = timecard(certinia, "2026-11-02", "2026-11-08", Monday=8)
    with certinia.open() as connector:
        upsert(connector, "pse__Timecard_Header__c", {"T-3": {**card, LOCK: True, "pse__Status__c": "Approved"}})
        change = {"pse__Monday_Hours__c": 6}
        [refused] = upsert(connector, "pse__Timecard_Header__c", {"T-3": change})
        assert refused.status == "failed"
        assert "Audit Notes" in str(refused.error)
        opened = {**change, "pse__Admin_Global_Edit__c": True, "pse__Audit_Notes__c": "Corrected by agreement"}
        [done] = upsert(connector, "pse__Timecard_Header__c", {"T-3": opened})
        [closed] = upsert(connector, "pse__Timecard_Header__c", {"T-3": {"pse__Monday_Hours__c": 5}})
    [row] = certinia.with_external_id("pse__Timecard_Header__c", "T-3")
    assert (done.status, closed.status, row["pse__Total_Hours__c"]) == ("updated", "failed", 6)


def test_a_batch_with_a_locked_record_leaves_it_alone_and_writes_the_others(certinia: Org) -> None:
    project = {"pse__Project__c": first_id(certinia, "pse__Proj__c")}
    with certinia.open() as connector:
        upsert(connector, "pse__Milestone__c", {"M-1": {**project, "Name": "Billed", LOCK: True}})
        names = {"M-1": "Changed", "M-2": "Two", "M-3": "Three"}
        outcomes = upsert(
            connector, "pse__Milestone__c", {key: {**project, "Name": name} for key, name in names.items()}
        )
    assert [outcome.status for outcome in outcomes] == ["failed", "created", "created"]
    assert certinia.with_external_id("pse__Milestone__c", "M-1")[0]["Name"] == "Billed"
