"""The API of reconciliations does what the pages do, with the same rules."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from hub.accounts.services import create_token
from monitoring.models import Reconciliation

from .builders import World, entry, posted

pytestmark = pytest.mark.django_db
PATH = "/api/v1/reconciliations/"


@pytest.fixture
def call() -> Any:
    def client(user: Any) -> APIClient:
        _, secret = create_token(user, name="test", days=None, by=user)
        made = APIClient()
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return made

    return client


def test_a_document_is_made_read_changed_and_deleted(world: World, ada: Any, call: Any) -> None:
    api, document = call(ada), world.document()
    made = api.post(PATH, document, format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["key"] == ["number"]
    assert api.put(f"{PATH}time/", {**document, "periods": 3}, format="json").json()["periods"] == 3
    assert api.get(PATH).json()["results"][0]["slug"] == "time"
    assert api.delete(f"{PATH}time/").status_code == 204
    assert not Reconciliation.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"left": {"stream": "psa-time", "hub": True}}, "either the hub"),
        ({"left": {"stream": "nowhere"}}, "There is no stream 'nowhere'"),
        ({"key": []}, "key"),
        ({"compare": [{"field": "hours", "type": "number"}]}, "'number' is not a type"),
        ({"compare": [{"field": "hours", "type": "decimal", "absolute": "-1"}]}, "not negative"),
        ({"compare": [{"field": "colour"}]}, "has no field 'colour'"),
        ({"compare": [{"field": "project", "absolute": "1"}]}, "says nothing about the type text"),
        ({"rules": [{"name": "a", "kind": "magic", "group": ["date"]}]}, "A rule is one of"),
        ({"cron": "at noon"}, "not a cron expression"),
        ({"after": ["nothing"]}, "There is no sync 'nothing'"),
        ({"totals": {"amount": ["a"]}}, "Name one canonical field"),
        ({"left": {"stream": "erp-time"}, "right": {"stream": "erp-time"}}, "Both sides are the same"),
    ],
)
def test_what_is_wrong_with_a_document_is_said_and_nothing_is_saved(
    world: World, ada: Any, call: Any, changes: dict[str, Any], sentence: str
) -> None:
    answer = call(ada).post(PATH, world.document(**changes), format="json")
    assert answer.status_code in (400, 422), answer.content
    assert sentence in answer.content.decode()
    assert not Reconciliation.objects.exists()


def test_comparisons_and_their_gaps_are_read(world: World, finn: Any, call: Any) -> None:
    world.psa += [entry(1), entry(2), entry(3, hours="7.5")]
    world.erp += [posted(1), posted(3)]
    run = world.compare()
    api = call(finn)
    assert api.get(f"{PATH}time/runs/").json()[0]["unexplained"] == 2
    assert api.get(f"{PATH}time/runs/{run.pk}/").json()["totals"][0]["difference"] == "-800.00"
    first = api.get(f"{PATH}time/gaps/?limit=1&period=2026-11").json()
    assert [gap["key"] for gap in first["gaps"]] == ["T-2"]
    (second,) = api.get(f"{PATH}time/gaps/?limit=1&after={first['next']}").json()["gaps"]
    assert second["differs"] == {"hours": {"left": "7.5", "right": "8"}}


def test_who_may_resolve_starts_a_comparison_and_who_may_not_does_not(
    world: World, finn: Any, olga: Any, call: Any
) -> None:
    world.reconciliation()
    assert call(olga).post(f"{PATH}time/compare/").status_code == 403
    first, second = (call(finn).post(f"{PATH}time/compare/").json() for _ in range(2))
    assert (first["status"], first["run"]) == ("queued", second["run"])
