"""Bulk jobs: large reads and writes that the org works through by itself."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from connectors.jobs import MemoryBook
from connectors.rest.bulk import Jobs
from hub.common.errors import TransientError
from hub.common.records import Record, StreamSpec, WriteItem

from .tools import Org, read_all, upsert

FAST = {"poll_seconds": 0, "read_above": 1, "write_above": 1}


class Killed(BaseException):
    """The end of the worker: nothing catches it."""


def opened(org: Org, **bulk: Any) -> Any:
    return org.open(bulk={**FAST, **bulk})


def people(count: int, **more: Any) -> dict[str, dict[str, Any]]:
    return {f"B-{n}": {"LastName": f"Name {n}", **more} for n in range(count)}


def jobs_made(org: Org, kind: str = "ingest") -> int:
    return len(org.calls(f"/jobs/{kind}$", method="POST"))


def compared(record: Record, kinds: Mapping[str, Any]) -> Record:
    """The declared fields; amounts by their value, for one way writes 338.0 where the other writes 338.00."""
    names = {name: kind if isinstance(kind, str) else kind["type"] for name, kind in kinds.items()}
    return {
        name: Decimal(value) if names[name] == "decimal" and value is not None else value
        for name, value in record.items()
        if name in names
    }


# Reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["Account", "Opportunity", "PricebookEntry", "User", "Contract"])
def test_a_job_reads_what_the_usual_pages_read(salesforce: Org, stream: str) -> None:
    with salesforce.open() as connector:
        usual = read_all(connector, stream)
    kinds = connector.declaration.streams[stream]["fields"]
    with opened(salesforce, read_above=0, page_size=2) as connector:
        pages = list(connector.read(StreamSpec(stream), cursor=None))
    by_job = [record for page in pages for record in page.records]
    assert [compared(record, kinds) for record in by_job] == [compared(record, kinds) for record in usual]
    assert pages[-1].cursor == usual[-1]["SystemModstamp"]
    assert pages[-1].resume is None
    assert jobs_made(salesforce, "query") == 1


def test_what_is_small_makes_no_job(salesforce: Org) -> None:
    with opened(salesforce, read_above=1000) as connector:
        assert read_all(connector, "PricebookEntry")
    assert jobs_made(salesforce, "query") == 0


def test_a_worker_that_takes_over_goes_on_with_the_same_job_and_page(salesforce: Org) -> None:
    salesforce.control.settings(job_steps=3)
    with opened(salesforce, page_size=6) as connector:
        pages = connector.read(StreamSpec("PricebookEntry"), cursor=None)
        begun = next(pages)
        assert (list(begun.records), begun.resume["locator"]) == ([], "")
    with opened(salesforce, page_size=6) as connector:
        pages = connector.read(StreamSpec("PricebookEntry"), cursor=None, resume=begun.resume)
        first = next(pages)
    with opened(salesforce, page_size=6) as connector:
        rest = list(connector.read(StreamSpec("PricebookEntry"), cursor=None, resume=first.resume))
    seen = [record["Id"] for page in (first, *rest) for record in page.records]
    assert sorted(seen) == sorted(row["Id"] for row in salesforce.rows("PricebookEntry"))
    assert jobs_made(salesforce, "query") == 1


def test_a_job_whose_results_are_gone_is_made_anew(salesforce: Org) -> None:
    with opened(salesforce) as connector:
        begun = next(connector.read(StreamSpec("User"), cursor=None))
        salesforce.simulator.jobs.clear()
        pages = connector.read(StreamSpec("User"), cursor=None, resume=begun.resume)
        assert len([record for page in pages for record in page.records]) == len(salesforce.rows("User"))


def test_a_job_that_takes_too_long_is_asked_again_later(salesforce: Org) -> None:
    salesforce.control.settings(job_steps=1000)
    with opened(salesforce, wait_seconds=0) as connector:
        pages = connector.read(StreamSpec("User"), cursor=None)
        begun = next(pages)
        with pytest.raises(TransientError, match="still works"):
            next(pages)
    salesforce.control.settings(job_steps=1)
    with opened(salesforce) as connector:
        assert [page for page in connector.read(StreamSpec("User"), cursor=None, resume=begun.resume) if page.records]
    assert jobs_made(salesforce, "query") == 1


# Writing -----------------------------------------------------------------------------------------------------------


def test_a_large_write_is_one_job_and_twice_the_same_is_one_object(salesforce: Org) -> None:
    records = people(30)
    with opened(salesforce) as connector:
        first = upsert(connector, "Contact", records)
        again = upsert(connector, "Contact", {**records, "B-0": {"LastName": "Other"}})
    assert {outcome.status for outcome in first} == {"created"}
    assert {outcome.status for outcome in again} == {"updated"}
    assert jobs_made(salesforce) == 2
    assert salesforce.calls("/sobjects/Contact", method="PATCH") == []
    rows = {row["Hub_External_Id__c"]: row for row in salesforce.rows("Contact") if row["Hub_External_Id__c"]}
    assert {outcome.key: outcome.ref for outcome in first} == {key: row["Id"] for key, row in rows.items()}
    assert {outcome.ref for outcome in again} == {row["Id"] for row in rows.values()}
    assert rows["B-0"]["LastName"] == "Other"


def test_rows_that_the_job_refuses_have_the_orgs_own_words_and_the_others_are_written(salesforce: Org) -> None:
    records = {
        **people(4),
        "BAD": {"LastName": "x" * 100},
        "LOST": {"LastName": "L", "AccountId": "001HV0000000999YAA"},
    }
    with opened(salesforce) as connector:
        outcomes = {outcome.key: outcome for outcome in upsert(connector, "Contact", records)}
    assert {key for key, outcome in outcomes.items() if outcome.status == "created"} == set(people(4))
    assert "may have 80 characters" in str(outcomes["BAD"].error)
    assert "could not be found" in str(outcomes["LOST"].error)


def test_a_row_that_was_locked_is_tried_again(salesforce: Org) -> None:
    salesforce.control.settings(locked_writes=1)
    with opened(salesforce) as connector:
        outcomes = upsert(connector, "Contact", people(3))
        assert [outcome.status for outcome in outcomes] == ["failed", "created", "created"]
        assert isinstance(outcomes[0].error, TransientError)
        [again] = upsert(connector, "Contact", {"B-0": people(1)["B-0"]})
    assert again.status == "created"


def test_nothing_empties_a_field_and_text_of_every_kind_arrives_as_it_was(salesforce: Org) -> None:
    odd = 'Zoë "Q",\nsecond line 🐝'
    with opened(salesforce) as connector:
        upsert(connector, "Contact", people(2, Title="Boss", Phone="1"))
        upsert(connector, "Contact", {"B-0": {"LastName": odd, "Title": None}, "B-1": {"LastName": "B", "Phone": "2"}})
    [first], [second] = (salesforce.with_external_id("Contact", key) for key in ("B-0", "B-1"))
    assert (first["LastName"], first["Title"], first["Phone"]) == (odd, None, "1")
    assert (second["Title"], second["Phone"]) == ("Boss", "2")


def test_an_upload_that_is_too_large_becomes_two_jobs(salesforce: Org) -> None:
    with opened(salesforce, max_bytes=1000) as connector:
        outcomes = upsert(connector, "Contact", people(100))
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert jobs_made(salesforce) == 2
    assert len([row for row in salesforce.rows("Contact") if row["Hub_External_Id__c"]]) == 100


def test_a_deletion_travels_beside_a_job(salesforce: Org) -> None:
    with opened(salesforce) as connector:
        [made] = upsert(connector, "Contact", {"OLD": {"LastName": "Old"}})
        items = [WriteItem(key, "upsert", body) for key, body in people(3).items()]
        outcomes = connector.write(StreamSpec("Contact"), [WriteItem("OLD", "delete", {}, ref=made.ref), *items])
    assert [outcome.status for outcome in outcomes] == ["updated", "created", "created", "created"]
    assert salesforce.with_external_id("Contact", "OLD") == []


# A worker that dies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["upload", "change", "wait", "rows"])
def test_after_a_death_at_any_step_nothing_is_lost_or_doubled(
    salesforce: Org, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the dead worker remembered is all that is left of it."""
    book, records = MemoryBook(), people(20)
    original = getattr(Jobs, step)

    def dies(self: Jobs, *arguments: Any, **named: Any) -> Any:
        if step == "change":
            original(self, *arguments, **named)
        raise Killed

    monkeypatch.setattr(Jobs, step, dies)
    with opened(salesforce) as connector:
        connector.jobs = book
        with pytest.raises(Killed):
            upsert(connector, "Contact", records)
    monkeypatch.setattr(Jobs, step, original)
    assert book.find("Contact", ["*"])
    with opened(salesforce) as connector:
        connector.jobs = book
        outcomes = upsert(connector, "Contact", records)
    rows = [row for row in salesforce.rows("Contact") if row["Hub_External_Id__c"]]
    assert sorted(row["Hub_External_Id__c"] for row in rows) == sorted(records)
    assert {outcome.ref for outcome in outcomes} == {row["Id"] for row in rows}
    # a job that had its data is asked; one that never got it is called off and another one is made
    assert jobs_made(salesforce) == (2 if step == "upload" else 1)
    assert {outcome.status for outcome in outcomes} == {"created"}


def test_a_newer_version_waits_for_the_job_that_a_dead_worker_left(
    salesforce: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = MemoryBook()

    def dies(self: Jobs, *arguments: Any) -> Any:
        raise Killed

    with opened(salesforce) as connector, monkeypatch.context() as patch:
        connector.jobs = book
        patch.setattr(Jobs, "wait", dies)
        with pytest.raises(Killed):
            upsert(connector, "Contact", people(3))
    with opened(salesforce) as connector:
        connector.jobs = book
        [newer] = upsert(connector, "Contact", {"B-0": {"LastName": "Newer"}})
    assert newer.status == "updated"
    [row] = salesforce.with_external_id("Contact", "B-0")
    assert row["LastName"] == "Newer"


def test_a_job_is_asked_for_all_its_rows_even_where_they_come_back_in_portions(
    salesforce: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, records = MemoryBook(), people(20)

    def dies(self: Jobs, *arguments: Any) -> Any:
        raise Killed

    with opened(salesforce) as connector, monkeypatch.context() as patch:
        connector.jobs = book
        patch.setattr(Jobs, "wait", dies)
        with pytest.raises(Killed):
            upsert(connector, "Contact", records)
    names = list(records)
    with opened(salesforce) as connector:
        connector.jobs = book
        portions = (names[:3], names[3:12], names[12:])
        outcomes = [o for part in portions for o in upsert(connector, "Contact", {key: records[key] for key in part})]
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert len(salesforce.calls("/batches$", method="PUT")) == 1
    assert book.find("Contact", ["*"]) == {}
