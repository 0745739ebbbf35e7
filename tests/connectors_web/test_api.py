from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from connectors.models import Connection, Stream, System
from hub.accounts.models import User
from tests.connectors_web.conftest import DECLARATION, LOOPBACK, PROJECTS, TOKEN
from tests.connectors_web.test_views import use
from tests.fakes.http import FakeServer, serve

API = "/api/v1"


def api_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def api(ada: User) -> APIClient:
    return api_of(ada)


@pytest.fixture
def body(remote: FakeServer, db: Any) -> dict[str, Any]:
    System.objects.create(slug="acme-time", name="Acme Time", category="psa")
    return {
        "name": "Acme production",
        "system": "acme-time",
        "catalogue": "acme",
        "config": {"site": remote.url},
        "secrets": {"token": TOKEN},
        "allowed_networks": [LOOPBACK],
    }


# --- connections ----------------------------------------------------------------------------------------------------


def test_a_connection_is_made_and_tested(api: APIClient, body: dict[str, Any]) -> None:
    made = api.post(f"{API}/connections/", body)
    assert made.status_code == 201, made.json()
    found = made.json()
    assert (found["slug"], found["protocol"], found["status"]) == ("acme-production", "rest", "untested")
    assert (found["time_zone"], found["stored_secrets"]) == ("Europe/London", ["token"])
    assert "secrets" not in found
    result = api.post(f"{API}/connections/acme-production/test/").json()
    assert result["ok"]
    assert [step["name"] for step in result["steps"]] == ["resolve", "connect", "authenticate", "read"]
    assert api.get(f"{API}/connections/acme-production/").json()["signed_in_as"] == "hub@acme.example"


def test_an_account_is_tested_before_it_is_stored(api: APIClient, body: dict[str, Any]) -> None:
    values = {name: body[name] for name in ("catalogue", "config", "allowed_networks")}
    result = api.post(f"{API}/connections/test/", {**values, "secrets": {"token": "wrong-token"}}).json()
    assert not result["ok"]
    assert "Token expired on Tuesday" in result["steps"][-1]["cause"]
    assert api.post(f"{API}/connections/test/", {**values, "secrets": {"token": TOKEN}}).json()["ok"]
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"catalogue": "nobody"}, "catalogue", "The catalogue has no connector 'nobody'"),
        ({"catalogue": ""}, "catalogue", "Say which connector"),
        ({"config": {}}, "config.site", "Site address is needed."),
        ({"secrets": {}}, "secrets.token", "API token is needed."),
        ({"secrets": {"token": "x", "tokn": "y"}}, "secrets.tokn", "It has: proxy_key, token."),
        ({"time_zone": "London"}, "time_zone", "is not a time zone"),
        ({"allowed_networks": ["intranet"]}, "allowed_networks", "is not a network"),
        ({"slug": "streams"}, "non_field_errors", "a word of the hub's own addresses"),
        ({"domain": "nowhere"}, "domain", "nowhere"),
    ],
)
def test_a_mistake_is_named_by_field(
    api: APIClient, body: dict[str, Any], change: dict[str, Any], path: str, sentence: str
) -> None:
    answer = api.post(f"{API}/connections/", {**body, **change})
    assert answer.status_code == 400
    assert sentence in " ".join(answer.json()["errors"][path])
    assert not Connection.objects.exists()


def test_a_value_that_does_not_fit_is_named(api: APIClient, body: dict[str, Any], remote: FakeServer) -> None:
    config = {"site": remote.url, "region": "mars", "token": TOKEN}
    errors = api.post(f"{API}/connections/", {**body, "config": config}).json()["errors"]
    assert "Use one of: eu, us." in errors["config.region"][0]
    assert "write it under `secrets`" in errors["config.token"][0]


def test_a_description_of_ones_own(api: APIClient, body: dict[str, Any], remote: FakeServer) -> None:
    own = {**body, "catalogue": "", "protocol": "rest", "config": {"site": remote.url, "declaration": DECLARATION}}
    assert api.post(f"{API}/connections/", own).status_code == 201
    broken = {**own, "slug": "b", "config": {"declaration": DECLARATION.replace("bearer", "barer")}}
    errors = api.post(f"{API}/connections/", broken).json()["errors"]
    assert "Line 14" in errors["config.declaration"][0]


def test_changing_a_connection_keeps_what_is_not_sent(api: APIClient, connection: Connection) -> None:
    answer = api.patch(f"{API}/connections/acme/", {"name": "Renamed", "slug": "other", "catalogue": "other"})
    assert answer.status_code == 200
    connection.refresh_from_db()
    assert (connection.name, connection.slug, connection.catalogue) == ("Renamed", "acme", "acme")
    assert connection.secrets == {"token": TOKEN}


def test_an_optional_secret_is_removed_by_null(api: APIClient, connection: Connection) -> None:
    api.patch(f"{API}/connections/acme/", {"secrets": {"proxy_key": "abcdef"}})
    assert api.get(f"{API}/connections/acme/").json()["stored_secrets"] == ["proxy_key", "token"]
    api.patch(f"{API}/connections/acme/", {"secrets": {"proxy_key": None}})
    assert api.get(f"{API}/connections/acme/").json()["stored_secrets"] == ["token"]
    assert api.patch(f"{API}/connections/acme/", {"secrets": {"token": None}}).status_code == 400


def test_a_stored_secret_is_not_sent_to_another_address(api: APIClient, connection: Connection) -> None:
    with serve(lambda request: {"email": "x"}) as thief:
        answer = api.patch(f"{API}/connections/acme/", {"config": {"site": thief.url}})
        assert answer.status_code == 400
        assert "is not sent to another address" in answer.json()["errors"]["secrets.token"][0]
        again = {"config": {"site": thief.url}, "secrets": {"token": "a-new-one"}}
        assert api.patch(f"{API}/connections/acme/", again).status_code == 200


def test_pausing_and_resuming(api: APIClient, connection: Connection) -> None:
    assert api.post(f"{API}/connections/acme/pause/").json()["is_paused"] is True
    assert api.get(f"{API}/connections/acme/discover/").status_code == 422
    assert api.post(f"{API}/connections/acme/resume/").json()["is_paused"] is False


def test_discovering(api: APIClient, connection: Connection) -> None:
    found = api.get(f"{API}/connections/acme/discover/").json()
    assert [(each["name"], each["key"], each["cursor"]) for each in found] == [
        ("projects", ["id"], "updated_at"),
        ("people", ["id"], ""),
    ]
    assert found[0]["fields"][0]["title"] == "Project id"


def test_the_list_is_filtered(api: APIClient, make_connection: Any) -> None:
    make_connection("one")
    make_connection("two", is_paused=True)
    found = api.get(f"{API}/connections/?is_paused=true").json()["results"]
    assert [each["slug"] for each in found] == ["two"]
    assert len(api.get(f"{API}/connections/?system__category=psa").json()["results"]) == 2


def test_what_is_used_is_not_removed(api: APIClient, connection: Connection, stream: Stream) -> None:
    use(stream)
    for path in ("connections/acme/", "streams/acme-projects/", "systems/acme-time/"):
        answer = api.delete(f"{API}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "IN_USE")
        assert "is used by" in answer.json()["detail"]
    stream.mappings.all().delete()
    for path in ("streams/acme-projects/", "connections/acme/", "systems/acme-time/"):
        assert api.delete(f"{API}/{path}").status_code == 204


# --- permissions ----------------------------------------------------------------------------------------------------


def test_a_viewer_reads_and_does_nothing_else(make_person: Any, connection: Connection, stream: Stream) -> None:
    viewer = api_of(make_person("Vera", "viewer"))
    for path in (
        "connections/",
        "connections/acme/",
        "systems/",
        "streams/acme-projects/",
        "catalogue/catalogue:acme/",
    ):
        assert viewer.get(f"{API}/{path}").status_code == 200
    for path in ("connections/acme/discover/", "streams/acme-projects/samples/"):
        assert viewer.get(f"{API}/{path}").status_code == 403, "real records and calls are for those who may edit"
    for path in ("connections/", "connections/test/", "connections/acme/test/", "connections/acme/pause/", "streams/"):
        assert viewer.post(f"{API}/{path}", {}).status_code == 403
    assert viewer.patch(f"{API}/connections/acme/", {"name": "x"}).status_code == 403
    assert viewer.delete(f"{API}/connections/acme/").status_code == 403


def test_nobody_and_somebody_without_a_role_get_nothing(mallory: User, connection: Connection) -> None:
    assert Client().get(f"{API}/connections/").status_code == 401
    assert api_of(mallory).get(f"{API}/connections/").status_code == 403


def test_a_role_for_one_domain_ends_at_its_border(
    make_person: Any, make_connection: Any, domains: Any, body: dict[str, Any]
) -> None:
    first, second = list(domains)[:2]
    make_connection("theirs", domain=domains[second])
    dan = api_of(make_person("Dan", ("integration_admin", first)))
    assert dan.get(f"{API}/connections/").json()["results"] == []
    assert dan.post(f"{API}/connections/theirs/pause/").status_code == 404
    for domain in (second, None):
        assert dan.post(f"{API}/connections/", {**body, "domain": domain}).status_code == 400
    assert dan.post(f"{API}/connections/", body).status_code == 400, "left out means the whole firm"
    assert dan.post(f"{API}/connections/", {**body, "domain": first}).status_code == 201
    stolen = {"connection": "theirs", "name": "projects"}
    assert "connection" in dan.post(f"{API}/streams/", stolen).json()["errors"]


# --- streams, systems, kinds ----------------------------------------------------------------------------------------


def test_choosing_an_object_asks_the_system_what_it_looks_like(api: APIClient, connection: Connection) -> None:
    made = api.post(f"{API}/streams/", {"connection": "acme", "name": "projects", "page_size": 500})
    assert made.status_code == 201, made.json()
    found = made.json()
    assert (found["slug"], found["key_fields"], found["cursor_field"]) == ("acme-projects", ["id"], "updated_at")
    assert (found["page_size"], len(found["fields"])) == (500, 4)
    again = api.post(f"{API}/streams/", {"connection": "acme", "name": "projects"})
    assert again.json()["errors"]["name"] == ["'projects' is chosen already."]
    assert api.post(f"{API}/streams/", {"connection": "acme", "name": "gone"}).status_code == 422


def test_an_object_may_be_described_without_asking(api: APIClient, connection: Connection, remote: FakeServer) -> None:
    fields = [{"path": "id"}, {"path": "amount", "type": "decimal"}]
    body = {"connection": "acme", "name": "people", "key_fields": ["id"], "fields": fields}
    assert api.post(f"{API}/streams/", body).status_code == 201
    assert not remote.requests
    assert [field["type"] for field in Stream.objects.get().fields] == ["string", "decimal"]


def test_samples_and_fields_of_an_object(api: APIClient, stream: Stream) -> None:
    assert api.get(f"{API}/streams/acme-projects/samples/").json()["records"] == PROJECTS[:5]
    assert len(api.post(f"{API}/streams/acme-projects/refresh/").json()["fields"]) == 4


def test_a_source_schema_is_checked(api: APIClient, stream: Stream) -> None:
    answer = api.patch(f"{API}/streams/acme-projects/", {"source_schema": {"type": "thing"}})
    assert "This is not JSON Schema" in answer.json()["errors"]["source_schema"][0]
    good = {"source_schema": {"type": "object"}, "name": "other", "slug": "other"}
    assert api.patch(f"{API}/streams/acme-projects/", good).status_code == 200
    stream.refresh_from_db()
    assert (stream.source_schema, stream.name, stream.slug) == ({"type": "object"}, "projects", "acme-projects")


def test_systems(api: APIClient) -> None:
    made = api.post(f"{API}/systems/", {"name": "Finance ERP", "category": "erp"})
    assert made.json()["slug"] == "finance-erp"
    assert api.patch(f"{API}/systems/finance-erp/", {"slug": "x", "name": "ERP"}).json()["slug"] == "finance-erp"
    assert api.post(f"{API}/systems/", {"name": "Other", "slug": "finance-erp"}).status_code == 400


def test_the_catalogue_tells_what_each_kind_asks_for(api: APIClient) -> None:
    kind = api.get(f"{API}/catalogue/catalogue:acme/").json()
    assert (kind["catalogue"], kind["protocol"], kind["category"]) == ("acme", "", "psa")
    fields = {field["name"]: field for field in kind["fields"]}
    assert list(fields) == ["site", "token", "region", "page_hint", "proxy_key"]
    assert fields["token"]["secret"]
    assert fields["region"]["enum"] == ["eu", "us"]
    assert [each["kind"] for each in api.get(f"{API}/catalogue/?q=hours and").json()] == ["catalogue:acme"]
    assert api.get(f"{API}/catalogue/catalogue:nobody/").status_code == 404


def test_every_operation_is_described(api: APIClient) -> None:
    schema = json.loads(api.get("/api/schema/?format=json").content)
    paths = schema["paths"]
    for path in ("connections/{slug}/test/", "connections/test/", "streams/{slug}/samples/", "catalogue/", "systems/"):
        assert f"/api/v1/{path}" in paths
    assert "secrets" not in schema["components"]["schemas"]["Connection"]["properties"]
    assert "secrets" in schema["components"]["schemas"]["ConnectionRequest"]["properties"]
