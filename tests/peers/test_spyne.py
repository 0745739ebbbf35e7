"""A SOAP service that runs on spyne: its own WSDL is read, its people are read and written, its faults understood."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import catalog
from connectors.base import Connector
from connectors.registry import open_connector
from hub.cli.paths import ROOT
from hub.common.errors import AuthError, RecordError
from hub.common.records import StreamSpec, WriteItem
from tests.connectors.tools import LOOPBACK, read_all, read_pages

PYTHON = ROOT / ".peers" / "spyne" / "bin" / "python"
SERVICE = Path(__file__).with_name("spyne_service.py")
PASSWORD = "peer-password"
PEOPLE = StreamSpec("people")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(
        not PYTHON.exists(),
        reason=f"not run: spyne is not installed (.ci/install-peers; it needs Python 3.11, this is {sys.version[:4]})",
    ),
]


@pytest.fixture
def address() -> Iterator[str]:
    command = [str(PYTHON), "-W", "ignore", str(SERVICE)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdecimal(), "the service did not start"
        yield f"http://127.0.0.1:{port}"
        process.communicate()


def register(address: str, *, password: str = PASSWORD) -> Connector:
    people = {
        "operation": "list_people",
        "records": "list_peopleResult.people.Person",
        "key": "number",
        "paging": {
            "type": "page",
            "page_param": "page",
            "size_param": "count",
            "pages_path": "list_peopleResult.pages",
        },
        "incremental": {"cursor": "changed_at", "request": {"since": "${cursor}"}},
        "find": {"operation": "list_people", "request": {"number": "${key}"}, "key": "number"},
        "write": {
            "upsert": {
                "operation": "put_person",
                "request": {"person": "${body}"},
                "ref": "put_personResult",
                "safety": "B",
            }
        },
    }
    declaration = catalog.parse(
        {
            "name": "register",
            "label": "Register",
            "category": "hris",
            "protocol": "soap",
            "time_zone": "UTC",
            "config": {"password": {"title": "Password", "type": "secret"}},
            "base_url": address,
            "soap": {"wsdl": f"{address}/?wsdl"},
            "auth": {"type": "basic", "username": "hub", "password": "${secret.password}"},
            "streams": {"people": people},
        }
    )
    return open_connector(
        declaration=declaration, config={"allowed_networks": LOOPBACK}, secrets={"password": password}
    )


def item(number: str, **fields: Any) -> WriteItem:
    return WriteItem(number, "upsert", {"number": number, "family_name": "New", **fields})


def test_the_account_is_tested_and_a_wrong_password_refused(address):
    with register(address) as connector:
        steps = list(connector.check())
    with register(address, password="wrong password") as connector:
        refused = list(connector.check())[-1]
        with pytest.raises(AuthError):
            read_all(connector, PEOPLE)
    assert all(step.ok for step in steps), steps
    assert (refused.ok, bool(refused.fix)) == (False, True)


def test_the_wsdl_tells_the_fields(address):
    with register(address) as connector:
        (info,) = connector.discover()
    assert {field.path: field.type for field in info.fields} == {
        "number": "string", "given_name": "string", "family_name": "string", "email": "string", "hours": "decimal",
        "is_active": "boolean", "hired_on": "date", "changed_at": "date-time",
    }  # fmt: skip


def test_everybody_is_read_once_although_the_service_cuts_the_pages(address):
    with register(address) as connector:
        pages = read_pages(connector, StreamSpec("people", page_size=20))
        small = read_all(connector, StreamSpec("people", page_size=7))
    records = [record for page in pages for record in page.records]
    assert [record["number"] for record in records] == [f"{n:06d}" for n in range(1, 56)]
    assert small == records
    assert records[1]["is_active"] is True
    assert (records[0]["hours"], records[0]["hired_on"]) == ("37.50", "2020-01-02")


def test_the_cursor_leads_to_what_changed_since(address):
    with register(address) as connector:
        cursor = read_pages(connector, PEOPLE)[-1].cursor
        assert [record["number"] for record in read_all(connector, PEOPLE, cursor)] == ["000055"]


def test_an_upsert_twice_is_one_person(address):
    with register(address) as connector:
        outcomes = [connector.write(PEOPLE, [item("900001", given_name="Zoë", hours="12.25")])[0] for _ in range(2)]
        found = connector.find(PEOPLE, ["900001", "900002"])
        assert len(read_all(connector, PEOPLE)) == 56
    assert [(outcome.status, outcome.ref) for outcome in outcomes] == [("updated", "900001")] * 2
    assert {key: (record["given_name"], record["hours"]) for key, record in found.items()} == {
        "900001": ("Zoë", "12.25")
    }


def test_a_fault_hits_its_record_alone(address):
    names = {"900001": "One", "900002": "bad", "900003": "Three"}
    with register(address) as connector:
        outcomes = connector.write(PEOPLE, [item(key, family_name=name) for key, name in names.items()])
        assert set(connector.find(PEOPLE, list(names))) == {"900001", "900003"}
    assert [outcome.status for outcome in outcomes] == ["updated", "failed", "updated"]
    assert isinstance(outcomes[1].error, RecordError)
    assert "The family name is bad." in str(outcomes[1].error)


def test_what_the_service_s_own_schema_refuses_is_about_the_record(address):
    with register(address) as connector:
        outcome = connector.write(PEOPLE, [item("900001", hired_on="1 May")])[0]
    assert isinstance(outcome.error, RecordError)
    assert "hired_on" in str(outcome.error)
