"""Pages, API and documents of subscriptions: who may what, and secrets that are shown once or never."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from hub.common import home, registry
from hub.events import ladder, services
from hub.events.models import Notification, Subscription
from tests.events.conftest import World
from tests.fakes import http
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = [
    "/subscriptions/", "/subscriptions.csv", "/subscriptions.json", "/subscriptions/data-team/",
    "/subscriptions/data-team/events/", "/subscriptions/data-team/events.csv",
]  # fmt: skip
FORM = {
    "name": "For the lake", "url": "https://lake.example.com/in", "event_types": ["run.failed"], "payload": "full",
    "is_active": "on",
}  # fmt: skip
API = "/api/v1/subscriptions/"


@pytest.fixture
def told(world: World) -> Notification:
    """An event that was delivered at its second attempt."""
    world.receiver.answers = [http.Answer({"error": "try later", "password": "p4ss"}, status=400)] * 2
    world.firm.read(build.project_row(1))
    world.send()
    world.due_now()
    world.send()
    return Notification.objects.get(event__type="record.created")


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_reads_the_pages_and_somebody_without_a_role_none(
    told: Notification, browse: Any, make_person: Any, mallory: Any, path: str
) -> None:
    assert browse(make_person("Vera", "viewer")).get(path).status_code == 200
    assert browse(mallory).get(path).status_code == 403


def test_an_event_shows_each_attempt(told: Notification, browse: Any, ada: Any) -> None:
    text = browse(ada).get(f"/subscriptions/data-team/events/{told.pk}/").content.decode()
    assert str(told.event) in text
    assert "The receiver answered 400." in text
    assert "try later" in text
    assert "p4ss" not in text


def test_what_concerns_another_domain_does_not_exist(
    told: Notification, browse: Any, make_person: Any, domains: dict[str, Any], api: Callable[..., Any]
) -> None:
    Subscription.objects.update(domain=domains["project-wbs"])
    bill = make_person("Bill", ("integration_admin", "billing-gl"))
    client = browse(bill)
    assert b"data-team" not in client.get("/subscriptions/").content
    for path in ("", "settings/", "events/", f"events/{told.pk}/"):
        assert client.get(f"/subscriptions/data-team/{path}").status_code == 404
    for path in ("rotate/", "drop-older/", "on/", "test/", "send-failed/", f"events/{told.pk}/send-again/"):
        assert client.post(f"/subscriptions/data-team/{path}").status_code == 404
    assert api(bill).get(f"{API}data-team/").status_code == 404
    assert api(bill).post(f"{API}data-team/test/").status_code == 404


def test_who_reaches_one_domain_cannot_subscribe_to_the_whole_hub(
    domains: dict[str, Any], browse: Any, make_person: Any, api: Callable[..., Any]
) -> None:
    bill = make_person("Bill", ("integration_admin", "billing-gl"))
    page = browse(bill).post("/subscriptions/new/", FORM)
    assert (page.status_code, "domain" in page.context["form"].errors) == (422, True)
    sent = {"slug": "mine", **FORM, "is_active": True}
    assert "domain" in api(bill).post(API, sent).json()["errors"]
    assert api(bill).post(API, sent | {"domain": "resource"}).status_code == 400
    assert not Subscription.objects.exists()
    assert api(bill).post(API, sent | {"domain": "billing-gl"}).status_code == 201


@pytest.mark.parametrize(
    "path",
    ["new/", "data-team/settings/", "data-team/rotate/", "data-team/on/", "data-team/test/", "data-team/send-failed/"],
)
def test_a_viewer_changes_and_sends_nothing(world: World, browse: Any, make_person: Any, path: str) -> None:
    before = Subscription.objects.get().secrets
    assert browse(make_person("Vera", "viewer")).post(f"/subscriptions/{path}", FORM).status_code == 403
    assert Subscription.objects.get().secrets == before
    assert not Notification.objects.exists()


def test_an_operator_sends_but_changes_nothing(world: World, browse: Any, olga: Any) -> None:
    client = browse(olga)
    assert client.post("/subscriptions/data-team/test/").status_code == 302
    assert Notification.objects.get().event.type == "test"
    assert client.post("/subscriptions/data-team/rotate/").status_code == 403


def test_a_secret_is_shown_once_and_a_header_never(browse: Any, ada: Any) -> None:
    client = browse(ada)
    form = FORM | {"header_lines": "Authorization: Bearer canary-4711\nX-Team: data"}
    page = client.post("/subscriptions/new/", form)
    made = Subscription.objects.get(slug="for-the-lake")
    assert made.secrets["current"] in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    for path in ("", "for-the-lake/", "for-the-lake/settings/"):
        text = client.get(f"/subscriptions/{path}").content.decode()
        assert made.secrets["current"] not in text
        assert "canary" not in text
    assert made.headers == {"Authorization": "Bearer canary-4711", "X-Team": "data"}


def test_headers_that_are_not_named_stay_and_an_empty_one_goes(browse: Any, ada: Any, world: World) -> None:
    Subscription.objects.filter(slug="data-team").update(headers={"Authorization": "x", "X-Team": "data"})
    form = {**FORM, "url": "https://lake.example.com/in", "header_lines": "x-team:"}
    assert browse(ada).post("/subscriptions/data-team/settings/", form).status_code == 302
    assert Subscription.objects.get().headers == {"Authorization": "x"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://lake.example.com/in"}, "url"),
        ({"url": "ftp://lake.example.com/in"}, "url"),
        ({"url": "https://user:secret@lake.example.com/in"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["record.eaten"]}, "event_types"),
        ({"allowed_networks": "10.1"}, "allowed_networks"),
        ({"conditions": "status approved"}, "conditions"),
        ({"conditions": "status: approved"}, "conditions"),
        ({"header_lines": "Webhook-Id: forged"}, "header_lines"),
        ({"header_lines": "Content-Type: text/plain"}, "header_lines"),
        ({"header_lines": "A B: c"}, "header_lines"),
        ({"secret": "whsec_short"}, "secret"),
        ({"slug": "new"}, "slug"),
    ],
)
def test_what_a_subscription_cannot_be_is_said_at_its_field(
    domains: Any, browse: Any, ada: Any, change: dict[str, Any], field: str
) -> None:
    page = browse(ada).post("/subscriptions/new/", FORM | change)
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not Subscription.objects.exists()


def test_failed_events_are_sent_again_since_a_moment(told: Notification, browse: Any, ada: Any) -> None:
    Notification.objects.update(state="failed", attempts=len(ladder.LADDER) + 1)
    client = browse(ada)
    assert client.post("/subscriptions/data-team/send-failed/", {"since": "soon"}).status_code == 422
    assert client.post("/subscriptions/data-team/send-failed/", {"since": "24h"}).status_code == 302
    assert set(Notification.objects.values_list("state", "attempts")) == {("pending", 0)}


def test_a_subscription_that_was_switched_off_waits_for_somebody(world: World, browse: Any, ada: Any, rf: Any) -> None:
    Subscription.objects.update(disabled_at="2026-11-01T00:00:00Z", disabled_reason="It has failed for 5 days.")
    request = rf.get("/")
    request.user = ada
    assert "not told of events any more" in home.needs_for(request)[0].title
    client = browse(ada)
    assert b"It has failed for 5 days." in client.get("/subscriptions/data-team/").content
    client.post("/subscriptions/data-team/on/")
    assert Subscription.objects.get().is_on


# API -------------------------------------------------------------------------------------------------------
def test_the_api_makes_changes_and_looks(told: Notification, ada: Any, api: Callable[..., Any]) -> None:
    client = api(ada)
    made = client.post(API, {"slug": "lake", **FORM, "is_active": True, "headers": {"X-Key": "canary"}})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    shown = client.get(f"{API}lake/")
    assert (shown.json()["header_names"], "canary" in shown.content.decode()) == (["X-Key"], False)
    assert "secret" not in shown.json()
    assert client.patch(f"{API}lake/", {"name": "Lake"}).json()["name"] == "Lake"
    rotated = client.post(f"{API}lake/rotate-secret/", {}).json()
    assert rotated["secret"] != made.json()["secret"]
    assert rotated["has_previous_secret"]
    assert not client.post(f"{API}lake/drop-older-secret/").json()["has_previous_secret"]
    event = client.get(f"{API}data-team/events/?state=delivered").json()["results"][-1]
    detail = client.get(f"{API}data-team/events/{event['id']}/").json()
    assert (detail["event_id"], len(detail["tries"])) == (detail["body"]["id"], 2)
    assert client.post(f"{API}data-team/events/{event['id']}/send-again/").json()["state"] == "pending"
    assert client.post(f"{API}data-team/send-failed/", {"since": "7d"}).json() == {"number": 0}
    assert client.post(f"{API}data-team/test/").status_code == 202


# Documents -------------------------------------------------------------------------------------------------
def test_a_subscription_is_written_down_without_secrets_and_comes_back(
    world: World, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = world.again()
    found.entity, found.only_when = world.firm.inbound.entity, {"status": ["active"]}
    found.headers = {"Authorization": "Bearer canary"}
    services.save_subscription(subscription=found, by=None)
    kind = registry.kind("Subscription")
    document = kind.dump("data-team")
    text = yaml.safe_dump(document)
    assert "canary" not in text
    assert world.receiver.secret not in text
    assert kind.validate(document) == []
    assert kind.diff(document) == []
    Subscription.objects.all().delete()
    monkeypatch.setenv("HUB_SECRET_DATA_TEAM_CURRENT", world.receiver.secret)
    monkeypatch.setenv("HUB_SECRET_DATA_TEAM_HEADER_AUTHORIZATION", "Bearer canary")
    kind.apply(document, by=ada)
    back = Subscription.objects.get()
    assert (back.secrets, back.headers) == ({"current": world.receiver.secret}, {"Authorization": "Bearer canary"})
    assert kind.diff(document) == []
    monkeypatch.setenv("HUB_SECRET_DATA_TEAM_HEADER_AUTHORIZATION", "Bearer other")
    assert [change.path for change in kind.diff(document)] == ["headers"]


def test_the_example_of_the_documents_is_valid(world: World) -> None:
    from tests.events.test_sending import DOCUMENT

    examples = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    documents = {document["kind"]: document for document in map(yaml.safe_load, examples)}
    assert set(documents) == {"EventType", "Subscription"}
    assert registry.kind("Subscription").validate(documents["Subscription"]) == []
