"""Feeds hold what a person may see and nothing else, page by page, whatever is asked of them."""

from __future__ import annotations

import json
import urllib.request
import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from governance.models import Entity
from governance.services import load_canonical_model
from hub.accounts.services import create_token
from hub.publishing import feed
from hub.records.models import CanonicalRecord
from tests.records.builders import example, put, stream

pytestmark = pytest.mark.django_db
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


@pytest.fixture
def entities(domains: Any) -> dict[str, Entity]:
    load_canonical_model()
    return {entity.slug: entity for entity in Entity.objects.all()}


@pytest.fixture
def projects(entities: dict[str, Entity]) -> list[CanonicalRecord]:
    bodies = [
        example("project", code=f"P-{n:03}", name=f"Project {n}'s", budget_hours=f"{n}.50", status=status)
        for n, status in enumerate(["active", "on_hold", "active", None, "cancelled"] * 5)
    ]
    return put(entities["project"], bodies, stream("psa", "projects"))


@pytest.fixture
def resources(entities: dict[str, Entity]) -> list[CanonicalRecord]:
    bodies = [example("resource", employee_number=f"{n:06}", name=f"Person {n}") for n in range(3)]
    return put(entities["resource"], bodies, stream("hris", "employees"))


def token(user: Any) -> str:
    return create_token(user, name="bi", days=None, by=user)[1]


@pytest.fixture
def client_of() -> Any:
    def make(user: Any) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token(user)}")
        return client

    return make


def odata(client: APIClient, path: str, **options: Any) -> Any:
    query = "&".join(f"%24{name}={quote(str(value))}" for name, value in options.items())
    return client.get(f"/api/v1/odata/{path}?{query}")


def keys(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["Key"] for row in answer.json()["value"]]


# --- the JSON feed ---------------------------------------------------------------------------------------------------


def test_a_feed_is_read_page_by_page_and_every_record_once(client_of, olga, projects):
    client, cursor, seen = client_of(olga), "", []
    while cursor is not None:
        page = client.get("/api/v1/feeds/project/", {"page_size": 7, "cursor": cursor}).json()
        seen += [row["key"] for row in page["records"]]
        cursor = page["next"]
    assert seen == [f"P-{n:03}" for n in range(25)]


def test_a_feed_since_an_instant_holds_changes_and_deletions(client_of, olga, projects, monkeypatch):
    then = timezone.now()
    CanonicalRecord.objects.update(updated_at=then - timedelta(days=1))
    CanonicalRecord.objects.filter(key="P-004").update(updated_at=then + timedelta(seconds=1))
    CanonicalRecord.objects.filter(key="P-020").update(updated_at=then, deleted_at=then + timedelta(seconds=1))
    monkeypatch.setattr(feed, "LOOKED_AT", 6)
    client, cursor, seen, pages = client_of(olga), "", [], 0
    while cursor is not None:
        given = {"updated_since": then.isoformat().replace("+00:00", "Z"), "cursor": cursor}
        page = client.get("/api/v1/feeds/project/", given).json()
        seen += [(row["key"], bool(row["deleted_at"]), bool(row["body"])) for row in page["records"]]
        cursor, pages = page["next"], pages + 1
    assert seen == [("P-004", False, True), ("P-020", True, False)]
    assert pages == 5


def test_masked_fields_are_in_no_feed(client_of, olga, resources):
    client = client_of(olga)
    body = client.get("/api/v1/feeds/resource/").json()["records"][0]["body"]
    row = odata(client, "resource").json()["value"][0]
    metadata = client.get("/api/v1/odata/$metadata").content.decode()
    for secret in ("cost_rate", "bill_rate", "hire_date"):
        assert secret not in body
        assert secret not in row
        assert odata(client, "resource", filter=f"{secret} ne null").status_code == 400
        assert odata(client, "resource", orderby=secret).status_code == 400
    assert 'Name="cost_rate"' not in metadata.split('EntityType Name="resource"')[1].split("</EntityType>")[0]


@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=x", "updated_since=yesterday", "updated_since=2026-11-01T00:00:00", "cursor=%FF"],
)
def test_a_feed_says_what_is_wrong_with_a_request(client_of, olga, projects, query):
    answer = client_of(olga).get(f"/api/v1/feeds/project/?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_nobody_reads_a_feed_of_another_domain(client_of, make_person, projects, resources):
    client = client_of(make_person("Nora", ("operator", "billing-gl")))
    for path in ("feeds/project/", "odata/project", "odata/project/$count", "odata/project('P-001')"):
        assert client.get(f"/api/v1/{path}").status_code in (403, 404)
    assert "project" not in [each["name"] for each in client.get("/api/v1/odata/").json()["value"]]
    assert APIClient().get("/api/v1/odata/project").status_code == 401


# --- OData -----------------------------------------------------------------------------------------------------------


def test_metadata_names_types_and_keys(client_of, olga, projects):
    answer = client_of(olga).get("/api/v1/odata/$metadata")
    assert answer["OData-Version"] == "4.0"
    (kind,) = [each for each in ET.fromstring(answer.content).iter(f"{EDM}EntityType") if each.get("Name") == "project"]
    types = {each.get("Name"): each.get("Type") for each in kind.iter(f"{EDM}Property")}
    assert kind.find(f"{EDM}Key/{EDM}PropertyRef").get("Name") == "Key"
    assert (types["Key"], types["budget_hours"], types["start_date"], types["open_for_time"]) == (
        "Edm.String",
        "Edm.Decimal",
        "Edm.Date",
        "Edm.Boolean",
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("budget_hours gt 22.5", ["P-023", "P-024"]),
        ("budget_hours le 1.5 and status eq 'active'", ["P-000"]),
        ("(Key eq 'P-001' or Key eq 'P-002') and not (status eq 'active')", ["P-001"]),
        ("status eq null and budget_hours lt 5", ["P-003"]),
        ("contains(name,'24''s')", ["P-024"]),
        ("startswith(Key,'P-00') and status ne 'active' and budget_hours lt 5", ["P-001", "P-003", "P-004"]),
        ("start_date lt 1990-01-01", []),
        ("UpdatedAt lt 2000-01-01T00:00:00Z", []),
    ],
)
def test_a_filter_is_what_it_says(client_of, olga, projects, text, wanted):
    client = client_of(olga)
    assert keys(odata(client, "project", filter=text)) == wanted
    query = f"/api/v1/odata/project/$count?%24filter={quote(text)}"
    assert client.get(query).content == str(len(wanted)).encode()


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("filter", "nome eq 'x'", "There is no property 'nome'"),
        ("filter", "name eq", "ends too early"),
        ("filter", "name like 'x'", "'like' is no comparison"),
        ("filter", "budget_hours eq 'x'", "is of the type Edm.Decimal"),
        ("filter", "name eq 'x' or", "ends too early"),
        ("filter", "name eq 'x') or 1 eq 1", "Nothing can follow"),
        ("filter", "name eq 'x'; drop table x", "cannot be read at"),
        ("filter", "start_date eq 2026-02-30", "no day of the calendar"),
        ("filter", "(" * 50 + "name eq 'x'" + ")" * 50, "nested more than"),
        ("filter", "name eq '" + "x" * 2_000 + "'", "at most 2000 characters"),
        ("orderby", "name sideways", "is no direction"),
        ("select", "nome", "There is no property"),
        ("top", "-1", "a whole number"),
        ("skip", "100001", "at most 100,000"),
        ("expand", "customer", "is not understood"),
        ("skiptoken", "\xff", "cursor cannot be read"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(client_of, olga, projects, option, text, words):
    answer = odata(client_of(olga), "project", **{option: text})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_select_order_top_skip_and_count(client_of, olga, projects):
    found = odata(
        client_of(olga), "project", select="Key,budget_hours", orderby="budget_hours desc", top=2, skip=1, count="true"
    ).json()
    assert found["value"] == [
        {"Key": "P-023", "budget_hours": "23.50"},
        {"Key": "P-022", "budget_hours": "22.50"},
    ]
    assert found["@odata.count"] == 25
    assert "@odata.nextLink" not in found


def test_one_record_is_read_by_its_key(client_of, olga, projects):
    client = client_of(olga)
    assert client.get("/api/v1/odata/project('P-007')").json()["name"] == "Project 7's"
    assert client.get("/api/v1/odata/project('none')").status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", ["", "&$orderby=budget_hours desc"])
def test_a_plain_client_follows_the_links_over_http(live_server, olga, projects, monkeypatch, order):
    monkeypatch.setattr("hub.publishing.odata.PAGE", 4)
    bearer, seen = token(olga), []
    url = f"{live_server.url}/api/v1/odata/project?$select=Key{order}&$filter=budget_hours ge 2".replace(" ", "%20")
    while url:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"})
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["OData-Version"] == "4.0"
            page = json.load(answer)
        seen += [row["Key"] for row in page["value"]]
        url = page.get("@odata.nextLink", "")
    wanted = [f"P-{n:03}" for n in range(2, 25)]
    assert seen == (wanted[::-1] if order else wanted)
