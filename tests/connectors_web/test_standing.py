"""What people and programs see of a connection that stands still, and the limits they may set."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from connectors import circuits, standing
from connectors.models import Connection
from connectors.standing import Waiting
from hub.accounts.services import create_token

pytestmark = pytest.mark.django_db


def api_of(user):
    _, secret = create_token(user, name="test", days=1, by=user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def text(response):
    return " ".join(response.content.decode().split())


@pytest.fixture
def shut(connection, monkeypatch):
    monkeypatch.setitem(standing._counters, "sync", lambda found: Waiting(3, 214))
    circuits.note_failure(connection.pk, "The system took too long.", trip=True)
    return connection


def test_the_page_says_since_when_what_waits_and_when_it_is_tried_again(browse, ada, shut):
    page = text(browse(ada).get("/connections/acme/"))
    assert "Acme does not answer since <time" in page
    assert "3 syncs wait, 214 deliveries are kept; tried again at <time" in page
    assert "The system took too long." in page


def test_the_page_says_that_the_sign_in_is_refused(browse, ada, connection):
    circuits.pause_for_sign_in(connection.pk, "Token expired on Tuesday")
    page = text(browse(ada).get("/connections/acme/"))
    assert "Acme refuses the sign-in since" in page
    assert "It goes on when a test passes or a secret is changed." in page


def test_the_list_shows_it_as_its_state(browse, ada, shut):
    assert "Does not answer" in text(browse(ada).get("/connections/"))


def test_a_test_that_passes_takes_the_notice_away(browse, ada, shut):
    browse(ada).post("/connections/acme/test/")
    assert "does not answer" not in text(browse(ada).get("/connections/acme/"))


def test_programs_see_the_same(ada, shut):
    found = api_of(ada).get("/api/v1/connections/acme/").json()["circuit"]
    assert (found["state"], found["waiting_syncs"], found["kept_deliveries"]) == ("open", 3, 214)
    assert found["next_try_at"] > found["since"]


def test_a_connection_that_answers_has_no_circuit_to_show(ada, connection):
    assert api_of(ada).get("/api/v1/connections/acme/").json()["circuit"] is None


def test_a_pause_shows_who_stopped_it_and_why(browse, ada, connection):
    browse(ada).post("/connections/acme/pause/?is_paused=1", {"reason": "Month end"})
    page = text(browse(ada).get("/connections/acme/"))
    assert f"by {ada}: Month end" in page
    assert "Month end" in text(browse(ada).get("/connections/acme/history/"))
    browse(ada).post("/connections/acme/pause/", {"is_paused": "0"})
    connection.refresh_from_db()
    assert (connection.pause_reason, connection.paused_by, connection.paused_at) == ("", None, None)


def test_a_program_gives_its_reason_too(ada, connection):
    found = api_of(ada).post("/api/v1/connections/acme/pause/", {"reason": "Month end"}).json()
    assert (found["is_paused"], found["pause_reason"]) == (True, "Month end")


class TestLimits:
    def test_they_are_set_on_the_form_and_shown_again(self, browse, ada, values):
        sent = {**values, "failure_limit": "4", "per_second": "2.5", "at_once": "3"}
        browse(ada).post(f"{reverse('connectors:connection_new')}?kind=catalogue:acme", sent)
        found = Connection.objects.get(slug="acme-prod")
        assert found.failure_limit == 4
        assert found.config["limits"] == {"per_second": 2.5, "concurrency": 3}
        assert 'value="2.5"' in text(browse(ada).get("/connections/acme-prod/settings/"))

    def test_a_form_keeps_the_limits_that_it_does_not_show(self, browse, ada, connection, values):
        connection.config["limits"] = {"page_size": 50, "per_second": 9}
        connection.save()
        page = browse(ada).get("/connections/acme/settings/")
        sent = {**values, "c_token": "", "system": "acme-time", "version": page.context["form"]["version"].value()}
        browse(ada).post("/connections/acme/settings/", {**sent, "per_second": "", "failure_limit": ""})
        connection.refresh_from_db()
        assert connection.config["limits"] == {"page_size": 50}
        assert connection.failure_limit == 10

    def test_a_limit_of_nothing_is_refused(self, browse, ada, values):
        url = f"{reverse('connectors:connection_new')}?kind=catalogue:acme"
        assert browse(ada).post(url, {**values, "per_second": "0"}).status_code == 422
        assert not Connection.objects.exists()

    def test_they_travel_in_files(self, connection):
        from hub.common import registry

        connection.failure_limit = 3
        connection.save()
        assert registry.kind("Connection").dump("acme")["failure_limit"] == 3
