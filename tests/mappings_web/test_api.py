"""Mappings and value maps over the API: the same rules as on the pages."""

from __future__ import annotations

import json

import pytest

from hub.accounts.models import Domain
from mappings.models import Mapping, MappingVersion, ValueMap
from tests.sync import builders as build

pytestmark = pytest.mark.django_db


@pytest.fixture
def mapping(domains) -> Mapping:
    stream = build.stream(build.connection("psa"), "projects")
    return build.sync("psa-projects", "in", stream, build.entity("project", build.PROJECT), build.PROJECT_RULES).mapping


def send(client, method, path, data):
    return getattr(client, method)(f"/api/v1/{path}", json.dumps(data), content_type="application/json")


RECORD = {"code": "P-1", "title": "One", "budget": "10.00", "currency": "EUR", "status": "active"}


def test_a_draft_is_saved_tried_and_put_into_force(mapping, ada, browse):
    client = browse(ada)
    rules = [*build.PROJECT_RULES, {"target": "customer", "kind": "constant", "value": "C-1"}]
    assert send(client, "put", "mappings/psa-projects/draft/", {"rules": rules}).status_code == 200
    tried = send(client, "post", "mappings/psa-projects/preview/", {"records": [RECORD]}).json()
    assert tried["results"][0]["mapped"]["customer"] == "C-1"
    active = send(client, "post", "mappings/psa-projects/activate/", {"note": "customer added"})
    assert active.status_code == 200, active.content
    assert client.get("/api/v1/mappings/psa-projects/").json()["active_version"] == active.json()["number"]
    assert [v["status"] for v in client.get("/api/v1/mappings/psa-projects/versions/").json()] == [
        "active",
        "superseded",
    ]


def test_a_draft_that_leaves_a_required_field_empty_is_not_put_into_force(mapping, ada, browse):
    client = browse(ada)
    send(client, "put", "mappings/psa-projects/draft/", {"rules": [{"target": "code", "source": "code"}]})
    refused = send(client, "post", "mappings/psa-projects/activate/", {})
    assert refused.status_code == 422
    found = send(client, "post", "mappings/psa-projects/validate/", {}).json()
    assert (found["required_mapped"], found["required_total"]) == (1, 2)
    assert "error" in {problem["severity"] for problem in found["problems"]}


def test_a_record_that_cannot_be_mapped_says_why_and_nothing_is_written(mapping, ada, browse):
    before = MappingVersion.objects.count()
    data = {"records": [{**RECORD, "budget": "ten"}]}
    tried = send(browse(ada), "post", "mappings/psa-projects/preview/", data).json()
    assert "ten" in tried["results"][0]["reasons"][0]
    assert MappingVersion.objects.count() == before


def test_wrong_rules_get_sentences(mapping, ada, browse):
    answer = send(browse(ada), "put", "mappings/psa-projects/draft/", {"rules": [{"target": "x", "kind": "magic"}]})
    assert answer.status_code == 422
    assert "magic" in answer.json()["detail"]


def test_finance_edits_value_maps_but_no_mappings(mapping, finn, browse):
    client = browse(finn)
    assert send(client, "put", "mappings/psa-projects/draft/", {"rules": []}).status_code in (403, 404)
    made = send(client, "post", "value-maps/", {"slug": "status", "name": "Status"})
    assert made.status_code == 201, made.content
    entries = [{"source": "A", "target": "active", "valid_from": "2026-01-01"}, {"source": "B", "target": "closed"}]
    saved = send(client, "put", "value-maps/status/entries/", {"entries": entries})
    assert saved.status_code == 200, saved.content
    assert client.get("/api/v1/value-maps/status/entries/").json()["entries"] == entries
    assert ValueMap.objects.get().revision > 1


def test_overlapping_periods_are_refused_and_nothing_is_changed(finn, browse, domains):
    client = browse(finn)
    ValueMap.objects.create(slug="status", name="Status")
    entries = [{"source": "A", "target": "x"}, {"source": "A", "target": "y", "valid_from": "2026-01-01"}]
    assert send(client, "put", "value-maps/status/entries/", {"entries": entries}).status_code == 422
    assert not ValueMap.objects.get().entries.exists()


def test_mappings_of_another_domain_do_not_exist(mapping, make_person, browse):
    assert Domain.objects.count() > 1
    other = make_person("Otto", ("integration_admin", "resource"))
    assert browse(other).get("/api/v1/mappings/psa-projects/").status_code == 404


def test_who_holds_no_role_sees_nothing(mapping, mallory, browse):
    assert browse(mallory).get("/api/v1/mappings/").status_code == 403
