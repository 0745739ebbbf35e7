"""Experience APIs: one record with what belongs to it, totals and computed values, as declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.common import governed, registry
from hub.common.errors import ConfigError
from hub.gateway.models import Consumer
from hub.sync import demo
from tests.gateway.conftest import caller, define
from tests.records.builders import example, put, stream

pytestmark = pytest.mark.django_db
SHIPPED = {one["slug"]: one for one in yaml.safe_load_all((Path(demo.DOCUMENTS) / "apis.yaml").read_text())}
VIEWS = {slug: one for slug, one in SHIPPED.items() if one["kind"] == "ExperienceApi"}


@pytest.fixture
def ask(firm: Any, entities: Any) -> Any:
    """ask("project-360", "P-001"): the four shipped views over thirty projects, time of one of them and an invoice."""
    hours = [("1", "7.50", "approved", "unbilled", "GBP"), ("2", "2.50", "approved", None, "EUR")]
    hours += [("3", "1.00", "draft", "unbilled", "GBP"), ("4", "8.00", "approved", "billed", "GBP")]
    times = [
        example("time_entry", number=n, project="P-001", hours=h, status=s, billing_status=b, currency=c, amount="10.10")
        for n, h, s, b, c in hours
    ]
    put(entities["time_entry"], times, stream("psa", "time"))
    put(entities["customer"], [example("customer", number="C-1", name="Northgate")], stream("crm", "accounts"))
    put(entities["invoice"], [example("invoice", number="SI-1", project="P-001", customer="C-1", balance="0.00")],
        stream("erp", "invoices"))
    put(entities["resource"], [example("resource", employee_number="000042")], stream("hris", "people"))
    days = [example("availability", resource="000042", date=f"2026-11-0{day}") for day in (2, 3)]
    put(entities["availability"], days, stream("hris", "days"))
    grants = {f"experience/{one['path']}": ["read"] for one in VIEWS.values()}
    define(*VIEWS.values(), {"kind": "Consumer", "slug": "app", "name": "App", "owner": "IT", "grants": grants})
    call = caller(Consumer.objects.get(slug="app"))
    return lambda path, key, **headers: call("GET", f"/gateway/v1/experience/{path}/{key}", **headers)  # fmt: skip


def test_unbilled_time_is_what_is_approved_and_on_no_invoice_by_currency(ask: Any) -> None:
    found = ask("unbilled-time", "P-001").json()["unbilled"]
    assert [row["number"] for row in found["records"]] == ["1", "2"]
    assert (found["hours"], found["entries"], found["is_cut"]) == ("10.00", 2, False)
    assert found["amount"] == {"EUR": "10.10", "GBP": "10.10"}


def test_project_360_shows_client_time_and_invoices(ask: Any) -> None:
    found = ask("project-360", "P-001").json()
    assert found["client"] == {"name": "Northgate"}
    assert (found["time"]["hours"], found["time"]["approved_hours"], found["time"]["records"]) == ("19.00", "18.00", [])
    assert [row["number"] for row in found["invoices"]["records"]] == ["SI-1"]
    assert found["computed"]["budget_used"] == round(19 / 860, 4)


def test_a_relation_that_leads_nowhere_is_null(ask: Any) -> None:
    found = ask("project-360", "P-002").json()
    assert (found["client"], found["time"]["entries"], found["invoices"]["net"]) == (None, 0, {})


def test_availability_is_found_by_the_first_part_of_its_key(ask: Any) -> None:
    found = ask("resource-availability", "000042").json()
    assert (found["days"]["capacity"], found["days"]["booked"]) == ("15.00", "12.00")
    assert found["computed"]["free_hours"] == 3


def test_an_invoice_says_whether_it_is_settled(ask: Any) -> None:
    found = ask("invoice-status", "SI-1").json()
    assert (found["computed"]["is_settled"], found["project"]["status"]) == (True, "active")


def test_an_unchanged_composition_is_not_sent_twice(ask: Any) -> None:
    etag = ask("unbilled-time", "P-001")["ETag"]
    assert ask("unbilled-time", "P-001", **{"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "relation",
    [
        {"name": "t"}, {"name": "t", "entity": "time_entry"},
        {"name": "t", "entity": "time_entry", "by": "project", "key": "x"},
        {"name": "t", "entity": "time_entry", "by": "hours"},
        {"name": "t", "entity": "time_entry", "by": "project", "aggregates": {"a": {"max": "hours"}}},
    ],
)  # fmt: skip
def test_relations_that_cannot_be_meant_are_refused(firm: Any, relation: Any) -> None:
    assert registry.kind("ExperienceApi").validate({**VIEWS["unbilled-time-1"], "relations": [relation]})


def test_an_expression_that_is_none_is_refused(firm: Any) -> None:
    assert registry.kind("ExperienceApi").validate({**VIEWS["unbilled-time-1"], "computed": {"x": "((("}})


@pytest.mark.parametrize("name", ["cost_rate", "nothing"])
def test_masked_and_unknown_fields_cannot_be_related(firm: Any, name: str) -> None:
    relation = {"name": "t", "entity": "time_entry", "by": "project", "aggregates": {"a": {"sum": name}}}
    with pytest.raises(ConfigError):
        governed.put([{**VIEWS["unbilled-time-1"], "relations": [relation]}], by=None)
