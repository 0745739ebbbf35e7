"""The shipped declarations of the simulated systems, carried out for real: sign in, read, find, write, fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from connectors import catalog
from connectors.base import Connector
from connectors.catalog import Declaration
from connectors.registry import open_connector
from connectors.simulators import crm_data, erp_data, hris_data, psa_data
from connectors.simulators.client import Control, Controls
from hub.common.errors import AuthError, TransientError
from hub.common.records import Record, StreamSpec, WriteItem

from .conftest import SECRETS

KINDS = {"crm": crm_data.KINDS, "psa": psa_data.KINDS, "hris": hris_data.KINDS, "erp": erp_data.KINDS}
SYSTEMS = tuple(KINDS)
# Streams that show a part of what the system keeps in one table.
TABLES = {
    "tasks": "stories",
    "milestones": "stories",
    "WonOpportunity": "Opportunity",
    "companies": "orgUnits",
    "costCenters": "orgUnits",
}


def declared(system: str) -> Declaration:
    return catalog.load_file(catalog.SHIPPED / f"sim_{system}.yaml")


@contextmanager
def opened(system: str, control: Control, **secrets: str) -> Iterator[Connector]:
    config = {"url": control.url, "allowed_networks": ["127.0.0.0/8"]}
    declaration = declared(system)
    config |= {name: field["default"] for name, field in declaration.config.items() if field["default"] is not None}
    connector = open_connector(declaration=declaration, config=config, secrets={**SECRETS[system], **secrets})
    with connector:
        yield connector


def read_all(connector: Connector, stream: str, cursor: str | None = None, **spec: Any) -> list[Record]:
    return [record for page in connector.read(StreamSpec(stream, **spec), cursor=cursor) for record in page.records]


def write_one(connector: Connector, stream: str, key: str, body: Record, operation: Any = "upsert", **more: Any) -> Any:
    return connector.write(StreamSpec(stream), [WriteItem(key, operation, body, **more)])[0]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_test_of_the_connection_says_who_we_are(systems: Controls, system: str) -> None:
    with opened(system, systems.all[system]) as connector:
        steps = list(connector.check())
    assert all(step.ok for step in steps), steps
    assert [step.name for step in steps] == ["resolve", "connect", "authenticate", "read"]
    assert any(words in steps[2].detail for words in ("Integration user", "Harrow & Vale"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_wrong_secret_is_told_in_the_systems_words(systems: Controls, system: str) -> None:
    wrong = dict.fromkeys(SECRETS[system], "wrong")
    with opened(system, systems.all[system], **wrong) as connector:
        failed = list(connector.check())[-1]
    assert (failed.name, failed.ok) == ("authenticate", False)
    assert failed.cause


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_stream_is_read_whole(small: Controls, system: str) -> None:
    control = small.all[system]
    with opened(system, control) as connector:
        for info in connector.discover():
            records = read_all(connector, info.name)
            assert len(records) == _expected(control, info.name) - _unreadable(system, info.name), info.name


def _expected(control: Control, stream: str) -> int:
    match stream:
        case "tasks" | "milestones":
            rows = control.state("stories")
            return sum((row["story_type"] == "milestone") is (stream == "milestones") for row in rows)
        case "companies" | "costCenters":
            kind = {"companies": "Company", "costCenters": "Cost Center"}[stream]
            return sum(row["kind"] == kind for row in control.state("orgUnits"))
        case "WonOpportunity":
            return sum(row["IsWon"] and bool(row["Legal_Entity__c"]) for row in control.state("Opportunity"))
    return control.counts()[stream]


def _unreadable(system: str, stream: str) -> int:
    """The entry with the NUL character is set aside as a bad record."""
    return int((system, stream) == ("psa", "time_entries"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_small_pages_give_the_same_records(systems: Controls, system: str) -> None:
    with opened(system, systems.all[system]) as connector:
        for info in connector.discover():
            assert read_all(connector, info.name, page_size=3) == read_all(connector, info.name), info.name


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_declared_fields_are_those_of_the_system(systems: Controls, system: str) -> None:
    names = {kind.name: {field.name for field in kind.fields} for kind in KINDS[system]}
    for stream, section in declared(system).streams.items():
        kind = TABLES.get(stream, stream)
        assert {name.partition(".")[0] for name in section["fields"]} <= names[kind]


@pytest.mark.parametrize(
    ("system", "stream", "key"),
    [
        ("crm", "Account", "C-1001"),
        ("psa", "workspaces", "NLL-101"),
        ("hris", "employees", "000421"),
        ("erp", "projects", "NLL-101"),
    ],
)
def test_a_second_reading_brings_only_what_changed(systems: Controls, system: str, stream: str, key: str) -> None:
    control = systems.all[system]
    with opened(system, control) as connector:
        first = list(connector.read(StreamSpec(stream), cursor=None))
        cursor = first[-1].cursor
        again = read_all(connector, stream, cursor)
        assert 1 <= len(again) < sum(len(page.records) for page in first)
        control.advance(3_600)
        _touch(connector, system)
        newest = [_key(system, record) for record in read_all(connector, stream, cursor)]
    assert newest[-1] == key
    assert set(newest) == {_key(system, record) for record in again} | {key}


def _key(system: str, record: Record) -> str:
    names = {"crm": "AccountNumber", "psa": "external_reference", "hris": "employeeNumber", "erp": "number"}
    return str(record[names[system]])


def _touch(connector: Connector, system: str) -> None:
    """Change one record, by the key that everybody knows."""
    match system:
        case "crm":
            ref = next(r["Id"] for r in read_all(connector, "Account") if r["AccountNumber"] == "C-1001")
            outcome = write_one(connector, "Account", "C-1001", {"Industry": "Logistics"}, "update", ref=ref)
        case "psa":
            outcome = write_one(connector, "workspaces", "NLL-101", {"title": "Depot planning, phase two"})
        case "hris":
            outcome = write_one(connector, "employees", "000421", {"jobTitle": "Director"})
        case _:
            outcome = write_one(connector, "projects", "NLL-101", {"displayName": "Depot planning, phase two"})
    assert outcome.status == "updated", outcome


@pytest.mark.parametrize(
    ("system", "stream", "key", "body"),
    [
        ("crm", "Account", "C-7", {"Name": "New client"}),
        ("psa", "workspaces", "NEW-1", {"title": "New project", "external_reference": "NEW-1"}),
        ("psa", "workspace_groups", "C-7", {"name": "New client", "external_reference": "C-7"}),
        (
            "hris",
            "employees",
            "000999",
            {"firstName": "Ida", "lastName": "Moss", "employeeNumber": "000999", "hireDate": "2026-12-01"},
        ),
        ("erp", "customers", "C-7", {"number": "C-7", "displayName": "New client"}),
        (
            "erp",
            "projects",
            "NEW-1",
            {"number": "NEW-1", "displayName": "New project", "customerNumber": "C-1001", "budgetRevenue": "1250.00"},
        ),
    ],
)
def test_an_upsert_creates_first_and_updates_then(
    systems: Controls, system: str, stream: str, key: str, body: Record
) -> None:
    control = systems.all[system]
    before = control.counts()[stream]
    with opened(system, control) as connector:
        first, second = write_one(connector, stream, key, body), write_one(connector, stream, key, body)
    assert (first.status, second.status) == ("created", "updated"), (first, second)
    assert first.ref == second.ref
    assert control.counts()[stream] == before + 1


def test_amounts_reach_the_erp_with_all_their_digits(systems: Controls) -> None:
    time = {
        "externalReference": "TS-1", "employeeNumber": "000421", "jobNumber": "NLL-101", "date": "2026-11-20",
        "quantity": "7.25", "unitPrice": "130.10", "unitCost": "54.00",
    }  # fmt: skip
    with opened("erp", systems.erp) as connector:
        outcome = write_one(connector, "timeRegistrationEntries", "TS-1", time, "create")
        found = connector.find(StreamSpec("timeRegistrationEntries"), ["TS-1", "TS-2"])
    assert outcome.status == "created"
    assert set(found) == {"TS-1"}
    assert (found["TS-1"]["quantity"], found["TS-1"]["lineAmount"]) == ("7.25", "943.22")


def test_a_second_create_in_the_erp_is_a_duplicate(systems: Controls) -> None:
    with opened("erp", systems.erp) as connector:
        body = {"number": "C-7", "displayName": "New client"}
        write_one(connector, "customers", "C-7", body, "create")
        again = write_one(connector, "customers", "C-7", body, "create")
    assert again.status == "failed"
    assert again.error is not None
    assert again.error.code == "DUPLICATE"


def test_finance_refusal_arrives_in_its_own_words(small: Controls) -> None:
    time = {
        "externalReference": "TS-1", "employeeNumber": "000470", "jobNumber": "NLL-104", "date": "2026-11-20",
        "quantity": "4.00",
    }  # fmt: skip
    with opened("erp", small.erp) as connector:
        outcome = write_one(connector, "timeRegistrationEntries", "TS-1", time)
    assert outcome.status == "failed"
    assert "Job NLL-104 is blocked" in str(outcome.error)


def test_a_write_whose_answer_is_lost_can_be_found(systems: Controls) -> None:
    systems.psa.add_fault("drop", method="POST", when="after")
    body = {"title": "New project", "external_reference": "NEW-1"}
    with opened("psa", systems.psa) as connector:
        lost = write_one(connector, "workspaces", "NEW-1", body, "create")
        found = connector.find(StreamSpec("workspaces"), ["NEW-1"])
    assert lost.status == "unsure"
    assert found["NEW-1"]["title"] == "New project"


def test_ids_keep_every_digit(systems: Controls) -> None:
    with opened("psa", systems.psa) as connector:
        ids = {record["id"] for record in read_all(connector, "time_entries")}
    assert "9007199254740993" in ids


def test_amounts_are_exact_text(small: Controls) -> None:
    with opened("crm", small.crm) as connector:
        amounts = {r["Deal_Number__c"]: r["Amount"] for r in read_all(connector, "Opportunity")}
    assert amounts["D-2001"] == "40100.299999999996"
    assert Decimal(amounts["D-2002"]) == 110_000


def test_a_nul_character_is_set_aside_and_the_rest_goes_on(small: Controls) -> None:
    with opened("psa", small.psa) as connector:
        bad = [bad for page in connector.read(StreamSpec("time_entries"), cursor=None) for bad in page.bad]
    assert ["NUL" in str(one.error) for one in bad] == [True]


@pytest.mark.parametrize("system", ["crm", "erp"])
def test_an_expired_token_is_renewed_in_passing(systems: Controls, system: str) -> None:
    stream = {"crm": "Account", "erp": "customers"}[system]
    with opened(system, systems.all[system]) as connector:
        read_all(connector, stream)
        fault = systems.all[system].add_fault("expire_token", path=stream)
        assert read_all(connector, stream)
    assert systems.all[system].fired(fault) == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_throttling_says_when_to_come_back(systems: Controls, system: str) -> None:
    stream = {"crm": "Account", "psa": "users", "hris": "employees", "erp": "customers"}[system]
    with opened(system, systems.all[system]) as connector:
        read_all(connector, stream)
        systems.all[system].add_fault("throttle", retry_after=5)
        with pytest.raises(TransientError) as caught:
            read_all(connector, stream)
    assert caught.value.retry_after == 5


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("kind", ["drop", "partial", "truncate", "status"])
def test_a_broken_answer_is_transient(systems: Controls, system: str, kind: str) -> None:
    stream = {"crm": "Account", "psa": "users", "hris": "employees", "erp": "customers"}[system]
    with opened(system, systems.all[system]) as connector:
        read_all(connector, stream)
        systems.all[system].add_fault(kind, times=None)
        with pytest.raises(TransientError):
            read_all(connector, stream)


def test_a_refused_key_is_an_auth_error(systems: Controls) -> None:
    with opened("psa", systems.psa, token="wrong") as connector, pytest.raises(AuthError):
        read_all(connector, "users")
