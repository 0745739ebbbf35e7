"""BambooHR through its shipped declaration: the report, the pull of changes, writing, refusals in a header, webhooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.base import Connector
from hub.common.errors import AuthError, RecordError, TransientError
from hub.common.records import StreamSpec, WriteItem
from hub.webhooks.models import Endpoint
from hub.webhooks.schemes import Incoming, Refused, verify
from tests.simulators.vendors import Vendor, running

NEW = {"firstName": "Ida", "lastName": "Moss", "employeeNumber": "000999", "hireDate": "2026-12-01"}


@pytest.fixture
def bamboo() -> Iterator[Vendor]:
    with running("bamboohr") as vendor:
        yield vendor


@pytest.fixture
def connector(bamboo: Vendor) -> Iterator[Connector]:
    with bamboo.connect() as found:
        yield found


def test_the_account_says_whose_it_is(bamboo, connector):
    steps = list(connector.check())
    assert all(step.ok for step in steps), steps
    assert "Integration user" in steps[2].detail


def test_a_wrong_key_is_refused_in_the_words_of_the_header(bamboo):
    with bamboo.connect(api_key="wrong-key") as connector:
        last = list(connector.check())[-1]
        with pytest.raises(AuthError):
            bamboo.read(connector, "employees")
    assert (last.ok, last.cause) == (False, "Invalid API key")


def test_every_object_is_read_whole(bamboo, connector):
    firm = bamboo.simulator.firm
    employees = bamboo.read(connector, "employees")
    assert len(employees) == len(firm.people)
    assert {record["employeeNumber"] for record in employees} == {person.number for person in firm.people}
    assert len(bamboo.read(connector, "time_off")) == len(firm.absences)
    assert bamboo.read(connector, "timesheet_entries") == []


def test_a_second_reading_brings_only_who_changed(bamboo, connector):
    cursor = bamboo.pages(connector, "employees")[-1].cursor
    bamboo.control.advance(3_600)
    ref = next(key for key, row in bamboo.rows("employees").items() if row["lastChanged"] != cursor)
    bamboo.write(connector, "employees", "x", {"jobTitle": "Director"}, "update", ref=ref)
    found = bamboo.read(connector, "employees", cursor)
    assert found[-1]["jobTitle"] == "Director"
    assert len(found) < len(bamboo.rows("employees"))


def test_the_pull_of_changes_starts_where_the_last_answer_said(bamboo, connector):
    pages = bamboo.pages(connector, "changes")
    assert len(pages[0].records) == len(bamboo.rows("employees"))
    assert pages[-1].cursor == "2026-11-24T12:00:00+00:00"
    bamboo.control.advance(3_600)
    changed, removed = list(bamboo.rows("employees"))[:2]
    bamboo.write(connector, "employees", "x", {"jobTitle": "Director"}, "update", ref=changed)
    bamboo.control.act("remove", employee=removed)
    found = bamboo.pages(connector, "changes", pages[-1].cursor)
    assert {record["id"]: record["action"] for page in found for record in page.records} == {
        changed: "Updated",
        removed: "Deleted",
    }
    assert bamboo.read(connector, "changes", "2026-12-01T00:00:00+00:00") == []


def test_an_upsert_twice_is_one_employee(bamboo, connector):
    outcomes = [bamboo.write(connector, "employees", "000999", NEW) for _ in range(2)]
    assert [outcome.status for outcome in outcomes] == ["created", "updated"], outcomes
    assert outcomes[0].ref == outcomes[1].ref
    assert [row["employeeNumber"] for row in bamboo.rows("employees").values()].count("000999") == 1


def test_a_refusal_hits_its_record_and_says_why(bamboo, connector):
    taken = next(row["workEmail"] for row in bamboo.rows("employees").values())
    bodies = {
        "1": {**NEW, "employeeNumber": "1"},
        "2": {**NEW, "employeeNumber": "2", "hireDate": "1 May"},
        "3": {**NEW, "employeeNumber": "3", "workEmail": taken},
    }
    items = [WriteItem(key, "create", body) for key, body in bodies.items()]
    outcomes = connector.write(StreamSpec("employees"), items)
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "failed"]
    assert all(isinstance(outcome.error, RecordError) for outcome in outcomes[1:])
    assert "Invalid date in hireDate" in str(outcomes[1].error)
    assert outcomes[2].error.code == "DUPLICATE"


def test_a_create_whose_answer_is_lost_can_be_found(bamboo, connector):
    bamboo.control.add_fault("drop", when="after", method="POST", path="/employees$")
    lost = bamboo.write(connector, "employees", "000999", NEW, "create")
    assert lost.status == "unsure"
    assert connector.find(StreamSpec("employees"), ["000999"])["000999"]["lastName"] == "Moss"


def test_throttling_says_when_to_come_back(bamboo, connector):
    bamboo.read(connector, "employees")
    bamboo.control.add_fault("throttle", retry_after=7)
    with pytest.raises(TransientError) as caught:
        bamboo.read(connector, "employees")
    assert (caught.value.retry_after, "Limit Exceeded" in str(caught.value)) == (7, True)


def _endpoint(bamboo: Vendor, signed_text: str) -> Endpoint:
    """A webhook as the declaration describes it, with one of the ways to sign."""
    declared = bamboo.declaration.body["webhook"]
    assert signed_text in declared["signed_text"]
    names = ("scheme", "proof_name", "timestamp_name", "encoding")
    endpoint = Endpoint(signed_text=signed_text, tolerance_seconds=300, **{name: declared[name] for name in names})
    return endpoint


def test_a_webhook_is_proven_as_the_declaration_says(bamboo, monkeypatch):
    url = "http://127.0.0.1:9/hook"
    bamboo.simulator.webhooks[url] = {"privateKey": "demo-private-key-0001"}
    headers, body = bamboo.simulator.message(url, "101", {"jobTitle": "Director"})
    incoming = Incoming({name.lower(): value for name, value in headers.items()}, {}, body)
    monkeypatch.setattr(Endpoint, "live_secrets", ["demo-private-key-0001"])
    now = bamboo.simulator.clock.now().timestamp()
    assert verify(_endpoint(bamboo, "body_time"), incoming, now=now).signed.startswith(body)
    with pytest.raises(Refused, match="does not fit"):
        verify(_endpoint(bamboo, "body"), incoming, now=now)
    with pytest.raises(Refused, match="away from now"):
        verify(_endpoint(bamboo, "body_time"), incoming, now=now + 3_600)
