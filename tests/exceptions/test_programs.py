"""The queue for programs: the API and the command say what the pages say, and take the same words."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from hub.common.errors import ConfigError
from monitoring.exceptions import filters
from monitoring.models import ExceptionGroup, ExceptionItem
from tests.exceptions.world import World, only, sweep

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[Any, int]:
    out, code = io.StringIO(), 0
    try:
        call_command("exceptions", *words, "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = int(end.code or 0)
    return json.loads(out.getvalue()), code


@pytest.fixture
def queue(world: World) -> World:
    world.add_project("P-2", customer="C-2")
    world.rate("EUR", "0.85")
    world.held(body={"amount": "1000.00", "currency": "EUR"})
    world.held(body={"amount": "100.00", "currency": "CHF"})
    world.refused("Job P-1 is blocked.", project="P-2", amount="50.00")
    sweep()
    return world


# The command --------------------------------------------------------------------------------------------------
def test_the_command_lists_causes_with_totals_of_the_rows(queue: World) -> None:
    found, code = run("list")
    assert code == 0
    assert found["totals"] == {
        "groups": 2, "records": 3, "amount": "900", "currency": "GBP", "unconverted": {"CHF": "100"},
        "unconverted_records": 1, "unknown_records": 0,
    }  # fmt: skip
    assert sum(Decimal(group["amount"]) for group in found["groups"]) == 900
    assert [group["records"] for group in found["groups"]] == [2, 1]
    assert found["last_checked"]


def test_the_command_lists_items_by_words(queue: World) -> None:
    found, _ = run("list", "--items", "cause:closed-project")
    assert [(item["project"], item["amount_firm"], item["origin"]) for item in found["exceptions"]] == [
        ("P-2", "50", "delivery")
    ]
    found, _ = run("list", "--items", "client:Acme", "amount:500")
    assert [item["currency"] for item in found["exceptions"]] == ["EUR"]
    found, _ = run("list", "--items", "--limit", "1")
    assert len(found["exceptions"]) == 1


def test_a_filter_that_is_not_understood_is_refused(queue: World) -> None:
    for word in ("colour:red", "state:odd", "amount:much", "age:long", "tab:none", "group:x", 'text:"'):
        found, code = run("list", word)
        assert (code, found["code"]) == (1, "FILTER"), word


def test_the_command_sweeps(world: World) -> None:
    world.held()
    found, code = run("collect")
    assert (found["opened"], found["problems"], code) == (1, [], 0)


@pytest.mark.parametrize("value", ["1' or 1=1", "%", "\\", "é" * 50, "0" * 40])
def test_any_word_can_be_asked_for(queue: World, value: str) -> None:
    for key in filters.KEYS:
        try:
            condition = filters.find({key: value})
        except ConfigError:
            continue
        assert ExceptionItem.objects.filter(condition).count() <= 3
        assert ExceptionGroup.objects.filter(filters.find({key: value}, prefix="items__")).distinct().count() <= 2


# The API ------------------------------------------------------------------------------------------------------
def test_the_api_lists_items_by_rank(queue: World, finn: Any, browse: Any) -> None:
    answer = browse(finn).get("/api/v1/exceptions/?page_size=2").json()
    assert [(row["currency"], row["amount_firm"]) for row in answer["results"]] == [("EUR", "850"), ("GBP", "50")]
    rest = browse(finn).get(answer["next"]).json()
    assert [(row["currency"], row["amount"], row["amount_firm"]) for row in rest["results"]] == [("CHF", "100", None)]
    row = answer["results"][0]
    assert (row["cause_name"], row["kind"], row["client_name"]) == ("Validation", "business", "Acme")
    assert row["suggested_fix"].startswith("Correct the value")


def test_the_api_groups_with_and_without_a_filter(queue: World, finn: Any, browse: Any) -> None:
    url = "/api/v1/exceptions/groups/"
    found = browse(finn).get(url).json()["results"]
    assert [(row["records"], row["amount_firm"], row["unconverted"]) for row in found] == [(2, "850", 1), (1, "50", 0)]
    found = browse(finn).get(f"{url}?amount=500").json()["results"]
    assert [(row["records"], row["amount_firm"]) for row in found] == [(1, "850")]
    one = browse(finn).get(f"{url}{found[0]['id']}/").json()
    assert (one["records"], one["title"]) == (2, "Time_Entry not accepted: hours")


def test_one_item_comes_with_its_history(queue: World, finn: Any, browse: Any) -> None:
    item = ExceptionItem.objects.get(cause="closed-project")
    found = browse(finn).get(f"/api/v1/exceptions/{item.pk}/").json()
    assert [event["act"] for event in found["events"]] == ["opened"]
    assert found["group"] == item.group_id


def test_the_api_refuses_what_it_does_not_understand(queue: World, finn: Any, browse: Any) -> None:
    answer = browse(finn).get("/api/v1/exceptions/?colour=red")
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == "FILTER"


def test_the_api_keeps_to_domains(world: World, make_person: Any, browse: Any) -> None:
    world.held()
    sweep()
    other = make_person("Otto", ("finance", "billing-gl"))
    assert browse(other).get("/api/v1/exceptions/").json()["results"] == []
    assert browse(other).get(f"/api/v1/exceptions/{only().pk}/").status_code == 404
    assert browse(other).get(f"/api/v1/exceptions/groups/{only().group_id}/").status_code == 404
    assert Client().get("/api/v1/exceptions/").status_code == 401
