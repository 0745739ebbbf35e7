"""The pages of expectations: who sees which, with money and deadline, and whose turn it is."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.models import Firm
from hub.sync.states import DeliveryState
from monitoring.expectations.panels import late_though_nothing_failed
from monitoring.models import Expectation
from tests.expectations.builders import HOUR, NOW, Watched, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains):
    Firm.objects.create(name="Acme Consulting", currency="EUR")
    return Watched()


@pytest.fixture
def busy(world):
    """One late without a delivery, one late and dead, one on the way, one met."""
    world.keep(owner="Finance operations")
    money = {"currency": "EUR", "customer": "acme", "project": "P-1", "period": "2026-11"}
    world.read(NOW - 6 * HOUR, amount=Decimal("480.00"), **money)
    world.stuck(NOW - 5 * HOUR, DeliveryState.DEAD)
    world.stuck(NOW - HOUR)
    world.arrived(NOW - 9 * HOUR, HOUR)
    sweep()
    return world


def text(response):
    return " ".join(response.content.decode().split())


def test_the_list_says_what_is_late_with_money_and_whose_turn_it_is(busy, finn, browse):
    page = text(browse(finn).get("/expectations/"))
    assert "480.00" in page
    assert "Nothing failed: no delivery was ever queued for it." in page
    assert "Finance operations" in page
    assert "It was tried as often as is allowed." in page
    assert "The delivery is queued." in page


def test_a_tab_shows_its_states_and_the_exports_are_those_of_the_page(busy, finn, browse):
    client = browse(finn)
    assert [row["state"] for row in json.loads(b"".join(client.get("/expectations.json")))] == [
        "breached",
        "breached",
        "open",
    ]
    late = json.loads(b"".join(client.get("/expectations.json?state=late&client=acme")))
    assert [(row["amount_firm"], row["client"]) for row in late] == [("480.00", "acme")]
    assert [row["state"] for row in json.loads(b"".join(client.get("/expectations.json?state=met")))] == ["met"]
    lines = b"".join(client.get("/expectations.csv?state=late")).decode().splitlines()
    assert len(lines) == 3


def test_the_largest_amount_may_come_first_and_none_is_not_zero(busy, finn, browse):
    page = text(browse(finn).get("/expectations/?sort=amount"))
    assert page.index("480.00") < page.index("It was tried as often as is allowed.")


def test_one_expectation_shows_its_clock_and_its_evidence(busy, ada, browse):
    row = Expectation.objects.get(client="acme")
    page = text(browse(ada).get(row.get_absolute_url()))
    assert "Late: not there at the deadline" in page
    assert f"/transactions/{row.cause_id}/" in page
    assert "not arrived by" in page
    met = Expectation.objects.get(state="met")
    assert f"/transactions/{met.arrival_id}/" in text(browse(ada).get(met.get_absolute_url()))


def test_nobody_sees_another_domain(busy, make_person, mallory, browse):
    stranger = make_person("Stan", ("operator", "billing-gl"))
    row = Expectation.objects.first()
    assert json.loads(b"".join(browse(stranger).get("/expectations.json"))) == []
    assert browse(stranger).get(row.get_absolute_url()).status_code == 404
    assert browse(mallory).get("/expectations/").status_code == 403


def test_empty_lists_say_why(world, ada, browse):
    assert "Nothing is promised yet" in text(browse(ada).get("/expectations/"))
    world.keep()
    assert "Nothing is late, and nothing is on the way" in text(browse(ada).get("/expectations/"))
    assert "No expectation matches" in text(browse(ada).get("/expectations/?client=nobody"))


def test_the_first_page_says_what_is_late_though_nothing_failed(busy, finn, rf):
    request = rf.get("/")
    request.user = finn
    (need,) = late_though_nothing_failed(request)
    assert (need.title, need.amount, need.currency) == (
        "1 record is late though nothing failed",
        Decimal("480.0000"),
        "EUR",
    )


def test_a_list_asks_as_little_for_many_rows_as_for_few(busy, ada, browse):
    client = browse(ada)
    client.get("/expectations/")
    with CaptureQueriesContext(connection) as few:
        client.get("/expectations/")
    for _ in range(30):
        busy.stuck(NOW - 5 * HOUR)
    sweep()
    with CaptureQueriesContext(connection) as many:
        client.get("/expectations/")
    assert len(many) == len(few)


def test_the_api_lists_and_shows_them(busy, ada, browse):
    client = browse(ada)
    found = client.get("/api/v1/expectations/?state=late").json()["results"]
    assert {row["state"] for row in found} == {"breached"}
    row = Expectation.objects.get(client="acme")
    one = client.get(f"/api/v1/expectations/{row.pk}/").json()
    assert (one["amount_firm"], one["cause"], one["service_level"]) == ("480.0000", row.cause_id, "approved-time")
    wrong = client.get("/api/v1/expectations/?state=lost")
    assert wrong.status_code == 400
    assert "no state of an expectation" in wrong.content.decode()
