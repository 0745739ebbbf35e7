"""Causes and routing by form: what is shipped can be made one's own, and a rule is tried before it is saved."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.models import Classification, ExceptionItem, RoutingRule
from tests.exceptions.world import World, sweep

pytestmark = pytest.mark.django_db

CAUSE = {
    "name": "Odd hours",
    "type": "business",
    "position": "1",
    "when": "field=hours",
    "facts": "project",
    "is_active": "on",
}
RULE = {"name": "To finance", "team": "Finance operations", "position": "5", "is_active": "on"}


def test_a_shipped_cause_becomes_the_firms_own_and_goes_back(browse: Any, ada: Any, world: World) -> None:
    client, url = browse(ada), "/exceptions/classifications/validation/"
    text = client.get(url).content.decode()
    assert "As it is shipped." in text
    given = {**CAUSE, "name": "Wrong content", "when": "error_code=CONTRACT,DATE"}
    assert client.post(url, given).status_code == 302
    row = Classification.objects.get()
    assert (row.slug, row.name, row.when) == ("validation", "Wrong content", [{"error_code": ["CONTRACT", "DATE"]}])
    assert "The firm’s own." in client.get(url).content.decode()
    client.post(f"{url}delete/")
    assert "As it is shipped." in client.get(url).content.decode()


def test_a_cause_of_the_firm_only_goes_when_nothing_is_under_it(browse: Any, ada: Any, world: World) -> None:
    client = browse(ada)
    assert client.post("/exceptions/classifications/new/", CAUSE).status_code == 302
    world.held()
    sweep()
    assert ExceptionItem.objects.get().cause == "odd-hours"
    answer = client.post("/exceptions/classifications/odd-hours/delete/", follow=True)
    assert "Open exceptions are under Odd hours." in answer.content.decode()
    assert Classification.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"when": "colour=red"}, "Line 1: write word=value"),
        ({"when": 'text="no'}, "Line 1 cannot be read"),
        ({"facts": "role, my client"}, "is no name of a fact"),
        ({"name": "New", "slug": "new"}, "Give a short name"),
    ],
)
def test_a_form_that_makes_no_sense_says_where(browse: Any, ada: Any, changes: dict[str, str], sentence: str) -> None:
    answer = browse(ada).post("/exceptions/classifications/new/", {**CAUSE, **changes})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Classification.objects.exists()


def test_a_rule_is_tried_and_then_saved(browse: Any, ada: Any, world: World) -> None:
    client = browse(ada)
    world.held()
    sweep()
    tried = client.post("/exceptions/routing/new/", {**RULE, "preview": "1"}, headers={"HX-Request": "true"})
    assert "Would route <b>1</b> of the 1 open one" in tried.content.decode()
    assert not RoutingRule.objects.exists()
    assert client.post("/exceptions/routing/new/", {**RULE, "amount_from": "10"}).status_code == 302
    sweep()
    assert ExceptionItem.objects.get().team == "Finance operations"
    listed = client.get("/exceptions/routing/").content.decode()
    assert "To finance" in listed
    assert "800.00" in listed
    client.post("/exceptions/routing/to-finance/delete/")
    assert not RoutingRule.objects.exists()


def test_who_may_not_change_rules_may_read_them(browse: Any, finn: Any, ada: Any, make_person: Any) -> None:
    browse(ada).post("/exceptions/routing/new/", RULE)
    part = make_person("Part", ("integration_admin", "billing-gl"))
    for path in ("classifications/", "classifications/validation/", "routing/", "routing/to-finance/"):
        assert browse(finn).get(f"/exceptions/{path}").status_code == 200
    for person in (finn, part):
        assert browse(person).post("/exceptions/routing/to-finance/", {**RULE, "team": "Mine"}).status_code == 403
        assert browse(person).post("/exceptions/classifications/validation/", CAUSE).status_code == 403
        assert browse(person).post("/exceptions/routing/to-finance/delete/").status_code == 403
    assert RoutingRule.objects.get().team == "Finance operations"


def test_a_cause_or_a_rule_that_is_not_there_is_not_found(browse: Any, ada: Any) -> None:
    for path in ("classifications/nothing/", "routing/nothing/", "999999/", "groups/999999/"):
        assert browse(ada).get(f"/exceptions/{path}").status_code == 404
