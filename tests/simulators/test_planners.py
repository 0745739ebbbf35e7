"""The peculiarities of the simulated planners, asked as a client that knows nothing of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from connectors.certification.rehearsal import simulator_of
from connectors.simulators.client import Control
from connectors.simulators.clock import Clock
from connectors.simulators.wire import SimulatorServer

from .conftest import NO_TLS, TODAY

AGENT = {"User-Agent": "Test (hub@example.com)"}
HEADERS = {
    "kantata": {"Authorization": "Bearer kantata-rehearsal-token"},
    "harvest": {"Authorization": "Bearer harvest-rehearsal-token", "Harvest-Account-Id": "990011", **AGENT},
    "float": {"Authorization": "Bearer float-rehearsal-token", **AGENT},
    "runn": {"Authorization": "Bearer runn-rehearsal-token", "Accept-Version": "1.0.0"},
    "openair": {},
}
BASES = {"kantata": "/api/v1", "harvest": "/v2", "float": "/v3", "runn": "", "openair": "/rest/v1"}
REFRESH = {
    "grant_type": "refresh_token",
    "client_id": "openair-rehearsal",
    "client_secret": "openair-rehearsal-secret",
    "refresh_token": "openair-refresh-1",
}


@contextmanager
def system(name: str) -> Iterator[tuple[httpx.Client, Control]]:
    kind = simulator_of(name)
    assert kind is not None
    server = SimulatorServer(kind(Clock()))
    server.start()
    try:
        server.control.seed("tiny", 1, TODAY.isoformat())
        base = f"{server.url}{BASES[name]}"
        with httpx.Client(base_url=base, headers=HEADERS[name], verify=NO_TLS) as client:
            if name == "openair":
                token = client.post(f"{server.url}/login/oauth2/v1/token", data=REFRESH).json()["access_token"]
                client.headers["Authorization"] = f"Bearer {token}"
            yield client, Control(server.url)
    finally:
        server.stop()


@pytest.mark.parametrize("name", [*HEADERS, "scim", "entra", "okta"])
def test_every_vendor_has_its_simulator_under_its_own_name(name: str) -> None:
    kind = simulator_of(name)
    assert kind is not None
    assert kind.system == name


@pytest.mark.parametrize("name", HEADERS)
def test_a_wrong_token_is_401(name: str) -> None:
    with system(name) as (client, _):
        assert client.get("/projects", headers={"Authorization": "Bearer nonsense"}).status_code == 401


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("kantata", "/workspaces", {"workspace": {"title": "Twice"}}),
        ("harvest", "/clients", None),
        ("float", "/projects", {"name": "Twice"}),
        ("runn", "/clients", {"name": "Twice"}),
        ("openair", "/projects", {"name": "Twice", "externalid": "T-1"}),
    ],
)
def test_nothing_recognises_a_request_that_is_sent_twice(name: str, path: str, body: Any) -> None:
    with system(name) as (client, control):
        if name == "harvest":
            path = "/time_entries"
            body = {"user_id": 1_700_001, "project_id": 14_000_001, "spent_date": "2026-11-20", "hours": 1}
        table = path.strip("/")
        before = control.counts()[table]
        assert {client.post(path, json=body).status_code for _ in range(2)} <= {200, 201}
        assert control.counts()[table] == before + 2


# --- Kantata -------------------------------------------------------------------------------------------------------


def test_kantata_cuts_a_page_of_more_than_two_hundred_and_keys_records_by_id() -> None:
    with system("kantata") as (client, _):
        answer = client.get("/time_entries", params={"per_page": 5000}).json()
    assert answer["meta"]["page_size"] == 200
    assert [str(entry["id"]) for entry in answer["results"]] == list(answer["time_entries"])


def test_kantata_refuses_with_a_list_of_errors() -> None:
    with system("kantata") as (client, _):
        answer = client.post("/workspaces", json={"workspace": {"title": "x", "currency": "GPB"}})
    assert answer.status_code == 422
    assert [(error["type"], error["field"]) for error in answer.json()["errors"]] == [("validation", "currency")]


def test_kantata_finds_a_record_by_its_reference_of_one_service_alone() -> None:
    reference = {"service_name": "Hub", "service_model": "project", "service_model_ref": "P-1"}
    asked = {
        "external_reference_service_name": "Hub",
        "external_reference_service_model": "project",
        "external_reference_service_model_refs": "P-1,P-2",
        "include": "external_references",
    }
    with system("kantata") as (client, _):
        made = client.post("/workspaces", json={"workspace": {"title": "One", "external_reference": reference}}).json()
        found = client.get("/workspaces", params=asked).json()
        other = client.get("/workspaces", params={**asked, "external_reference_service_name": "Other"}).json()
    assert [entry["id"] for entry in found["results"]] == [entry["id"] for entry in made["results"]]
    assert [row["service_model_ref"] for row in found["external_references"].values()] == ["P-1"]
    assert other["results"] == []


def test_kantata_tells_events_of_what_happened() -> None:
    with system("kantata") as (client, _):
        made = client.post("/workspaces", json={"workspace": {"title": "One"}}).json()["results"][0]["id"]
        client.put(f"/workspaces/{made}", json={"workspace": {"title": "Two"}})
        feed = client.get("/subscribed_events", params={"order": "created_at:asc"}).json()
    told = [(event["event_type"], event["subject_id"]) for event in feed["subscribed_events"].values()]
    assert told == [("workspace:created", made), ("workspace:updated", made)]


def test_kantata_hides_archived_projects_until_they_are_asked_for() -> None:
    with system("kantata") as (client, _):
        client.put("/workspaces/40001", json={"workspace": {"archived": True}})
        plain, whole = (client.get("/workspaces", params=p).json()["count"] for p in ({}, {"include_archived": "true"}))
    assert whole == plain + 1


def test_kantata_says_too_many_without_saying_when_to_come_back() -> None:
    with system("kantata") as (client, control):
        control.add_fault("throttle", retry_after=9)
        answer = client.get("/users")
    assert (answer.status_code, "retry-after" in answer.headers) == (429, False)


# --- Harvest -------------------------------------------------------------------------------------------------------


def test_harvest_wants_to_know_the_account_and_who_asks() -> None:
    with system("harvest") as (client, _):
        assert client.get("/clients", headers={"Harvest-Account-Id": "1"}).status_code == 401
        assert client.get("/clients", headers={"User-Agent": ""}).status_code == 400


def test_harvest_says_which_page_is_next_until_there_is_none() -> None:
    with system("harvest") as (client, _):
        pages, number = [], 1
        while number:
            pages.append(client.get("/time_entries", params={"per_page": 25, "page": number}).json())
            number = pages[-1]["next_page"]
    assert [(len(p["time_entries"]), p["total_pages"], p["total_entries"]) for p in pages] == [
        (25, 3, 60),
        (25, 3, 60),
        (10, 3, 60),
    ]
    assert ("page=2" in pages[0]["links"]["next"], pages[2]["links"]["next"]) == (True, None)


def test_harvest_locks_time_that_is_invoiced() -> None:
    with system("harvest") as (client, control):
        control.seed("small", today=TODAY.isoformat())
        locked = next(row for row in control.state("time_entries") if row["is_locked"])
        answer = client.patch(f"/time_entries/{locked['id']}", json={"notes": "late"})
    assert (answer.status_code, "locked" in answer.json()["message"]) == (422, True)


def test_harvest_says_when_to_come_back() -> None:
    with system("harvest") as (client, control):
        control.add_fault("throttle", retry_after=9)
        assert client.get("/users").headers["retry-after"] == "9"


# --- Float, Runn, OpenAir ------------------------------------------------------------------------------------------


def test_float_lists_bare_and_tells_pages_in_headers() -> None:
    with system("float") as (client, _):
        answer = client.get("/logged-time", params={"per-page": 25, "page": 3})
        wide = client.get("/logged-time", params={"per-page": 999})
    told = {name: answer.headers[f"X-Pagination-{name}"] for name in ("Total-Count", "Page-Count", "Current-Page")}
    assert (len(answer.json()), told) == (10, {"Total-Count": "60", "Page-Count": "3", "Current-Page": "3"})
    assert wide.headers["X-Pagination-Per-Page"] == "200"


def test_float_refuses_with_a_bare_list() -> None:
    with system("float") as (client, _):
        answer = client.post("/people", json={"email": "x@example.com"})
    assert (answer.status_code, answer.json()[0]["field"]) == (422, "name")


def test_runn_gives_a_cursor_that_nobody_can_make_up() -> None:
    with system("runn") as (client, _):
        first = client.get("/actuals", params={"limit": 50}).json()
        second = client.get("/actuals", params={"limit": 50, "cursor": first["nextCursor"]}).json()
        assert client.get("/actuals", params={"cursor": "2"}).status_code == 400
        assert client.get("/people", params={"cursor": first["nextCursor"]}).status_code == 400
    assert (len(first["values"]), len(second["values"]), second["nextCursor"]) == (50, 10, None)


def test_runn_wants_to_know_the_version() -> None:
    with system("runn") as (client, _):
        answer = client.get("/people", headers={"Accept-Version": ""})
    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)


def test_openair_takes_offsets_of_whole_pages_only() -> None:
    with system("openair") as (client, _):
        whole = client.get("/time-entries", params={"limit": 25, "offset": 50}).json()
        assert client.get("/time-entries", params={"limit": 25, "offset": 30}).status_code == 400
        assert client.get("/time-entries", params={"limit": 1001}).status_code == 400
    assert (len(whole["data"]), whole["meta"]["totalRows"], whole["meta"]["totalPages"]) == (10, 60, 3)
    assert "next" not in whole["meta"]["links"]


def test_openair_hides_new_rows_until_its_cache_is_refreshed() -> None:
    with system("openair") as (client, _):
        client.post("/projects", json={"name": "New", "externalid": "N-1"})
        codes = [{row["externalid"] for row in client.get("/projects").json()["data"]}]
        client.post("/session/cache/refresh", json={"filterSet": True})
        codes.append({row["externalid"] for row in client.get("/projects").json()["data"]})
    assert ["N-1" in found for found in codes] == [False, True]
