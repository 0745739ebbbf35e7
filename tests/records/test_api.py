"""Records over the API: the same rules as the pages, and masked values never in an answer unless asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from governance.models import Entity
from governance.services import load_canonical_model
from hub.accounts.services import create_token
from hub.records.models import CanonicalRecord, Reveal
from tests.records.builders import example, put, stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def entities(domains: Any) -> dict[str, Entity]:
    load_canonical_model()
    return {entity.slug: entity for entity in Entity.objects.all()}


@pytest.fixture
def resources(entities: dict[str, Entity]) -> list[CanonicalRecord]:
    bodies = [example("resource", employee_number=f"{n:06}", name=f"Person {n}") for n in range(42, 72)]
    return put(entities["resource"], bodies, stream("hris", "employees"), ids=[str(n) for n in range(4242, 4272)])


def call(user: Any) -> APIClient:
    _, secret = create_token(user, name="test", days=None, by=user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_records_are_listed_by_key_and_pages(olga: Any, resources: Any) -> None:
    client = call(olga)
    first = client.get("/api/v1/records/resource/?page_size=20").json()
    rest = client.get(first["next"]).json()
    assert [row["key"] for row in first["results"] + rest["results"]] == [f"{n:06}" for n in range(42, 72)]
    assert rest["next"] is None


def test_masked_values_are_left_out_and_named(olga: Any, resources: Any) -> None:
    row = call(olga).get("/api/v1/records/resource/").json()["results"][0]
    assert row["masked"] == ["bill_rate", "cost_rate", "hire_date", "login", "termination_date"]
    assert not set(row["body"]) & set(row["masked"])
    assert row["body"]["name"] == "Person 42"


@pytest.mark.parametrize(
    ("query", "count"),
    [("prefix=00005", 10), ("legal_entity=HV-UK", 30), ("legal_entity=HV-DE", 0), ("customer=C-1", 0), ("prefix=", 30)],
)
def test_records_are_filtered(olga: Any, resources: Any, query: str, count: int) -> None:
    assert len(call(olga).get(f"/api/v1/records/resource/?{query}").json()["results"]) == count


def test_a_record_is_read_by_its_key(olga: Any, resources: Any) -> None:
    found = call(olga).get("/api/v1/records/resource/000042/").json()
    assert (found["id"], found["version"], found["entity"]) == (resources[0].pk, 1, "resource")
    assert found["supplied_by"]["given_name"] == "hris"
    assert found["known_as"] == [{"system": "hris", "stream": "hris-employees", "external_id": "4242", "url": ""}]


def test_an_amount_is_an_exact_decimal_string(olga: Any, entities: dict[str, Entity]) -> None:
    put(entities["milestone"], [example("milestone")], stream("psa", "milestones"))
    assert call(olga).get("/api/v1/records/milestone/MS-NLC-101-1/").json()["amount"] == "48000.00"


@pytest.mark.parametrize("key", ["A/B", "A|1.2", "Ä ß?#", "..", "a//b", "100%"])
def test_a_key_of_any_letters_is_found(olga: Any, entities: dict[str, Entity], key: str) -> None:
    put(entities["skill"], [example("skill", code=key)], stream("hris", "skills"))
    assert call(olga).get(f"/api/v1/records/skill/{quote(key, safe='')}/").json()["key"] == key


def test_what_is_not_there_is_not_found(olga: Any, resources: Any) -> None:
    for path in ("nothing/", "nothing/1/", "resource/999/"):
        response = call(olga).get(f"/api/v1/records/{path}")
        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_revealing_answers_everything_and_is_kept(make_person: Any, resources: Any) -> None:
    audra = make_person("Audra", "auditor")
    found = call(audra).post("/api/v1/reveals/", {"entity": "resource", "key": "000042"}).json()
    assert (found["body"]["cost_rate"], found["masked"]) == ("68.00", [])
    kept = Reveal.objects.get()
    assert (kept.record, kept.by) == (resources[0], audra)


def test_who_may_not_reveal_is_refused(olga: Any, make_person: Any, resources: Any) -> None:
    asked = {"entity": "resource", "key": "000042"}
    nora = make_person("Nora", ("auditor", "billing-gl"), "viewer")
    assert call(olga).post("/api/v1/reveals/", asked).status_code == 403
    assert call(nora).post("/api/v1/reveals/", asked).status_code == 404
    assert Reveal.objects.count() == 0


def test_records_of_other_domains_are_not_there(make_person: Any, mallory: Any, resources: Any) -> None:
    vera = make_person("Vera", ("viewer", "billing-gl"))
    for path in ("resource/", "resource/000042/"):
        assert call(vera).get(f"/api/v1/records/{path}").status_code == 404
        assert call(mallory).get(f"/api/v1/records/{path}").status_code == 403
        assert APIClient().get(f"/api/v1/records/{path}").status_code == 401
