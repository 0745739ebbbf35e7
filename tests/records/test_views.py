"""The browser of records: lists, one record, search, and what it takes to see masked values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client

from governance.models import Entity
from governance.services import load_canonical_model
from hub.common import facts
from hub.records.models import CanonicalRecord, Reveal
from tests.records.builders import example, put, stream

pytestmark = pytest.mark.django_db
Browse = Callable[[Any], Client]


@pytest.fixture
def entities(domains: Any) -> dict[str, Entity]:
    load_canonical_model()
    return {entity.slug: entity for entity in Entity.objects.all()}


@pytest.fixture
def projects(entities: dict[str, Entity]) -> list[CanonicalRecord]:
    bodies = [
        example("project", code=f"NLC-{n}", name=f"Project {n}", customer="C-1" if n % 2 else "C-2")
        for n in range(100, 160)
    ]
    return put(entities["project"], bodies, stream("psa", "workspaces"), ids=[f"W{n}" for n in range(100, 160)])


@pytest.fixture
def resource(entities: dict[str, Entity]) -> CanonicalRecord:
    return put(entities["resource"], [example("resource")], stream("hris", "employees"), ids=["4711"])[0]


@pytest.fixture
def audra(make_person: Any) -> Any:
    return make_person("Audra", "auditor")


@pytest.fixture
def vera(make_person: Any) -> Any:
    return make_person("Vera", ("viewer", "project-wbs"))


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def keys(response: Any) -> list[str]:
    return [record.key for record in response.context["page"]]


# All entities -----------------------------------------------------------------------------------------------


def test_entities_are_listed_with_the_number_of_their_records(olga: Any, browse: Browse, projects: Any) -> None:
    page = text(browse(olga).get("/records/"))
    assert '<a class="t1" href="/records/project/">Project</a>' in page
    assert '<td data-label="Records" class="num">60</td>' in page


def test_many_records_are_counted_only_so_far(
    olga: Any, browse: Browse, projects: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.records.views.COUNTED", 60)
    assert "60 or more" in text(browse(olga).get("/records/"))
    assert "60 or more records" in text(browse(olga).get("/records/project/"))


def test_only_entities_of_ones_domains_are_listed(vera: Any, browse: Browse, projects: Any) -> None:
    page = text(browse(vera).get("/records/"))
    assert "/records/project/" in page
    assert "/records/invoice/" not in page
    assert browse(vera).get("/records/invoice/").status_code == 404


def test_without_a_role_there_is_nothing_to_see(mallory: Any, browse: Browse, projects: Any) -> None:
    for path in ("", "project/", f"project/{projects[0].pk}/", "project.csv"):
        assert browse(mallory).get(f"/records/{path}").status_code == 403


def test_the_numbers_are_a_file_too(olga: Any, browse: Browse, projects: Any) -> None:
    rows = orjson.loads(b"".join(browse(olga).get("/records.json")))
    assert {"entity": "project", "name": "Project", "domain": "project-wbs", "records": 60} in rows


# One entity -------------------------------------------------------------------------------------------------


def test_records_come_in_the_order_of_their_keys_by_pages(olga: Any, browse: Browse, projects: Any) -> None:
    client = browse(olga)
    first = client.get("/records/project/")
    assert keys(first) == [f"NLC-{n}" for n in range(100, 150)]
    rest = client.get("/records/project/", {"after": first.context["page"].older})
    assert keys(rest) == [f"NLC-{n}" for n in range(150, 160)]
    back = client.get("/records/project/", {"before": rest.context["page"].newer})
    assert keys(back) == keys(first)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?q=NLC-10", 10),
        ("?q=NLC-159", 1),
        ("?q=nlc", 0),
        ("?customer=C-1", 30),
        ("?q=customer:C-1 NLC-10", 5),
        ("?legal_entity=HV-UK", 50),
        ("?legal_entity=HV-DE", 0),
        ("?project=NLC-100", 50),
    ],
)
def test_records_are_filtered_by_key_and_by_what_the_contract_marks(
    olga: Any, browse: Browse, projects: Any, query: str, count: int
) -> None:
    assert len(keys(browse(olga).get(f"/records/project/{query}"))) == count


def test_a_filter_without_hits_says_so(olga: Any, browse: Browse, projects: Any) -> None:
    assert "No record matches" in text(browse(olga).get("/records/project/?q=X"))
    assert "No records yet" in text(browse(olga).get("/records/skill/"))


def test_the_list_shows_name_amount_and_what_is_marked(olga: Any, browse: Browse, projects: Any) -> None:
    page = text(browse(olga).get("/records/project/"))
    assert "Project 100" in page
    assert "125,000.00" in page
    assert "125,000.0000" not in page
    assert '<th scope="col">Customer</th>' in page
    assert '<th scope="col">Period</th>' not in page


def test_records_that_are_gone_at_their_source_are_not_listed(olga: Any, browse: Browse, projects: Any) -> None:
    CanonicalRecord.objects.filter(pk=projects[0].pk).update(deleted_at="2026-11-24T10:00:00Z")
    assert "NLC-100" not in keys(browse(olga).get("/records/project/"))
    assert "Deleted at source" in text(browse(olga).get(f"/records/project/{projects[0].pk}/"))


def test_the_list_is_a_file_without_anything_masked(olga: Any, browse: Browse, projects: Any) -> None:
    rows = orjson.loads(b"".join(browse(olga).get("/records/project.json?q=NLC-10&customer=C-2")))
    assert [row["key"] for row in rows] == [f"NLC-{n}" for n in (100, 102, 104, 106, 108)]
    assert rows[0]["amount"] == "125000.00"
    assert set(rows[0]) == {"key", "legal_entity", "customer", "amount", "currency", "version", "updated_at"}
    sheet = b"".join(browse(olga).get("/records/project.csv?q=NLC-100")).decode()
    assert "NLC-100,HV-UK,C-2,125000.00,GBP,1," in sheet


def test_a_million_records_are_read_from_an_index(entities: dict[str, Entity]) -> None:
    """Whatever a list filters by leads to an index that begins with it; no page reads the whole table."""
    from hub.records import queries

    rows = queries.records_of(entities["time_entry"])
    wanted = {
        "canonical_key_once": queries.with_key_from(rows, "TS-1").order_by("key", "pk"),
        "records_by_project": rows.filter(project="P-1"),
        "records_by_customer": rows.filter(customer="C-1"),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into records_canonicalrecord (id, entity_id, key, version, body, provenance_id, hash, updated_at,"
            " project, customer) select n, %s, 'TS-' || n, 1, '{}', 1, '', now(), 'P-' || n / 10, 'C-' || n / 10"
            " from generate_series(1, 2000) n",
            [entities["time_entry"].pk],
        )
        cursor.execute("analyze records_canonicalrecord")
        cursor.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        for index, query in wanted.items():
            assert index in query.explain()


# One record -------------------------------------------------------------------------------------------------


def test_a_record_shows_fields_sources_and_where_it_is_known(olga: Any, browse: Browse, resource: Any) -> None:
    page = text(browse(olga).get(f"/records/resource/{resource.pk}/"))
    assert "Imani Solberg" in page
    assert '<td data-label="Supplied by">HRIS</td>' in page
    assert 'data-copy="4711"' in page


def test_masked_values_are_nowhere_in_the_page(olga: Any, browse: Browse, resource: Any) -> None:
    response = browse(olga).get(f"/records/resource/{resource.pk}/")
    assert "68.00" not in text(response)
    assert "2021-09-01" not in text(response)
    assert "restricted" in text(response)
    assert "Reveal" not in text(response)
    assert "no-store" in response["Cache-Control"]


def test_revealing_shows_the_values_and_is_kept(
    audra: Any, browse: Browse, resource: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[dict[str, Any]] = []
    monkeypatch.setitem(facts._subscribers, "payload_revealed", [lambda **details: heard.append(details)])
    client = browse(audra)
    assert "Reveal 5 masked values" in text(client.get(f"/records/resource/{resource.pk}/"))
    page = text(client.post(f"/records/resource/{resource.pk}/reveal/"))
    assert "68.00" in page
    assert "1 Sep 2021" in page
    kept = Reveal.objects.get()
    assert (kept.record, kept.by) == (resource, audra)
    assert kept.fields == ["bill_rate", "cost_rate", "hire_date", "login", "termination_date"]
    assert heard == [{"record": resource, "fields": kept.fields, "by": audra}]


def test_who_has_looked_stands_with_the_record(audra: Any, olga: Any, browse: Browse, resource: Any) -> None:
    browse(audra).post(f"/records/resource/{resource.pk}/reveal/")
    page = text(browse(olga).get(f"/records/resource/{resource.pk}/"))
    assert "Audra" in page
    assert "68.00" not in page


def test_looking_is_not_revealing(olga: Any, browse: Browse, resource: Any) -> None:
    assert browse(olga).post(f"/records/resource/{resource.pk}/reveal/").status_code == 403
    assert browse(olga).get(f"/records/resource/{resource.pk}/reveal/").status_code == 403
    assert Reveal.objects.count() == 0


def test_one_reveals_only_in_ones_domains(make_person: Any, browse: Browse, resource: Any) -> None:
    nora = make_person("Nora", ("auditor", "billing-gl"), "viewer")
    assert browse(nora).get(f"/records/resource/{resource.pk}/").status_code == 200
    assert browse(nora).post(f"/records/resource/{resource.pk}/reveal/").status_code == 404
    assert Reveal.objects.count() == 0


def test_revealing_takes_a_form_not_a_link(audra: Any, browse: Browse, resource: Any) -> None:
    assert browse(audra).get(f"/records/resource/{resource.pk}/reveal/").status_code == 405


def test_a_record_of_another_entity_or_domain_is_not_there(vera: Any, olga: Any, browse: Browse, resource: Any) -> None:
    assert browse(olga).get(f"/records/project/{resource.pk}/").status_code == 404
    assert browse(vera).get(f"/records/resource/{resource.pk}/").status_code == 404


def test_kept_reveals_can_be_neither_changed_nor_removed_by_web_and_workers() -> None:
    with connection.cursor() as cursor:
        for role in ("syncline_web", "syncline_engine"):
            cursor.execute(
                "select has_table_privilege(%s, 'records_reveal', 'insert'),"
                " has_table_privilege(%s, 'records_reveal', 'update, delete')",
                [role, role],
            )
            assert cursor.fetchone() == (True, False)


# Search -----------------------------------------------------------------------------------------------------


def found(client: Client, q: str) -> list[str]:
    return [record.key for record in client.get("/records/", {"q": q}).context["found"]]


def test_a_record_is_found_by_key_and_by_the_id_of_any_system(
    olga: Any, browse: Browse, projects: Any, resource: Any
) -> None:
    client = browse(olga)
    assert found(client, "NLC-123") == ["NLC-123"]
    assert found(client, "W123") == ["NLC-123"]
    assert found(client, "4711") == ["000042"]
    assert found(client, "NLC-15")[:2] == ["NLC-150", "NLC-151"]
    assert found(client, "nothing") == []
    assert "No record is known under this" in text(client.get("/records/?q=nothing"))


def test_the_palette_finds_records(olga: Any, browse: Browse, projects: Any) -> None:
    page = text(browse(olga).get("/search/?q=W123"))
    assert f'href="/records/project/{projects[23].pk}/"' in page


def test_search_stays_within_ones_domains(
    vera: Any, mallory: Any, browse: Browse, projects: Any, resource: Any
) -> None:
    assert found(browse(vera), "4711") == []
    assert found(browse(vera), "000042") == []
    assert found(browse(vera), "W123") == ["NLC-123"]
    assert "NLC-123" not in text(browse(mallory).get("/search/?q=W123")).replace("W123", "")
