"""Connections, streams, subscriptions and webhooks are held by form and API, and secrets stand in no change request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from connectors import services as connections
from connectors.models import Connection, System
from governance.changes import reviewing, services
from governance.models import ChangeRequest, ReviewPolicy, SealedSecrets
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.governed import Held
from hub.common.records import StreamInfo
from hub.common.registry import kind
from hub.config import documents
from hub.config import services as config
from hub.events import services as events
from hub.events.models import Subscription
from hub.webhooks import services as webhooks
from hub.webhooks.models import Endpoint
from tests.connectors_web.conftest import DECLARATION
from tests.sync import builders as build

pytestmark = pytest.mark.django_db
OLD, NEW = {"site": "https://old.example.com"}, {"site": "https://new.example.com"}


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, settings: Any) -> None:
    """The hub knows the kind `acme`, whose address and token are fields of the form."""
    (tmp_path / "acme.yaml").write_text(DECLARATION)
    settings.HUB_CATALOG = str(tmp_path)


@pytest.fixture
def psa(domains: Any) -> Connection:
    """A connection with a secret."""
    system = System.objects.create(slug="psa", name="PSA", category="psa")
    made = Connection(slug="psa", name="PSA", system=system, catalogue="acme", protocol="rest", config=OLD)
    return connections.save_connection(made, secrets={"token": "old-token"})


@pytest.fixture
def watched(pmo: Any) -> None:
    for name in ("System", "Connection", "Stream", "Subscription", "Webhook"):
        ReviewPolicy.objects.create(slug=name.lower(), name=name, kind=name, group=pmo)


def agree(by: Any) -> ChangeRequest:
    change = ChangeRequest.objects.get(state="open")
    return reviewing.approve(change, by=by, seen=change.content_hash)


def change_address(found: Connection, by: Any, **secrets: str | None) -> None:
    found.config = NEW
    connections.save_connection(found, secrets=secrets, by=by)


def said_anywhere(change: ChangeRequest, text: str) -> bool:
    return text in str(list(change.items.values())) + change.title + change.reason


def test_another_address_waits_and_the_live_one_stays(psa: Connection, watched: None, ada: Any, grace: Any) -> None:
    with pytest.raises(Held, match="Sent to review"):
        change_address(psa, ada)
    assert Connection.objects.get().config == OLD
    assert ChangeRequest.objects.get().items.get().proposed["config"] == NEW
    assert agree(grace).state == "applied"
    assert (Connection.objects.get().config, Connection.objects.get().secrets) == (NEW, {"token": "old-token"})


def test_the_form_leads_to_the_change_and_its_secret_waits(
    psa: Connection, watched: None, ada: Any, grace: Any, browse: Any
) -> None:
    given = {"c_site": NEW["site"], "c_token": "n3w-s3cr3t", "c_region": "eu", "time_zone": "UTC", "name": "PSA"}
    given |= {"system": "psa", "failure_limit": 5, "action": "anyway", "version": psa.updated_at.isoformat()}
    answer = browse(ada).post("/connections/psa/settings/", given)
    errors = re.findall(r"errorlist[^>]*><li>([^<]+)<", answer.content.decode())
    assert answer.status_code == 302, errors
    change = ChangeRequest.objects.get()
    assert (answer.status_code, answer.url) == (302, change.get_absolute_url())
    assert Connection.objects.get().config == OLD
    page = browse(grace).get(answer.url).content.decode()
    assert "sealed, and used when it takes effect: token" in page
    assert "n3w-s3cr3t" not in page
    agree(grace)
    assert (Connection.objects.get().config["site"], Connection.objects.get().secrets) == (
        NEW["site"],
        {"token": "n3w-s3cr3t"},
    )


def test_a_secret_that_is_typed_with_it_waits_sealed(psa: Connection, watched: None, ada: Any, grace: Any) -> None:
    with pytest.raises(Held):
        change_address(psa, ada, token="n3w-s3cr3t")
    change, kept = ChangeRequest.objects.get(), Connection.objects.get()
    assert (kept.secrets, SealedSecrets.objects.get().item.change) == ({"token": "old-token"}, change)
    assert not said_anywhere(change, "n3w-s3cr3t")
    assert agree(grace).state == "applied"
    kept.refresh_from_db()
    assert (kept.config, kept.secrets) == (NEW, {"token": "n3w-s3cr3t"})
    assert not SealedSecrets.objects.exists()


def test_sealed_secrets_end_with_their_change(psa: Connection, watched: None, ada: Any) -> None:
    with pytest.raises(Held):
        change_address(psa, ada, token="n3w-s3cr3t")
    services.withdraw(ChangeRequest.objects.get(), by=ada)
    assert not SealedSecrets.objects.exists()
    assert Connection.objects.get().secrets == {"token": "old-token"}


def test_a_sealed_secret_is_ciphertext_in_the_database(psa: Connection, watched: None, ada: Any) -> None:
    from django.db import connection

    with pytest.raises(Held):
        change_address(psa, ada, token="n3w-s3cr3t")
    with connection.cursor() as cursor:
        cursor.execute('select "values" from governance_sealedsecrets')
        assert b"n3w-s3cr3t" not in bytes(cursor.fetchone()[0])


def test_a_secret_alone_takes_effect_at_once(psa: Connection, watched: None, ada: Any) -> None:
    connections.save_connection(psa, secrets={"token": "newer"}, by=ada)
    assert Connection.objects.get().secrets == {"token": "newer"}
    assert not ChangeRequest.objects.exists()


def test_a_new_connection_waits_with_its_system_and_its_secret(
    watched: None, domains: Any, ada: Any, grace: Any
) -> None:
    made = Connection(slug="psa", name="PSA", catalogue="acme", protocol="rest", config=OLD)
    with pytest.raises(Held):
        connections.save_connection(made, secrets={"token": "t"}, new_system=System(slug="psa", name="PSA"), by=ada)
    assert [Connection.objects.count(), System.objects.count()] == [0, 0]
    assert agree(grace).state == "applied"
    assert (Connection.objects.get().system.slug, Connection.objects.get().secrets) == ("psa", {"token": "t"})


def test_a_document_with_a_secret_in_plain_does_not_go_to_review(psa: Connection, watched: None, ada: Any) -> None:
    document = {**(kind("Connection").dump("psa") or {}), "config": NEW, "secrets": {"token": "in-plain"}}
    with pytest.raises(ConfigError, match="stands in plain"):
        config.apply([documents.Source(document, "test", 1)], by=ada)
    assert not ChangeRequest.objects.exists()


def test_a_secret_of_the_environment_is_read_when_the_change_takes_effect(
    psa: Connection, watched: None, ada: Any, grace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_SECRET_PSA_TOKEN", "from-outside")
    document = {**(kind("Connection").dump("psa") or {}), "config": NEW}
    governed.put([document], by=ada)
    assert not said_anywhere(ChangeRequest.objects.get(), "(new value)")
    assert agree(grace).state == "applied"
    assert Connection.objects.get().secrets == {"token": "from-outside"}


def test_a_system_is_held_by_its_form(psa: Connection, watched: None, ada: Any, browse: Any) -> None:
    given = {"name": "Another name", "category": "psa", "description": ""}
    answer = browse(ada).post("/connections/systems/psa/edit/", given)
    assert answer.url == ChangeRequest.objects.get().get_absolute_url()
    assert System.objects.get().name == "PSA"


# Streams ------------------------------------------------------------------------------------------------------------


def test_a_stream_is_held_by_its_services(psa: Connection, watched: None, ada: Any, grace: Any) -> None:
    info = StreamInfo("projects", "Projects", key=["id"])
    with pytest.raises(Held):
        connections.save_stream(connection=psa, info=info, slug="psa-projects", by=ada)
    assert not psa.streams.exists()
    assert agree(grace).state == "applied"
    stream = psa.streams.get()
    with pytest.raises(Held):
        connections.change_stream(stream, by=ada, cursor_field="changed_at")
    assert psa.streams.get().cursor_field == ""
    assert agree(grace).state == "applied"
    assert psa.streams.get().cursor_field == "changed_at"


# Subscriptions and webhooks -----------------------------------------------------------------------------------------


def subscription(**fields: Any) -> Subscription:
    usual = {"slug": "data", "name": "Data", "url": "https://a.example.com/", "event_types": ["record.changed"]}
    return Subscription(**{**usual, **fields})


def test_a_subscription_waits_with_its_headers(domains: Any, watched: None, ada: Any, grace: Any) -> None:
    kinds = [name for name in events.TYPES if name != events.TEST][:1]
    ReviewPolicy.objects.filter(kind="Subscription").update(path="url")
    made = subscription(event_types=kinds, headers={"X-Key": "s3cr3t"})
    with pytest.raises(Held):
        events.save_subscription(subscription=made, by=ada)
    assert not Subscription.objects.exists()
    assert agree(grace).state == "applied"
    assert Subscription.objects.get().headers == {"X-Key": "s3cr3t"}
    again = Subscription.objects.get()
    again.url, again.headers = "https://b.example.com/", {"X-Key": "n3w"}
    with pytest.raises(Held):
        events.save_subscription(subscription=again, by=ada)
    live = Subscription.objects.get()
    assert (live.url, live.headers) == ("https://a.example.com/", {"X-Key": "s3cr3t"})
    assert not said_anywhere(ChangeRequest.objects.get(state="open"), "n3w")
    agree(grace)
    assert Subscription.objects.get().headers == {"X-Key": "n3w"}


def test_a_webhook_is_held_by_its_form(domains: Any, watched: None, ada: Any, grace: Any) -> None:
    entity = build.entity("project", build.PROJECT)
    stream = build.stream(build.connection("crm"), "deals")
    sync = build.sync("deals", "in", stream, entity, build.PROJECT_RULES)
    made = Endpoint(slug="deals", name="Deals", sync=sync, scheme=Endpoint.Scheme.STANDARD)
    with pytest.raises(Held):
        webhooks.save_endpoint(endpoint=made, by=ada)
    assert not Endpoint.objects.exists()
    assert agree(grace).state == "applied"
    assert Endpoint.objects.get().name == "Deals"
