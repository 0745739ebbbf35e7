"""The PSA's house style: keyed envelopes, page numbers, wrapped writes, no idempotency, errors as a list."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.simulators.client import Controls

from .conftest import psa_client


def _pages(client: httpx.Client, path: str, **query: str | int) -> list[dict[str, Any]]:
    """All records in the order of `results`."""
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = client.get(path, params={**query, "page": page}).raise_for_status().json()
        rows += [answer[path.strip("/")][str(entry["id"])] for entry in answer["results"]]
        if page >= answer["meta"]["page_count"]:
            return rows
        page += 1


def test_wrong_token_is_refused_in_a_list_of_errors(systems: Controls) -> None:
    answer = httpx.get(f"{systems.psa.url}/api/v1/users/me", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json() == {"errors": [{"type": "oauth", "message": "Invalid OAuth 2 Request"}]}


def test_who_am_i(systems: Controls) -> None:
    with psa_client(systems) as client:
        answer = client.get("/users/me").json()
    assert answer["users"][answer["results"][0]["id"]]["full_name"] == "Integration user"


def test_pages_hold_every_record_once(systems: Controls) -> None:
    with psa_client(systems) as client:
        rows = _pages(client, "/time_entries", per_page=7, order="updated_at:asc")
    assert len({str(row["id"]) for row in rows}) == len(rows) == 60


def test_a_page_has_two_hundred_records_at_most(small: Controls) -> None:
    with psa_client(small) as client:
        meta = client.get("/time_entries", params={"per_page": 5_000}).json()["meta"]
    assert meta == {"count": 4_000, "page_count": 20, "page_number": 1, "page_size": 200}


def test_the_huge_id_is_a_number_and_keeps_its_digits(systems: Controls) -> None:
    with psa_client(systems) as client:
        answer = client.get("/time_entries/9007199254740993")
    assert b'"id": 9007199254740993' in answer.content


def test_only_what_changed_later_comes_back(systems: Controls) -> None:
    systems.psa.freeze()
    systems.psa.set_clock("2026-11-24T10:00:00Z")
    with psa_client(systems) as client:
        client.put("/workspaces/40001", json={"workspace": {"title": "Renamed"}}).raise_for_status()
        later = _pages(client, "/workspaces", updated_after="2026-11-24T01:59:59-08:00")
        same_second = _pages(client, "/workspaces", updated_after="2026-11-24T02:00:00-08:00")
    assert [(row["id"], row["updated_at"]) for row in later] == [("40001", "2026-11-24T02:00:00-08:00")]
    assert same_second == []


def test_records_are_found_by_external_reference(systems: Controls) -> None:
    with psa_client(systems) as client:
        rows = _pages(client, "/workspaces", external_reference="NLL-101,NLL-102,NONE-1")
    assert [row["external_reference"] for row in rows] == ["NLL-101", "NLL-102"]


def test_lists_are_narrowed_by_any_field(systems: Controls) -> None:
    with psa_client(systems) as client:
        rows = _pages(client, "/stories", story_type="deliverable", workspace_id="40001")
        unknown = client.get("/stories", params={"colour": "red"})
    assert [row["position"] for row in rows] == ["1", "2"]
    assert unknown.status_code == 400


def test_a_write_that_is_sent_twice_is_there_twice(systems: Controls) -> None:
    body = {"workspace": {"title": "New project", "external_reference": "NEW-1", "workspace_group_ids": ["3001"]}}
    with psa_client(systems) as client:
        ids = {client.post("/workspaces", json=body).json()["results"][0]["id"] for _ in range(2)}
        assert len(_pages(client, "/workspaces", external_reference="NEW-1")) == 2
    assert len(ids) == 2


def test_a_write_without_its_wrapper_is_refused(systems: Controls) -> None:
    with psa_client(systems) as client:
        answer = client.post("/workspaces", json={"title": "New project"})
    assert answer.status_code == 400
    assert "workspace" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"external_reference": "NEW-1"}, "title"),
        ({"title": "x", "start_date": "1 May 2027"}, "start_date"),
        ({"title": "x", "price_in_cents": "12.50"}, "price_in_cents"),
        ({"title": "x", "currency": "GPB"}, "currency"),
        ({"title": "x", "lead_user_id": "1"}, "lead_user_id"),
        ({"title": "x", "workspace_group_ids": ["1"]}, "workspace_group_ids"),
    ],
)
def test_bad_data_is_422_with_the_field(systems: Controls, body: dict[str, Any], field: str) -> None:
    with psa_client(systems) as client:
        answer = client.post("/workspaces", json={"workspace": body})
    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["type"], answer.json()["errors"][0]["field"]) == ("validation", field)


def test_a_project_gets_the_whole_status_and_its_client_both_ways(systems: Controls) -> None:
    body = {"title": "New", "status": {"key": "on_hold"}, "workspace_group_id": "3001"}
    with psa_client(systems) as client:
        answer = client.post("/workspaces", json={"workspace": body}).json()
        refused = client.post("/workspaces", json={"workspace": {"title": "x", "status": {"key": "paused"}}})
    row = answer["workspaces"][answer["results"][0]["id"]]
    assert (row["status"]["message"], row["workspace_group_ids"]) == ("On Hold", ["3001"])
    assert refused.json()["errors"][0]["field"] == "status"


def test_approving_time_sets_the_moment(systems: Controls) -> None:
    entry = next(row for row in systems.psa.state("time_entries") if row["status"] == "submitted")
    systems.psa.freeze()
    systems.psa.set_clock("2026-11-24T18:00:00Z")
    with psa_client(systems) as client:
        approved = client.put(f"/time_entries/{entry['id']}", json={"time_entry": {"status": "approved"}}).json()
        row = approved["time_entries"][entry["id"]]
        reopened = client.put(f"/time_entries/{entry['id']}", json={"time_entry": {"status": "draft"}}).json()
    assert (row["approved"], row["approved_at"]) == (True, "2026-11-24T10:00:00-08:00")
    assert reopened["time_entries"][entry["id"]]["approved_at"] is None


def test_money_is_cents_and_time_is_minutes(systems: Controls) -> None:
    entry = systems.psa.state("time_entries")[10]
    assert isinstance(entry["time_in_minutes"], int)
    assert isinstance(entry["rate_in_cents"], int)


def test_a_deleted_record_is_not_found_and_not_listed(systems: Controls) -> None:
    with psa_client(systems) as client:
        client.delete("/workspace_allocations/900001").raise_for_status()
        assert client.get("/workspace_allocations/900001").status_code == 404


def test_too_many_requests_say_not_when_to_come_back(systems: Controls) -> None:
    systems.psa.add_fault("throttle", retry_after=9)
    with psa_client(systems) as client:
        answer = client.get("/users")
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers
