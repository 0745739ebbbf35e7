"""What hangs on an exception is known as far as anything tells it, and is never made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common.db import plain_cursor
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.records.rates import rates_on
from monitoring.exceptions import ranking, valuing
from monitoring.exceptions.ranking import Moments, urgency_of
from monitoring.models import ExceptionGroup, ExceptionItem
from tests.exceptions import builders
from tests.exceptions.world import World, only, sweep

pytestmark = pytest.mark.django_db

NO_RATE = "Billable time has a bill rate."
UNPRICED = {"amount": None, "currency": None}


def test_a_record_that_could_not_be_mapped_tells_what_can_be_read(world: World) -> None:
    world.held("NUMBER", "'8:00' is not a number.", body={"hours": "8:00"})
    sweep()
    item = only()
    assert (item.client, item.client_name, item.project, item.period) == ("C-1", "Acme", "P-1", "2026-11")
    assert (item.amount, item.currency) == (Decimal(800), "GBP")
    assert "hours" not in item.facts


def test_a_project_that_is_not_here_is_no_project(world: World) -> None:
    world.held(body={"project": "P-9"})
    sweep()
    assert (only().project, only().client, only().amount) == ("", "", 800)


def test_hours_and_a_rate_card_estimate_an_amount_and_say_how(world: World) -> None:
    world.price("RC-1", "Lead", "145.00", customer="C-1")
    world.held(detail=NO_RATE, body={**UNPRICED, "hours": "38.50", "role": "Lead"})
    sweep()
    item = only()
    assert (item.amount, item.currency) == (Decimal("5582.50"), "GBP")
    assert item.amount_note == "38.50 h × 145.00 GBP of rate card RC-1"
    assert item.group.title == "No bill rate: Lead × Acme"


def test_the_card_of_the_project_comes_before_that_of_its_client(world: World) -> None:
    world.price("RC-1", "Lead", "145.00", customer="C-1")
    world.price("RC-2", "Lead", "100.00")
    world.add_project("P-2", customer="C-1", rate_card="RC-2")
    world.held(detail=NO_RATE, body={**UNPRICED, "project": "P-2", "hours": "2", "role": "Lead"})
    sweep()
    assert only().amount == 200


def test_another_clients_card_prices_nothing(world: World) -> None:
    world.price("RC-1", "Lead", "145.00", customer="C-2")
    world.held(detail=NO_RATE, body={**UNPRICED, "role": "Lead"})
    sweep()
    item = only()
    assert (item.amount, item.amount_firm, item.amount_note) == (None, None, "")


def test_without_a_card_the_standard_rate_of_the_person_counts(world: World) -> None:
    body = {"employee_number": "E-1", "name": "J. Ruiz", "role": "Lead", "bill_rate": "90.00", "currency": "GBP"}
    builders.record(world.person, "E-1", body)
    world.held(detail=NO_RATE, body=UNPRICED)
    sweep()
    item = only()
    assert (item.amount, item.title) == (720, "8 h by J. Ruiz on P-1, 3 Nov 2026")
    assert item.amount_note == "8.00 h × 90.00 GBP of J. Ruiz, standard rate"


# In the firm's currency ---------------------------------------------------------------------------------------
def test_what_has_no_rate_is_listed_unconverted_and_never_nought(world: World) -> None:
    world.held(body={"currency": "CHF"})
    world.held(body=UNPRICED)
    sweep()
    group = ExceptionGroup.objects.get()
    assert (group.open_items, group.unconverted, group.amount_firm) == (2, 1, 0)
    assert set(ExceptionItem.objects.values_list("amount_firm", flat=True)) == {None}


def test_a_new_rate_values_open_items_of_its_currency_alone(world: World) -> None:
    world.held(body={"amount": "100.00", "currency": "EUR"})
    world.held(body={"amount": "100.00", "currency": "USD"})
    sweep()
    usd = world.rate("USD", "0.80")
    sweep()
    values = dict(ExceptionItem.objects.values_list("currency", "amount_firm"))
    assert values == {"EUR": None, "USD": Decimal(80)}
    CanonicalRecord.objects.filter(pk=usd.pk).update(body={**usd.body, "rate": "0.75"})
    world.rate("GBP", "1.25", target="EUR")
    sweep()
    values = dict(ExceptionItem.objects.values_list("currency", "amount_firm"))
    assert values == {"EUR": Decimal(80), "USD": Decimal(75)}
    assert ExceptionGroup.objects.get().amount_firm == 155
    CanonicalRecord.objects.filter(pk=usd.pk).delete()
    sweep()
    assert ExceptionGroup.objects.get().unconverted == 1


@given(
    amounts=st.lists(st.decimals("-99999", "99999", places=4), min_size=1, max_size=6),
    rate=st.decimals("0.0001", "999", places=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_the_database_values_as_the_hub_does(world: World, amounts: list[Decimal], rate: Decimal) -> None:
    ExceptionItem.objects.all().delete()
    CanonicalRecord.objects.filter(entity=world.rate_entity).delete()
    world.rate("EUR", str(rate))
    group = ExceptionGroup.objects.get_or_create(fingerprint="x", defaults=_dates("first_at", "last_at"))[0]
    for number, amount in enumerate(amounts):
        ExceptionItem.objects.create(
            origin_key=str(number), group=group, amount=amount, currency="EUR", **_dates("opened_at", "seen_at")
        )
    rates = rates_on()
    with plain_cursor() as cursor:
        ranking.revalue(cursor, rates, {})
    found = ExceptionItem.objects.order_by("pk").values_list("amount_firm", flat=True)
    assert list(found) == [rates.value(amount, "EUR") for amount in amounts]


def _dates(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, datetime(2026, 11, 3, tzinfo=UTC))


# Order --------------------------------------------------------------------------------------------------------
NOW = datetime(2026, 11, 3, 15, tzinfo=UTC)


@given(minutes=st.integers(-10_000, 10_000))
def test_urgency_rises_towards_the_deadline_and_sql_agrees(minutes: int) -> None:
    at, due = ranking.moments(NOW), NOW + timedelta(minutes=minutes)
    with plain_cursor() as cursor:
        sql = f"select {ranking.URGENCY.format(due='%(due)s::timestamptz')}"
        row = cursor.execute(sql, {"due": due, **at.params}).fetchone()
    assert row == (urgency_of(due, at),)
    assert urgency_of(due, at) >= urgency_of(due + timedelta(minutes=1), at)


def test_the_buckets_of_urgency() -> None:
    at = Moments(NOW, NOW + timedelta(hours=4), NOW + timedelta(hours=9), NOW + timedelta(days=2))
    hours = {0: 8, 3: 4, 5: 3, 10: 2, 47: 2, 49: 1}
    assert {after: urgency_of(NOW + timedelta(hours=after), at) for after in hours} == hours
    assert urgency_of(None, at) == 1


def test_the_order_follows_the_clock_and_the_money(world: World) -> None:
    set_business_clock(NOW)
    world.held(body={"amount": "100.00"}, at=NOW)
    world.held("UNMAPPED", "'x' is not in the value map y.", body={"amount": "-300.00"}, at=NOW)
    sweep()
    assert list(ExceptionItem.objects.order_by("-rank").values_list("rank", flat=True)) == [900, 200]
    set_business_clock(NOW + timedelta(days=30))
    sweep()
    assert list(ExceptionItem.objects.order_by("-rank").values_list("rank", flat=True)) == [2400, 800]
    assert sum(ExceptionGroup.objects.values_list("rank", flat=True)) == 3200


@pytest.mark.parametrize(
    ("given_", "shown"), [("10.5000", "10.5"), ("100.0000", "100"), ("0.0000", "0"), ("-1.2300", "-1.23")]
)
def test_amounts_lose_only_the_zeros_of_their_column(given_: str, shown: str) -> None:
    assert str(valuing.plain(Decimal(given_))) == shown
