"""The API of entities, contracts and fields does what the pages do, with the same rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from governance.models import Contract, ContractVersion, Entity
from governance.services import load_canonical_model, save_field
from hub.accounts.services import create_token

pytestmark = pytest.mark.django_db
Call = Callable[..., APIClient]

ENTITY = {"slug": "purchase_order", "name": "Purchase order", "domain": "billing-gl", "key_fields": ["order", "line"]}
FIELD = {"name": "region_code", "title": "Region code", "values": ["N", "S"], "example": "N"}


@pytest.fixture(autouse=True)
def model(domains: Any) -> None:
    load_canonical_model()


@pytest.fixture
def call() -> Call:
    """call(ada): a client that carries a token of hers."""

    def client(user: Any, *, read_only: bool = False) -> APIClient:
        _, secret = create_token(user, name="test", days=None, by=user, is_read_only=read_only)
        made = APIClient()
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return made

    return client


@pytest.fixture
def api(ada: Any, call: Call) -> APIClient:
    return call(ada)


@pytest.fixture
def otto(make_person: Any) -> Any:
    return make_person("Otto", ("integration_admin", "project-wbs"), "viewer")


def active(slug: str) -> ContractVersion:
    return ContractVersion.objects.get(contract__slug=slug, status="active")


def test_entities_are_listed_by_pages(api: APIClient) -> None:
    first = api.get("/api/v1/entities/?page_size=20").json()
    rest = api.get(first["next"]).json()
    assert len(first["results"]) == 20
    assert len(rest["results"]) == 6
    assert {row["slug"] for row in first["results"] + rest["results"]} >= {"project", "invoice"}


def test_an_entity_is_read_by_its_short_name(api: APIClient) -> None:
    found = api.get("/api/v1/entities/project/").json()
    assert (found["domain"], found["contract"], found["load_order"]) == ("project-wbs", "project", 40)


def test_an_entity_is_made_with_its_contract(api: APIClient, ada: Any) -> None:
    response = api.post("/api/v1/entities/", ENTITY)
    assert response.status_code == 201
    assert active("purchase_order").schema["required"] == ["order", "line"]
    assert active("purchase_order").created_by == ada
    assert Entity.objects.get(slug="purchase_order").history.get().history_user == ada


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"slug": "project"}, 400, "already exists"),
        ({"slug": "a b"}, 400, "valid"),
        ({"domain": "nowhere"}, 400, "does not exist"),
        ({"name": ""}, 400, "blank"),
        ({"key_fields": ["Order No"]}, 422, "cannot be the name of a field"),
    ],
)
def test_an_entity_that_cannot_be_made_is_explained(
    api: APIClient, changes: dict[str, Any], status: int, words: str
) -> None:
    response = api.post("/api/v1/entities/", ENTITY | changes)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert words in response.content.decode()


def test_an_entity_changes(api: APIClient) -> None:
    response = api.patch("/api/v1/entities/skill/", {"description": "What people can do.", "max_wait_seconds": 60})
    assert response.status_code == 200
    assert response.json()["description"] == "What people can do."
    assert Entity.objects.get(slug="skill").max_wait_seconds == 60


def test_the_short_name_of_an_entity_never_changes(api: APIClient) -> None:
    assert api.patch("/api/v1/entities/skill/", {"slug": "talent"}).json()["slug"] == "skill"


def test_nothing_is_moved_into_a_domain_in_which_one_may_not_edit(otto: Any, call: Call) -> None:
    client = call(otto)
    assert client.post("/api/v1/entities/", ENTITY).status_code == 400
    response = client.patch("/api/v1/entities/project/", {"domain": "billing-gl"})
    assert "Your roles do not let you edit contracts of this domain." in response.content.decode()


def test_a_contract_is_read_with_its_schema(api: APIClient) -> None:
    found = api.get("/api/v1/contracts/gl_posting/").json()
    assert (found["version"], found["mode"], found["entity"]) == (1, "discard_value", "gl_posting")
    assert found["key"] == ["legal_entity", "journal", "line_number"]
    assert list(found["schema"]["properties"])[:3] == found["key"]


def test_what_happens_to_unknown_fields_changes_without_a_version(api: APIClient) -> None:
    assert api.patch("/api/v1/contracts/skill/", {"mode": "freeze"}).json()["mode"] == "freeze"
    assert Contract.objects.get(slug="skill").mode == "freeze"
    assert api.patch("/api/v1/contracts/skill/", {"mode": "melt"}).status_code == 400
    assert active("skill").number == 1


def test_versions_are_listed_newest_first(api: APIClient) -> None:
    save_field(
        contract=Contract.objects.get(slug="skill"), name="desk", spec={"type": "string"}, required=False, by=None
    )
    rows = api.get("/api/v1/contracts/skill/versions/").json()["results"]
    assert [(row["number"], row["status"]) for row in rows] == [(2, "active"), (1, "deprecated")]
    assert api.get("/api/v1/contracts/skill/versions/1/").json()["note"] == "First version."
    assert api.get("/api/v1/contracts/skill/versions/9/").status_code == 404


def test_fields_are_listed_in_the_words_of_the_form(api: APIClient) -> None:
    rows = {row["name"]: row for row in api.get("/api/v1/contracts/time_entry/fields/").json()}
    assert rows["number"]["is_key"] is True
    assert rows["project"]["reference"] == "project"
    assert (rows["amount"]["type"], rows["amount"]["money"]) == ("decimal", "currency")
    assert rows["cost_rate"]["classification"] == "restricted"
    assert api.get("/api/v1/contracts/time_entry/fields/status/").json()["values"][0] == "draft"


def test_a_field_is_added_changed_and_removed(api: APIClient) -> None:
    made = api.post("/api/v1/contracts/project/fields/", FIELD)
    assert (made.status_code, made.json()["spec"]["enum"]) == (201, ["N", "S", None])
    path = "/api/v1/contracts/project/fields/region_code/"
    assert api.put(path, {"required": True}).json()["spec"]["enum"] == ["N", "S"]
    assert active("project").schema["required"] == ["code", "name", "region_code"]
    assert api.delete(path).status_code == 204
    assert active("project").number == 4
    assert api.get(path).status_code == 404


def test_a_change_that_changes_nothing_makes_no_version(api: APIClient) -> None:
    field = api.get("/api/v1/contracts/time_entry/fields/hours/").json()
    assert api.put("/api/v1/contracts/time_entry/fields/hours/", field).status_code == 200
    assert active("time_entry").number == 1


@pytest.mark.parametrize(
    ("field", "status", "words"),
    [
        ({"name": "code"}, 422, "already has a field"),
        ({"name": "Region"}, 400, "required pattern"),
        ({"example": "West"}, 422, "not one of N, S"),
        ({"reference": "nothing", "values": [], "example": ""}, 422, "There is no entity"),
        ({"money": "nothing", "values": [], "example": ""}, 422, "could hold the currency"),
        ({"classification": "secret"}, 400, "not a valid choice"),
        ({"type": "money"}, 400, "not a valid choice"),
    ],
)
def test_a_field_that_cannot_be_saved_is_explained(
    api: APIClient, field: dict[str, Any], status: int, words: str
) -> None:
    response = api.post("/api/v1/contracts/project/fields/", FIELD | field)
    assert response.status_code == status
    assert words in response.content.decode()
    assert active("project").number == 1


def test_a_key_field_cannot_be_removed(api: APIClient) -> None:
    response = api.delete("/api/v1/contracts/project/fields/code/")
    assert response.status_code == 422
    assert response.json()["detail"] == "The field is part of the key and cannot be removed."


# Who may --------------------------------------------------------------------------------------------------

WRITES = [
    ("post", "entities/", ENTITY),
    ("patch", "entities/project/", {"name": "X"}),
    ("patch", "contracts/project/", {"mode": "freeze"}),
    ("post", "contracts/project/fields/", FIELD),
    ("put", "contracts/project/fields/name/", {"title": "X"}),
    ("delete", "contracts/project/fields/region/", None),
]
READS = [
    "entities/",
    "entities/project/",
    "contracts/",
    "contracts/project/",
    "contracts/project/versions/",
    "contracts/project/versions/1/",
    "contracts/project/fields/",
    "contracts/project/fields/code/",
]


def test_without_a_token_nothing_is_answered() -> None:
    for path in READS:
        assert APIClient().get(f"/api/v1/{path}").status_code == 401


def test_without_a_role_nothing_is_answered(mallory: Any, call: Call) -> None:
    for path in READS:
        assert call(mallory).get(f"/api/v1/{path}").status_code == 403


def test_who_may_only_look_changes_nothing(olga: Any, ada: Any, call: Call) -> None:
    for client in (call(olga), call(ada, read_only=True)):
        for path in READS:
            assert client.get(f"/api/v1/{path}").status_code == 200, path
        for method, path, data in WRITES:
            assert getattr(client, method)(f"/api/v1/{path}", data).status_code == 403, path


def test_other_domains_are_not_there(make_person: Any, call: Call) -> None:
    client = call(make_person("Vera", ("integration_admin", "resource")))
    assert {row["slug"] for row in client.get("/api/v1/contracts/").json()["results"]} >= {"resource", "skill"}
    for path in READS[1::2]:
        assert client.get(f"/api/v1/{path}").status_code == 404, path
    for method, path, data in WRITES[1:]:
        assert getattr(client, method)(f"/api/v1/{path}", data).status_code == 404, path


def test_looking_everywhere_is_not_editing_everywhere(otto: Any, call: Call) -> None:
    client = call(otto)
    assert client.get("/api/v1/contracts/invoice/").status_code == 200
    assert client.post("/api/v1/contracts/invoice/fields/", FIELD).status_code == 404
    assert client.post("/api/v1/contracts/project/fields/", FIELD).status_code == 201
