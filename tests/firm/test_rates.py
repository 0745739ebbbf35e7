"""Money is added up in one currency by rates that are there; without a rate it is listed, never counted as nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical_model import shipped_documents
from governance.models import Entity, Firm
from hub.common.registry import kind
from hub.records.models import CanonicalRecord, ProvenanceProfile
from hub.records.rates import Rate, Rates, rates_on

TODAY = date(2026, 11, 30)


@pytest.fixture
def rates(domains):
    for entity, contract in shipped_documents():
        if entity["slug"] == "exchange_rate":
            kind("Entity").apply(entity, by=None)
            kind("Contract").apply(contract, by=None)
    Firm.objects.create(name="Harrow & Vale", currency="GBP")
    profile = ProvenanceProfile.objects.create(fields={}, digest=b"0" * 16)
    found = Entity.objects.get(slug="exchange_rate")

    def add(source, target, rate, day="2026-11-27", rate_type="spot"):
        body = {"from_currency": source, "to_currency": target, "rate": rate, "rate_date": day, "rate_type": rate_type}
        number = CanonicalRecord.objects.count() + 1
        CanonicalRecord.objects.create(
            pk=number, entity=found, key=f"R-{number}", version=1, body=body | {"source": "ECB"}, provenance=profile,
            hash=b"0" * 16, updated_at=timezone.now(),
        )  # fmt: skip

    return add


def test_the_newest_rate_that_counts_on_the_day_is_taken(rates):
    for rate, day in (("0.80", "2026-11-20"), ("0.85", "2026-11-27"), ("0.99", "2026-12-01")):
        rates("EUR", "GBP", rate, day)
    found = rates_on(TODAY)
    assert found.by_currency["EUR"] == Rate(Decimal("0.85"), date(2026, 11, 27), "ECB")
    assert found.value(Decimal("100.05"), "EUR") == Decimal("85.04")


def test_a_rate_of_the_other_direction_serves_where_there_is_no_direct_one(rates):
    rates("GBP", "USD", "1.25")
    assert rates_on(TODAY).value(Decimal("100"), "USD") == Decimal("80.00")
    rates("USD", "GBP", "0.79")
    assert rates_on(TODAY).value(Decimal("100"), "USD") == Decimal("79.00")


@pytest.mark.parametrize("facts", [{"day": "2026-01-02"}, {"rate_type": "budget"}, {"rate": "0"}])
def test_an_old_rate_one_of_another_type_and_a_rate_of_nothing_are_no_rates(rates, facts):
    rates("EUR", "GBP", **{"rate": "0.85", **facts})
    assert rates_on(TODAY).value(Decimal("10"), "EUR") is None


def test_without_a_firm_nothing_is_converted(rates):
    Firm.objects.all().delete()
    assert rates_on(TODAY).value(Decimal("10"), "GBP") is None


money = st.decimals(min_value=-(10**9), max_value=10**9, places=2)


@given(st.lists(st.tuples(st.sampled_from(["GBP", "EUR", "JPY", None, "XXX"]), money)))
def test_rows_add_up_to_the_total_and_what_has_no_rate_stands_beside_it(amounts):
    rates = Rates("GBP", {"GBP": Rate(Decimal(1), TODAY), "EUR": Rate(Decimal("0.8567"), TODAY)})
    total, rest = rates.total(amounts)
    valued = [rates.value(amount, currency) for currency, amount in amounts]
    assert total == sum((value for value in valued if value is not None), Decimal(0))
    assert sum(rest.values()) == sum(a for (_, a), v in zip(amounts, valued, strict=True) if v is None)
    assert set(rest) <= {"JPY", "", "XXX"}


def test_the_firm_is_saved_by_its_form_and_told_to_the_audit(browse, ada, mallory):
    answer = browse(ada).post(
        "/firm/", {"name": "H & V", "currency": "GBP", "rate_type": "spot", "rate_max_age_days": 30, "time_zone": "UTC"}
    )
    assert answer.status_code in (200, 302)
    assert kind("Firm").dump("firm")["currency"] == "GBP"
    assert browse(mallory).get("/firm/").status_code == 403


def test_a_second_firm_and_a_currency_that_is_none_are_refused():
    found = kind("Firm").validate({"kind": "Firm", "slug": "other", "name": "X", "currency": "GPB"})
    assert {problem.path for problem in found} == {"slug", "currency"}
