"""The pages of periods, closes and value in a browser: empty, full and failing; signing a close; a year of periods."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from hub.accounts.models import User
from hub.common.times import period_of, set_business_clock, shift_period
from hub.sync.states import DeliveryState
from monitoring.close import services as close_services
from monitoring.close import sources
from monitoring.close.scope import Scope
from monitoring.close.sources import Row, source
from monitoring.models import CloseSignature, Measure, MeasureValue, Period
from monitoring.value import services as value_services
from tests.close.builders import document, item
from tests.value.builders import NOW, ValueWorld, at

BASELINE = {"value": "9000", "period": "2026-03", "source": "Unbilled list of the billing team"}


@pytest.fixture
def world(visit: Any, domains: Any) -> ValueWorld:
    set_business_clock(NOW)
    made = ValueWorld()
    for code, zone in (("HV-UK", "Europe/London"), ("HV-DE", "Europe/Berlin")):
        for month in (f"2026-{number:02d}" for number in range(7, 13)):
            status = "closed" if month < "2026-10" else ""
            close_services.save_period(
                document(code, month, time_zone=zone, status=status)
                | ({"close_date": "2026-12-02"} if month in ("2026-10", "2026-11") else {}),
                by=None,
            )
    item(made, cause="missing_rate", title="No bill rate: Senior Consultant × Acme", amount=Decimal("61262.50"))
    item(made, cause="inactive_person", amount=Decimal("1850.00"), currency="EUR")
    for number in range(12):
        record = made.entry(
            f"{100 + number}.50",
            "EUR" if number % 3 else "GBP",
            body={"hours": "7.50", "billing_status": "unbilled", "approved_at": "2026-11-20T18:00:00Z"},
        )
        made.delivery(record, [DeliveryState.DEAD, DeliveryState.PENDING, DeliveryState.DELIVERED][number % 3])
    made.entry("900.00", "USD", body={"status": "submitted", "hours": "6.00"})
    made.delivery(made.entry("75.00", project="P-GONE"), DeliveryState.HELD)
    for hours in (1, 2, 4, 9):
        made.arrived(at("2026-11-10T09:00:00"), hours, body={"hours": "8.00", "billing_status": "billed"})
    made.run(made.reads, NOW - timedelta(days=75))
    return made


def full_value(world: ValueWorld) -> None:
    """A year of a measure, and what the world gives of the others."""
    value_services.load_shipped(by=None)
    Measure.objects.filter(slug="unbilled-time").update(baseline=BASELINE, target="5000")
    one = Measure.objects.get(slug="touches-avoided")
    one.values.all().delete()
    for back in range(13):
        number = 900 + 37 * (back % 5) - 20 * back
        MeasureValue.objects.create(
            measure=one, month=shift_period("2026-11", -back), state="measured", value=number, rows=4, numerator=number,
            denominator=number, computed_at=timezone.now(),
            causes=[["erp", 2, str(number - 300 - back), "1"], ["psa", 1, "200", "1"], ["crm", 1, str(100 + back), "1"]],
        )  # fmt: skip


def test_nothing_is_planned_yet(visit: Any, finn: User, domains: Any) -> None:
    for path in ("periods", "close", "value"):
        visit(finn).inspect(f"/{path}/", f"{path}_empty")


def test_the_pages_of_a_close(visit: Any, finn: User, world: ValueWorld) -> None:
    for path, name in (
        ("/periods/", "periods"), ("/periods/hv-uk-2026-11/", "period"), ("/periods/hv-uk-2026-11/edit/", "period_form"),
        ("/close/", "closes"), ("/close/HV-UK/2026-11/", "close"), ("/close/HV-UK/2026-11/pack/", "close_pack"),
        ("/close/HV-UK/2026-11/list/trouble/", "close_list"), ("/close/HV-DE/2026-11/", "close_ready"),
    ):  # fmt: skip
        visit(finn).inspect(path, name)


def test_a_source_that_fails_leaves_the_page(visit: Any, finn: User, world: ValueWorld) -> None:
    @source(order=5)
    def reconciliation(scope: Scope) -> list[Row]:
        raise RuntimeError("no table")

    try:
        seen = visit(finn)
        seen.inspect("/close/HV-UK/2026-11/", "close_failing")
        assert "Could not be read: reconciliation" in seen.page.inner_text("main")
    finally:
        sources._sources.pop("reconciliation")


def test_two_people_sign_in_the_browser(visit: Any, finn: User, ada: User, world: ValueWorld) -> None:
    page = visit(finn).go("/close/HV-DE/2026-11/")
    page.click("text=Sign as prepared")
    page.wait_for_selector("text=Who prepared a close does not review it")
    page = visit(ada).go("/close/HV-DE/2026-11/")
    page.click("text=Sign as reviewed")
    page.wait_for_selector("text=Both have signed")
    assert CloseSignature.objects.count() == 2


def test_a_year_is_seen_before_it_is_made(visit: Any, finn: User, world: ValueWorld) -> None:
    seen = visit(finn)
    page = seen.go("/periods/year/")
    page.fill("[name=first_period]", "2027-01")
    page.click("text=Show them first")
    page.wait_for_selector("text=What would be made")
    before = Period.objects.count()
    seen.assert_accessible()
    seen.shoot("period_year")
    page.click("text=Make these periods")
    page.wait_for_url("**/periods/")
    assert Period.objects.count() == before + 24


def test_the_pages_of_value(visit: Any, ada: User, world: ValueWorld) -> None:
    full_value(world)
    for path, name in (
        ("", "value"), ("unbilled-time/", "measure"), ("touches-avoided/", "measure_trend"), ("bench/", "measure_missing"),
        ("unbilled-time/rows/", "measure_rows"), ("hours/", "hours"), ("unbilled-time/edit/", "measure_form"),
        ("baselines/", "baselines"),
    ):  # fmt: skip
        visit(ada).inspect(f"/value/{path}", name)


def test_a_measure_that_fails_says_so(visit: Any, ada: User, world: ValueWorld) -> None:
    value_services.load_shipped(by=None)
    one = Measure.objects.get(slug="recovery")
    one.values.all().delete()
    MeasureValue.objects.create(
        measure=one, month=period_of(NOW.date()), state="failed", note="It took more than 60 s.", computed_at=NOW
    )
    seen = visit(ada)
    seen.inspect("/value/recovery/", "measure_failed")
    assert "It took more than 60 s." in seen.page.inner_text("main")
