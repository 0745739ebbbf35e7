"""The API of alerts does what the pages do, with the same rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from hub.accounts.services import create_token
from hub.sync.states import RunStatus
from monitoring.models import Alert, AlertMute, AlertNotice
from tests.alerts.builders import World

pytestmark = pytest.mark.django_db
CHAT = "gotify://chat.example.com/AbCdEf123456789"
RULE = {"slug": "money", "name": "Money", "what": "dead_letter_amount", "warning": "500", "critical": "9000.50"}
ROUTE = {"slug": "finance", "name": "Finance", "mail": ["finn@firm.example"], "secrets": {"chat": CHAT}}


@pytest.fixture
def world(domains: Any) -> World:
    return World()


@pytest.fixture
def call() -> Any:
    def client(user: Any) -> APIClient:
        _, secret = create_token(user, name="test", days=None, by=user)
        made = APIClient()
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return made

    return client


@pytest.fixture
def alert(world: World) -> Alert:
    rule = world.rule("failed_run")
    world.ran(RunStatus.FAILED, error="The system does not answer.")
    world.look()
    return Alert.objects.get(rule=rule)


def test_active_alerts_with_their_history(alert: Alert, olga: Any, call: Any) -> None:
    api = call(olga)
    (found,) = api.get("/api/v1/alerts/?state=active").json()["results"]
    assert (found["rule"], found["state"], found["value"]) == ("failed-run-rule", "warning", "1")
    (change,) = api.get(f"/api/v1/alerts/{alert.pk}/changes/").json()
    assert (change["before"], change["after"], change["untold_why"]) == ("ok", "warning", "no_route")


def test_people_of_another_domain_find_nothing(alert: Alert, make_person: Any, call: Any) -> None:
    bob = make_person("Bob", ("operator", "billing-gl"))
    assert call(bob).get("/api/v1/alerts/").json()["results"] == []
    assert call(bob).get(f"/api/v1/alerts/{alert.pk}/").status_code == 404


def test_acknowledge_and_mute(alert: Alert, ada: Any, olga: Any, call: Any) -> None:
    assert call(olga).post(f"/api/v1/alerts/{alert.pk}/acknowledge/").status_code == 403
    assert call(ada).post(f"/api/v1/alerts/{alert.pk}/acknowledge/").json()["acknowledged_by"] == ada.email
    given = {"until": (timezone.now() + timedelta(hours=2)).isoformat(), "reason": "Known."}
    assert call(ada).post(f"/api/v1/alerts/{alert.pk}/mute/", given, format="json").status_code == 201
    assert AlertMute.objects.get().by == ada
    late = {**given, "until": (timezone.now() + timedelta(days=365)).isoformat()}
    answer = call(ada).post(f"/api/v1/alerts/{alert.pk}/mute/", late, format="json")
    assert answer.status_code == 422
    assert "90 days" in answer.json()["detail"]


def test_a_rule_is_made_changed_and_deleted(world: World, ada: Any, call: Any) -> None:
    api = call(ada)
    made = api.post("/api/v1/alert-rules/", RULE, format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["critical"] == "9000.5"
    assert api.put("/api/v1/alert-rules/money/", {**RULE, "evaluations": 3}, format="json").json()["evaluations"] == 3
    assert api.delete("/api/v1/alert-rules/money/").status_code == 204
    world.look()
    assert api.delete("/api/v1/alert-rules/dead-letters/").status_code == 422


def test_a_rule_that_cannot_be_meant_gets_a_sentence(world: World, ada: Any, call: Any) -> None:
    answer = call(ada).post("/api/v1/alert-rules/", {**RULE, "what": "nothing"}, format="json")
    assert answer.status_code == 422
    assert "Nothing watches 'nothing'" in answer.json()["detail"]


def test_conditions_say_their_unit_and_usual_levels(world: World, olga: Any, call: Any) -> None:
    found = {each["name"]: each for each in call(olga).get("/api/v1/alert-rules/conditions/").json()}
    assert found["credential_expiry"] == {
        **found["credential_expiry"],
        "unit": "days left",
        "is_below": True,
        "warning": "14",
        "critical": "3",
    }


def test_a_route_never_gives_its_secret_back(world: World, ada: Any, call: Any) -> None:
    api = call(ada)
    made = api.post("/api/v1/alert-routes/", ROUTE, format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["secrets"] == {"chat": "${secret:finance.chat}"}
    assert CHAT not in api.get("/api/v1/alert-routes/").content.decode()
    assert api.post("/api/v1/alert-routes/finance/test/").status_code == 202
    assert set(AlertNotice.objects.values_list("channel", flat=True)) == {"mail", "chat"}


def test_whoever_edits_in_one_domain_makes_nothing_for_the_firm(world: World, make_person: Any, call: Any) -> None:
    eve = make_person("Eve", ("integration_admin", "project-wbs"))
    assert call(eve).post("/api/v1/alert-rules/", RULE, format="json").status_code == 403
    assert call(eve).post("/api/v1/alert-rules/", {**RULE, "domain": "billing-gl"}, format="json").status_code == 403
    assert call(eve).post("/api/v1/alert-rules/", {**RULE, "domain": "project-wbs"}, format="json").status_code == 201
