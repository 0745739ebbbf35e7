"""APIs and consumers by forms and documents: what is saved is what is served, and each layer describes itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.consumers import of
from governance.models import AuditEntry, Entity
from hub.common.registry import kind
from hub.gateway.models import Api, Consumer, ConsumerToken
from tests.gateway.conftest import Portal

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = {"name": "Project 360", "path": "project-360", "version": "1", "domain": "project-wbs", "state": "active"}
NO_ROWS = {"r-TOTAL_FORMS": "1", "r-INITIAL_FORMS": "0", "r-0-how": "by", "r-0-limit": "20"}


@pytest.fixture
def page(portal: Portal, client: Any, ada: Any) -> Any:
    client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_an_experience_is_made_by_its_form_and_served(page: Any, portal: Portal) -> None:
    given = {**HEAD, "entity": "project", "fields_": "code, name", "values": "twice: $number(record.budget) * 2",
             **NO_ROWS, "r-0-name": "time", "r-0-entity": "time_entry", "r-0-field": "project", "r-0-totals": "hours",
             "r-0-only_when": "status: approved, billed"}  # fmt: skip
    answer = page.post("/apis/new/experience/", given)
    assert answer.status_code == 302, answer.content.decode()
    found = Api.objects.get()
    assert found.definition == {
        "entity": "project", "fields": ["code", "name"], "values": {"twice": "$number(record.budget) * 2"},
        "relations": {"time": {"entity": "time_entry", "by": "project", "totals": ["hours"],
                               "only_when": {"status": ["approved", "billed"]}}},
    }  # fmt: skip
    shown = page.get(found.get_absolute_url()).content.decode()
    assert "/gateway/experience/project-360/v1/KEY/" in shown
    form = page.get(f"/apis/{found.slug}/change/").content.decode()
    assert "status: approved, billed" in form
    assert AuditEntry.objects.filter(act="api.saved").count() == 1


@pytest.mark.parametrize(
    ("layer", "given", "sentence"),
    [
        ("system", {"entity": "project", "operations": ["lookup"]}, "needs the stream"),
        ("system", {"entity": "project", "operations": ["write"]}, "name the one whose sync"),
        ("experience", {"entity": "project", "fields_": "colour", **NO_ROWS}, "no field &#x27;colour&#x27;"),
        ("experience", {"entity": "project", **NO_ROWS, "r-0-name": "time"}, "Say of which entity"),
        ("experience", {"entity": "project", "sunset_on": "soon", **NO_ROWS}, "is not a day"),
    ],
)
def test_a_form_that_is_not_right_says_so_and_saves_nothing(
    page: Any, layer: str, given: dict[str, Any], sentence: str
) -> None:
    answer = page.post(f"/apis/new/{layer}/", {**HEAD, **given})
    assert (answer.status_code in (200, 422), sentence in answer.content.decode()) == (True, True)
    assert not Api.objects.exists()


def test_a_consumer_is_registered_gets_a_token_once_and_loses_it(page: Any, portal: Portal) -> None:
    portal.offer("SystemApi", "projects", entity="project")
    given = {
        "name": "Portal",
        "owner": "Digital",
        "per_minute": "60",
        "is_active": "on",
        "grants": "system/projects:read",
    }
    assert page.post("/consumers/new/", given).status_code == 302
    made = page.post("/consumers/portal/tokens/", {"days": "30"})
    token = made.context["token"]
    assert token in made.content.decode()
    assert token not in page.get("/consumers/portal/").content.decode()
    assert portal.call("GET", "system/projects/v1/", token=token)[0] == 200
    page.post(f"/consumers/portal/tokens/{ConsumerToken.objects.get().pk}/revoke/")
    assert portal.call("GET", "system/projects/v1/", token=token)[0] == 401
    acts = set(AuditEntry.objects.filter(kind="Consumer").values_list("act", flat=True))
    assert acts == {"consumer.saved", "consumer.token_made", "consumer.token_revoked"}
    assert not any(token in json.dumps(entry.details) for entry in AuditEntry.objects.all())


def test_lists_are_empty_then_full_and_exported(page: Any, portal: Portal) -> None:
    assert "No APIs yet" in page.get("/apis/").content.decode()
    assert "No consumers yet" in page.get("/consumers/").content.decode()
    portal.offer("SystemApi", "projects", entity="project")
    portal.register({"system/projects": ["read"]})
    portal.call("GET", "system/projects/v1/")
    assert "/gateway/system/projects/v1/" in page.get("/apis/").content.decode()
    assert "Portal" in page.get("/consumers/").content.decode()
    assert "projects" in b"".join(page.get("/apis.csv").streaming_content).decode()
    assert "portal" in b"".join(page.get("/consumers.csv").streaming_content).decode()


def test_people_of_another_domain_and_those_who_only_look_change_nothing(
    portal: Portal, client: Any, make_person: Any
) -> None:
    portal.offer("SystemApi", "projects", entity="project")
    viewer = make_person("vera", "viewer")
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/apis/projects/").status_code == 200
    assert client.post("/apis/new/system/", HEAD).status_code == 403
    assert client.post("/consumers/new/", {}).status_code == 403


def test_exported_and_applied_again_nothing_changes(portal: Portal) -> None:
    portal.offer("ExperienceApi", "project-360", entity="project", fields=["code"], values={"a": "1"})
    portal.offer("SystemApi", "projects", entity="project", operations=["read"], sunset_on="2027-01-01")
    portal.register({"system/projects": ["read"]}, per_minute=60)
    for name, slug in (("ExperienceApi", "project-360"), ("SystemApi", "projects"), ("Consumer", "portal")):
        document = kind(name).dump(slug)
        assert document is not None
        assert kind(name).diff(document) == []
        kind(name).apply(document, by=None)
        assert kind(name).dump(slug) == document
    assert list(kind("ProcessApi").slugs()) == []


@pytest.mark.parametrize("layer", ["system", "process", "experience"])
def test_each_layer_describes_itself_in_openapi(page: Any, portal: Portal, layer: str) -> None:
    portal.endpoint()
    portal.offer("SystemApi", "projects", entity="project", operations=["read", "lookup", "write"],
                 stream="psa-projects", endpoint="projects-in")  # fmt: skip
    portal.offer("ExperienceApi", "project-360", entity="project", state="deprecated",
                 relations={"time": {"entity": "time_entry", "by": "project"}})  # fmt: skip
    found = json.loads(page.get(f"/apis/openapi/{layer}.json").content)
    assert (found["openapi"], found["info"]["version"]) == ("3.1.1", "1")
    acts = [act for item in found["paths"].values() for act in item.values()]
    ids = [act["operationId"] for act in acts]
    assert len(ids) == len(set(ids)) == {"system": 5, "process": 0, "experience": 1}[layer]
    for path, item in found["paths"].items():
        for act in item.values():
            named = {each["name"] for each in act.get("parameters", ()) if each.get("in") == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert set(act["responses"]) >= {"default"}
    text = json.dumps(found)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        node: Any = found
        for step in reference.split("/"):
            node = node[step]
    if layer == "experience":
        assert acts[0]["deprecated"] is True


def test_an_api_is_a_consumer_of_the_contract_that_it_gives_away(portal: Portal) -> None:
    portal.offer("SystemApi", "projects", entity="project", fields=["code"])
    found = [each for each in of(Entity.objects.get(slug="project")) if each.kind == "SystemApi"]
    assert [(each.name, each.fields, each.way) for each in found] == [("projects", frozenset({"code"}), "reads")]


def test_only_a_draft_is_deleted(page: Any, portal: Portal) -> None:
    portal.offer("SystemApi", "projects", entity="project")
    page.post("/apis/projects/delete/")
    assert Api.objects.count() == 1
    Api.objects.update(state="draft")
    page.post("/apis/projects/delete/")
    assert Api.objects.count() == 0
    portal.register({})
    page.post("/consumers/portal/delete/")
    assert Consumer.objects.count() == 0
