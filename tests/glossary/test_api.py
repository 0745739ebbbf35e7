"""The API of the glossary does what the pages do, with the same rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from governance.models import AuditEntry, Term
from hub.accounts.services import create_token
from hub.common import governed
from hub.common.governed import Put
from tests.glossary import builders as build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("model")]
Call = Callable[..., APIClient]
TERM = {name: value for name, value in build.document().items() if name != "kind"}


@pytest.fixture
def call() -> Call:
    """call(ada): a client that carries a token of hers."""

    def client(user: Any) -> APIClient:
        _, secret = create_token(user, name="test", days=None, by=user)
        made = APIClient()
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return made

    return client


@pytest.fixture
def api(ada: Any, call: Call) -> APIClient:
    return call(ada)


def test_a_term_is_added_changed_and_removed(api: APIClient, ada: Any) -> None:
    build.memory_connection("psa2", [])
    given = TERM | {"probes": [build.stream_probe("psa2")], "contract_fields": ["time_entry.hours"], "tolerance": "0.5"}
    made = api.post("/api/v1/terms/", given, format="json")
    assert made.status_code == 201, made.content
    changed = api.patch("/api/v1/terms/approved-time/", {"owner": "Finance"}, format="json").json()
    assert (changed["owner"], changed["probes"], changed["contract_fields"]) == (
        "Finance", [build.stream_probe("psa2")], ["time_entry.hours"],
    )  # fmt: skip
    assert api.get("/api/v1/terms/approved-time/").json() == changed
    assert [row["slug"] for row in api.get("/api/v1/terms/").json()["results"]] == ["approved-time"]
    assert api.delete("/api/v1/terms/approved-time/").status_code == 204
    acts = AuditEntry.objects.filter(kind="Term").order_by("pk").values_list("act", "actor_id")
    assert list(acts) == [("term.made", ada.pk), ("term.changed", ada.pk), ("term.removed", ada.pk)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expression": "sum(hours) of time_entry where status = approved"}, "line 1, column 41"),
        ({"contract_fields": ["time_entry.houres"]}, "time_entry.houres"),
        ({"unit": "money"}, "currency"),
        ({"domain": "nowhere"}, "nowhere"),
    ],
)
def test_a_wrong_term_is_refused_with_its_place(api: APIClient, fields: dict[str, Any], said: str) -> None:
    refused = api.post("/api/v1/terms/", TERM | fields, format="json")
    assert 400 <= refused.status_code < 500
    assert said in refused.content.decode()
    assert not Term.objects.exists()


def test_a_term_is_measured_and_its_drift_is_told(api: APIClient) -> None:
    build.entries({"hours": "10", "status": "approved"})
    build.memory_connection("psa2", [{"id": 1, "hours": "12", "state": "OK"}])
    build.term(probes=[build.stream_probe("psa2")])
    made = api.post("/api/v1/terms/approved-time/measurements/")
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["systems"][0]["difference"]) == ("apart", "2")
    assert len(api.get("/api/v1/terms/approved-time/measurements/").json()["results"]) == 1
    assert [row["term"] for row in api.get("/api/v1/semantic-drifts/?state=open").json()["results"]] == [
        "approved-time"
    ]
    assert api.get("/api/v1/semantic-drifts/?state=closed").json()["results"] == []


def test_what_goes_to_reviewers_is_not_written(api: APIClient, monkeypatch: Any) -> None:
    monkeypatch.setattr(governed, "_gates", [])
    governed.install(lambda documents, by, reason: Put(False, "Sent to review.", "/changes/1/"))
    held = api.post("/api/v1/terms/", TERM, format="json")
    assert (held.status_code, held.json()) == (202, {"detail": "Sent to review.", "url": "/changes/1/"})
    assert not Term.objects.exists()


def test_readers_only_read(grace: Any, call: Call) -> None:
    build.term()
    api = call(grace)
    assert api.get("/api/v1/terms/approved-time/").status_code == 200
    assert api.patch("/api/v1/terms/approved-time/", {"owner": "G"}, format="json").status_code == 403
    assert api.post("/api/v1/terms/approved-time/measurements/").status_code == 403


def test_terms_of_other_domains_are_not_there(make_person: Any, call: Call) -> None:
    build.term()
    otto = make_person("Otto", ("integration_admin", "billing-gl"))
    assert call(otto).get("/api/v1/terms/approved-time/").status_code == 404
    refused = call(otto).post("/api/v1/terms/", TERM | {"slug": "other"}, format="json")
    assert "do not let you edit contracts of this domain" in refused.content.decode()
