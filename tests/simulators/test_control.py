"""The control plane: data, clock, settings, drift and the journal."""

from __future__ import annotations

import pytest

from connectors.simulators.client import Control, ControlError, Controls

from .conftest import TODAY, crm_client, erp_client, psa_client


def test_health_tells_what_is_loaded(systems: Controls) -> None:
    health = systems.psa.health()
    assert (health["system"], health["profile"], health["today"]) == ("psa", "tiny", TODAY.isoformat())
    assert health["objects"]["time_entries"] == 60


def test_seeding_twice_gives_the_same_data(systems: Controls) -> None:
    first = {name: systems.psa.state(name) for name in systems.psa.counts()}
    systems.psa.seed("tiny", today=TODAY.isoformat())
    assert {name: systems.psa.state(name) for name in systems.psa.counts()} == first


def test_seeding_without_a_day_uses_the_clock(systems: Controls) -> None:
    systems.psa.set_clock("2027-03-09T12:00:00Z")
    systems.psa.seed("tiny")
    assert systems.psa.health()["today"] == "2027-03-09"
    assert max(row["date_performed"] for row in systems.psa.state("time_entries")) == "2027-03-08"
    systems.psa.seed("tiny", today=TODAY.isoformat())


def test_reset_takes_everything_back(systems: Controls) -> None:
    with psa_client(systems) as client:
        client.post("/workspaces", json={"workspace": {"title": "New"}}).raise_for_status()
    systems.psa.add_fault("status", times=None)
    systems.psa.drift("users", "headline", "drop")
    systems.psa.settings(page_limit=3)
    systems.psa.reset()
    assert systems.psa.counts()["workspaces"] == 3
    assert systems.psa.faults() == systems.psa.journal() == []
    with psa_client(systems) as client:
        users = client.get("/users").json()
    assert len(users["results"]) == 4
    assert "headline" in users["users"]["60003"]


def test_new_records_get_the_same_ids_after_a_reset(systems: Controls) -> None:
    def create() -> str:
        with psa_client(systems) as client:
            return str(client.post("/workspaces", json={"workspace": {"title": "New"}}).json()["results"][0]["id"])

    first = create()
    systems.psa.reset()
    assert create() == first


def test_the_clock_is_one_for_all_systems(systems: Controls) -> None:
    systems.crm.freeze()
    systems.hris.set_clock("2027-01-31T23:59:59Z")
    systems.erp.advance(2)
    assert [control.now() for control in systems.all.values()] == ["2027-02-01T00:00:01+00:00"] * 4


def test_a_clock_that_is_let_go_runs_on_from_where_it_stood(systems: Controls) -> None:
    systems.crm.freeze()
    systems.crm.set_clock("2030-01-01T00:00:00Z")
    systems.crm.call("POST", "clock", {"freeze": False})
    assert systems.crm.now().startswith("2030-01-01T00:0")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("seed", {"profile": "enormous"}),
        ("seed", {"today": "24.11.2026"}),
        ("clock", {"set": "2027-01-01T00:00:00"}),
        ("settings", {"colour": 1}),
        ("drift", {"object": "users", "field": "headline", "action": "shout"}),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(systems: Controls, path: str, body: dict[str, str]) -> None:
    with pytest.raises(ControlError):
        systems.psa.call("POST", path, body)


def test_what_is_not_there_is_said_so(systems: Controls) -> None:
    with pytest.raises(ControlError, match="no GET weather"):
        systems.psa.call("GET", "weather")


def test_the_journal_tells_who_asked_for_what(systems: Controls) -> None:
    with psa_client(systems) as client:
        client.get("/users", params={"per_page": 2})
        client.post("/workspaces", json={"workspace": {}}, headers={"Idempotency-Key": "k-1"})
    listed, refused = systems.psa.journal()
    assert (listed["method"], listed["target"], listed["status"]) == ("GET", "/api/v1/users?per_page=2", 200)
    assert (refused["status"], refused["headers"]["idempotency-key"]) == (422, "k-1")
    assert refused["body"] == '{"workspace":{}}'


def test_the_journal_keeps_no_credentials(systems: Controls) -> None:
    with crm_client(systems) as client:
        client.get("/limits")
    text = repr(systems.crm.journal())
    assert "demo-crm-secret" not in text
    assert "Bearer" not in text


def test_the_journal_is_narrowed_and_cleared(systems: Controls) -> None:
    with psa_client(systems) as client:
        client.get("/users")
        client.get("/nothing")
    first, second = systems.psa.journal()
    assert systems.psa.journal(status="4") == [second]
    assert systems.psa.journal(path="/users") == [first]
    assert systems.psa.journal(since=first["n"]) == [second]
    systems.psa.clear_journal()
    assert systems.psa.journal(method="GET") == []


def test_a_model_may_drift_without_notice(systems: Controls) -> None:
    systems.psa.drift("users", "headline", "rename", "job_title")
    systems.psa.drift("users", "disabled", "text")
    systems.psa.drift("users", "region", "set", "north")
    with psa_client(systems) as client:
        user = client.get("/users/60003").json()["users"]["60003"]
    assert user["job_title"] == "Partner"
    assert "headline" not in user
    assert (user["disabled"], user["region"]) == ("False", "north")
    assert systems.psa.state("users")[0]["headline"] == "Partner"


def test_a_field_that_drifted_away_cannot_be_asked_for(systems: Controls) -> None:
    systems.crm.drift("Account", "Industry", "rename", "Sector__c")
    with crm_client(systems) as client:
        assert client.get("/query", params={"q": "SELECT Industry FROM Account"}).status_code == 400
        record = client.get("/query", params={"q": "SELECT Sector__c FROM Account"}).json()["records"][0]
    assert record["Sector__c"] == "Transport"


def test_writes_are_seen_by_the_oracle(systems: Controls) -> None:
    with erp_client(systems) as client:
        client.post("/customers", json={"number": "C-9", "displayName": "Nine"}).raise_for_status()
    assert [row["displayName"] for row in systems.erp.state("customers") if row["number"] == "C-9"] == ["Nine"]


def test_a_system_that_is_not_there_has_no_control(systems: Controls) -> None:
    with pytest.raises(OSError, match="refused"):
        Control("http://127.0.0.1:1").health()
