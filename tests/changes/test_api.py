"""Programs propose and read changes; a decision names what it was made on."""

from __future__ import annotations

import pytest

from governance.changes import services

pytestmark = pytest.mark.django_db
OTHER = {"type": "string", "title": "Who buys"}
URL = "/api/v1/changes/"


@pytest.fixture
def change(watched, edited, ada):
    return services.open_change([edited(buyer=OTHER)], by=ada)


def post(client, url, **data):
    return client.post(url, data, content_type="application/json")


def test_a_program_proposes_documents(watched, edited, ada, browse):
    made = post(browse(ada), f"{URL}propose/", documents=[edited(buyer=OTHER)], reason="From our repository.")
    assert (made.status_code, made.json()["state"]) == (201, "open")
    assert made.json()["seats"] == [
        {"group": "pmo", "needed": 1, "paths": ["Contract order: schema.properties.buyer.title"]}
    ]
    assert post(browse(ada), f"{URL}propose/", documents=[{"kind": "Nonsense"}]).status_code == 400


def test_changes_are_listed_and_read(change, grace, browse):
    listed = browse(grace).get(f"{URL}?state=open&kind=Contract").json()["results"]
    assert [row["id"] for row in listed] == [change.pk]
    found = browse(grace).get(f"{URL}{change.pk}/").json()
    assert found["items"][0]["proposed"]["schema"]["properties"]["buyer"] == OTHER


def test_a_decision_names_its_content(change, ada, grace, browse):
    url = f"{URL}{change.pk}/decide/"
    assert post(browse(grace), url, decision="approve", content_hash="0" * 64).status_code == 409
    done = post(browse(grace), url, decision="approve", content_hash=change.content_hash)
    assert (done.status_code, done.json()["state"]) == (200, "applied")
    assert post(browse(ada), url, decision="approve", content_hash=change.content_hash).status_code == 403


def test_nobody_decides_on_their_own_over_the_api(watched, edited, grace, browse):
    own = services.open_change([edited(buyer=OTHER)], by=grace)
    answer = post(browse(grace), f"{URL}{own.pk}/decide/", decision="approve", content_hash=own.content_hash)
    assert (answer.status_code, answer.json()["code"]) == (422, "MAY_NOT_DECIDE")


def test_planning_acting_and_talking(change, ada, grace, browse):
    client = browse(ada)
    planned = post(client, f"{URL}{change.pk}/schedule/", effective_at="2099-01-01T00:00:00Z")
    assert planned.json()["effective_at"] == "2099-01-01T00:00:00Z"
    said = post(client, f"{URL}{change.pk}/comments/", text="Soon.", kind="Contract", key="order", path="schema")
    assert said.status_code == 201
    post(browse(grace), f"{URL}{change.pk}/comments/", text="Fine.", answers=said.json()["id"])
    assert [each["path"] for each in client.get(f"{URL}{change.pk}/comments/").json()] == ["schema", "schema"]
    assert client.get(f"{URL}{change.pk}/packet/").status_code == 422
    assert post(client, f"{URL}{change.pk}/packet/").status_code == 202
    assert client.get(f"{URL}{change.pk}/packet/").json()["state"] == "queued"
    assert post(client, f"{URL}{change.pk}/act/", act="withdraw").json()["state"] == "withdrawn"


def test_the_first_page_names_what_waits(change, grace, browse):
    assert "Contract order: buyer" in browse(grace).get("/").content.decode()
