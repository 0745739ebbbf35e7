"""The API as a whole: described completely, closed by default, configured through it as through files."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from connectors.models import System
from hub.accounts.services import create_token

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(public=True)


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_is_described_without_a_warning(schema):
    assert schema["openapi"].startswith("3.1")
    assert not GENERATOR_STATS._error_cache
    assert not [str(warning) for warning in GENERATOR_STATS._warn_cache]
    bare = [name for name, operation in operations(schema) if not operation.get("responses")]
    assert not bare


AREAS = "systems connections streams entities contracts mappings value-maps syncs schedules runs transactions config"


@pytest.mark.parametrize("area", AREAS.split())
def test_every_area_is_served(schema, area):
    assert [path for path in schema["paths"] if path.startswith(f"/api/v1/{area}/")]


def test_nothing_is_read_without_signing_in(schema, client):
    for path, methods in schema["paths"].items():
        if "get" in methods and "{" not in path and path.startswith("/api/v1/"):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert answer["Content-Type"].startswith("application/problem+json")


def test_a_token_without_a_role_sees_no_list(schema, mallory):
    _, secret = create_token(mallory, name="t", days=1, by=mallory)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    for path, methods in schema["paths"].items():
        if "get" in methods and "{" not in path and path.startswith("/api/v1/"):
            assert client.get(path).status_code == 403, path


DOCUMENTS = {"documents": [{"kind": "System", "slug": "crm", "name": "CRM", "category": "crm"}]}


def post(client, path, data):
    return client.post(path, json.dumps(data), content_type="application/json")


def test_configuration_is_planned_and_applied_over_the_api(ada, browse):
    client = browse(ada)
    planned = post(client, "/api/v1/config/plan/", DOCUMENTS)
    assert planned.json()["changes"] == 1
    assert not System.objects.exists()
    assert post(client, "/api/v1/config/apply/", DOCUMENTS).status_code == 200
    assert System.objects.get().name == "CRM"
    assert post(client, "/api/v1/config/plan/", DOCUMENTS).json()["changes"] == 0
    exported = client.get("/api/v1/config/export/").json()["documents"]
    assert {"kind": "System", "slug": "crm", "name": "CRM", "category": "crm"} in exported


def test_a_wrong_document_is_a_problem_with_a_sentence(ada, browse):
    answer = post(browse(ada), "/api/v1/config/apply/", {"documents": [{"kind": "Sistem", "slug": "x"}]})
    assert answer.status_code == 422
    assert "There is no kind 'Sistem'" in answer.json()["detail"]


def test_only_who_may_apply_applies(olga, browse):
    assert post(browse(olga), "/api/v1/config/apply/", DOCUMENTS).status_code == 403
