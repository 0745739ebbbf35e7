"""Trouble on the wire: it strikes whom it should, as often as it should, and can prove it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connectors.simulators.client import ControlError, Controls

from .conftest import crm_client, erp_client, hris_client, psa_client

NEW_PROJECT = {"workspace": {"title": "New project", "external_reference": "NEW-1"}}


def test_a_status_is_answered_in_the_systems_own_shape(systems: Controls) -> None:
    fault = systems.psa.add_fault("status", status=503, retry_after=4)
    with psa_client(systems) as client:
        answer = client.get("/users")
        assert client.get("/users").status_code == 200
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "4")
    assert answer.json()["errors"][0]["type"] == "system"
    assert systems.psa.fired(fault) == 1


@pytest.mark.parametrize(
    ("make", "control", "path", "status"),
    [
        (crm_client, "crm", "/limits", 403),
        (psa_client, "psa", "/users", 429),
        (hris_client, "hris", "/employees", 503),
        (erp_client, "erp", "/customers", 429),
    ],
)
def test_each_system_throttles_in_its_own_way(
    systems: Controls, make: Any, control: str, path: str, status: int
) -> None:
    with make(systems) as client:
        systems.all[control].add_fault("throttle", retry_after=3)
        assert client.get(path).status_code == status
        assert client.get(path).status_code == 200


def test_a_fault_strikes_only_what_fits(systems: Controls) -> None:
    fault = systems.psa.add_fault("status", method="POST", path="/workspaces", body="NEW-1", times=None)
    with psa_client(systems) as client:
        assert client.get("/workspaces").status_code == 200
        assert client.post("/users", json={"user": {}}).status_code == 422
        assert client.post("/workspaces", json={"workspace": {"title": "Other"}}).status_code == 200
        assert client.post("/workspaces", json=NEW_PROJECT).status_code == 503
    assert [(f["matched"], f["fired"]) for f in systems.psa.faults() if f["id"] == fault] == [(1, 1)]


def test_the_first_requests_may_be_spared(systems: Controls) -> None:
    systems.psa.add_fault("status", skip=2, times=2)
    with psa_client(systems) as client:
        assert [client.get("/users").status_code for _ in range(6)] == [200, 200, 503, 503, 200, 200]


def test_chance_is_the_same_in_every_run(systems: Controls) -> None:
    def rounds() -> list[int]:
        systems.reset()
        systems.psa.add_fault("status", probability=0.5, times=None)
        with psa_client(systems) as client:
            return [client.get("/users").status_code for _ in range(12)]

    first = rounds()
    assert set(first) == {200, 503}
    assert rounds() == first


def test_a_connection_that_drops_before_leaves_nothing_behind(systems: Controls) -> None:
    systems.psa.add_fault("drop", method="POST")
    with psa_client(systems) as client, pytest.raises(httpx.TransportError):
        client.post("/workspaces", json=NEW_PROJECT)
    assert not [row for row in systems.psa.state("workspaces") if row["external_reference"] == "NEW-1"]


def test_a_connection_that_drops_after_leaves_the_write_behind(systems: Controls) -> None:
    fault = systems.psa.add_fault("drop", method="POST", when="after")
    with psa_client(systems) as client, pytest.raises(httpx.TransportError):
        client.post("/workspaces", json=NEW_PROJECT)
    assert len([row for row in systems.psa.state("workspaces") if row["external_reference"] == "NEW-1"]) == 1
    assert systems.psa.fired(fault) == 1
    assert systems.psa.journal(method="POST")[-1]["status"] == 0


def test_an_answer_may_stop_in_the_middle(systems: Controls) -> None:
    systems.psa.add_fault("partial", keep_bytes=30)
    with psa_client(systems) as client, pytest.raises(httpx.TransportError):
        client.get("/users")


def test_an_answer_may_be_complete_and_yet_cut(systems: Controls) -> None:
    systems.psa.add_fault("truncate", keep_bytes=100)
    with psa_client(systems) as client:
        answer = client.get("/users")
    assert answer.status_code == 200
    assert len(answer.content) == 100
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(("status", "words"), [(200, "Sign in"), (503, "Scheduled maintenance")])
def test_a_page_may_come_instead_of_data(systems: Controls, status: int, words: str) -> None:
    systems.psa.add_fault("html", status=status)
    with psa_client(systems) as client:
        answer = client.get("/users")
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert words in answer.text


@pytest.mark.parametrize("make", [crm_client, erp_client])
def test_an_expired_token_stays_expired(systems: Controls, make: Any) -> None:
    control, path = (systems.crm, "/limits") if make is crm_client else (systems.erp, "/customers")
    with make(systems) as client:
        control.add_fault("expire_token")
        assert [client.get(path).status_code for _ in range(2)] == [401, 401]
    with make(systems) as renewed:
        assert renewed.get(path).status_code == 200


def test_latency_delays_and_then_answers(systems: Controls) -> None:
    systems.psa.add_fault("latency", seconds=0.05)
    with psa_client(systems) as client:
        assert client.get("/users").status_code == 200
    assert systems.psa.journal()[-1]["seconds"] >= 0.05


def test_latency_and_an_error_may_come_together(systems: Controls) -> None:
    systems.psa.add_fault("latency", seconds=0.02)
    systems.psa.add_fault("status", status=500)
    with psa_client(systems) as client:
        assert client.get("/users").status_code == 500
    assert len(systems.psa.journal()[-1]["faults"]) == 2


@pytest.mark.parametrize("spec", [{"kind": "fire"}, {"kind": "status", "colour": 1}, {"kind": "status", "path": "("}])
def test_a_fault_that_makes_no_sense_is_refused(systems: Controls, spec: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        systems.psa.add_fault(**spec)


def test_faults_end_when_they_are_cleared(systems: Controls) -> None:
    systems.psa.add_fault("status", times=None)
    systems.psa.clear_faults()
    with psa_client(systems) as client:
        assert client.get("/users").status_code == 200
