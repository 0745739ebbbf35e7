"""What stands in the way of a close: every row is a list, and every total is the sum of its rows."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub.common.times import set_business_clock
from hub.records.rates import Rate, Rates
from hub.sync.models import Run, Schedule
from hub.sync.states import DeliveryState, HeldState, RunStatus
from monitoring.close import sources
from monitoring.close.books import book_of
from monitoring.close.listings import find
from monitoring.close.readiness import Ranked, Readiness, as_data, readiness, running, running_and_nowhere, totals
from monitoring.close.scope import Scope, bare_scope, scope_of
from monitoring.close.sources import Row, source
from monitoring.models import ExceptionItem
from tests.close.builders import NOW, CloseWorld, item, other_domain, period
from tests.sync.builders import held

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> CloseWorld:
    set_business_clock(NOW)
    return CloseWorld()


def look(user: Any = None, legal_entity: str = "HV-UK", month: str = "2026-11") -> Readiness:
    book = book_of(legal_entity, month)
    return readiness(scope_of(book, user) if book else bare_scope(legal_entity, month, user), book)


def shown(found: Readiness) -> dict[str, tuple[int, Decimal | None, str]]:
    return {each.row.key: (each.row.count, each.row.amount, each.row.currency) for each in found.rows}


def test_a_close_with_nothing_in_its_way_is_ready(world: CloseWorld) -> None:
    period()
    found = look()
    assert (found.state, found.rows, found.count, found.total) == ("ready", [], 0, 0)


def test_each_kind_of_trouble_is_a_row_with_its_money(world: CloseWorld) -> None:
    period()
    item(world)
    world.delivery(world.entry("100.00"), DeliveryState.DEAD)
    world.delivery(world.entry("30.00"), DeliveryState.PENDING)
    world.entry("70.00", body={"status": "submitted"})
    world.delivery(world.entry("9.00"), DeliveryState.DELIVERED)
    found = look()
    assert shown(found) == {
        "exceptions-missing_rate-GBP": (1, Decimal("250"), "GBP"),
        "trouble-GBP": (1, Decimal("100"), "GBP"),
        "approvals-GBP": (1, Decimal("70"), "GBP"),
        "in-flight-GBP": (1, Decimal("30"), "GBP"),
    }
    # What is on its way is shown, and stands in nobody's way.
    assert (found.count, found.total) == (3, Decimal("420"))
    assert [each.row.key for each in found.rows][-1] == "in-flight-GBP"


def test_rows_are_ranked_by_amount_in_firm_currency(world: CloseWorld) -> None:
    world.delivery(world.entry("100.00", "GBP"), DeliveryState.DEAD)
    world.delivery(world.entry("120.00", "EUR"), DeliveryState.DEAD)
    world.delivery(world.entry("900.00", "USD"), DeliveryState.DEAD)
    found = look()
    assert [(each.row.currency, each.firm) for each in found.rows] == [
        ("GBP", Decimal("100.00")),
        ("EUR", Decimal("96.00")),
        ("USD", None),
    ]
    assert found.total == Decimal("196.00")
    assert found.unconverted == {"USD": Decimal("900.0000")}


def test_no_amount_is_never_an_amount_of_nothing(world: CloseWorld) -> None:
    world.delivery(world.entry(None, ""), DeliveryState.DEAD)
    (row,) = look().rows
    assert (row.row.amount, row.firm, row.row.count) == (None, None, 1)
    assert look().by_currency == {}


def test_what_stands_in_the_queue_is_counted_once(world: CloseWorld) -> None:
    record = world.entry("100.00")
    world.delivery(record, DeliveryState.DEAD)
    item(world, origin="delivery", sync_id=world.delivers.pk, record_id=record.pk, amount=Decimal(100))
    assert list(shown(look())) == ["exceptions-missing_rate-GBP"]


def test_a_settled_exception_is_in_nobodys_way(world: CloseWorld) -> None:
    item(world, state=ExceptionItem.State.RESOLVED)
    item(world, state=ExceptionItem.State.WRITTEN_OFF)
    assert look().rows == []


def test_a_record_belongs_to_the_legal_entity_of_its_project(world: CloseWorld) -> None:
    world.delivery(world.entry(project="P-DE"), DeliveryState.DEAD)
    assert look().rows == []
    assert look(legal_entity="HV-DE").count == 1


def test_its_own_legal_entity_comes_before_its_projects(world: CloseWorld) -> None:
    world.delivery(world.entry(project="P-DE", legal_entity="HV-UK"), DeliveryState.DEAD)
    assert look().count == 1


def test_a_record_belongs_to_the_period_that_it_names_else_to_that_of_its_day(world: CloseWorld) -> None:
    period(start_date="2026-10-26", end_date="2026-11-22")
    world.delivery(world.entry(body={"date": "2026-10-28"}), DeliveryState.DEAD)
    world.delivery(world.entry(body={"date": "2026-11-25"}), DeliveryState.DEAD)
    world.delivery(world.entry(body={"date": "2026-11-25"}, period="2026-11"), DeliveryState.DEAD)
    assert look().count == 2


def test_what_belongs_to_no_close_is_shown_all_the_same(world: CloseWorld) -> None:
    world.delivery(world.entry("10.00", project="P-UNKNOWN"), DeliveryState.DEAD)
    world.delivery(world.entry("20.00", project=None, legal_entity=None), DeliveryState.DEAD)
    held(world.reads, "X-1", {}, HeldState.QUARANTINED)
    item(world, legal_entity="", amount=Decimal("5"))
    found = running_and_nowhere()[-1]
    assert shown(found) == {
        "exceptions-missing_rate-GBP": (1, Decimal("5"), "GBP"),
        "trouble-GBP": (2, Decimal("30"), "GBP"),
        "held": (1, None, ""),
    }


def test_a_person_sees_what_their_domains_hold(world: CloseWorld, make_person: Any) -> None:
    own = make_person("Oscar", ("finance", "project-wbs"))
    item(world)
    item(world, domain=other_domain(), cause="other")
    item(world, domain=None, cause="firm")
    assert look(own).count == 1
    assert look(make_person("Fay", "finance")).count == 3


def test_syncs_behind_their_schedule_are_in_the_way_of_every_close(world: CloseWorld) -> None:
    Schedule.objects.create(slug="s", sync=world.reads, cron="0 * * * *", next_at="2026-11-01T00:00:00Z")
    Run.objects.create(sync=world.delivers, status=RunStatus.FAILED, trigger="manual", finished_at=NOW)
    for code in ("HV-UK", "HV-DE"):
        assert shown(look(legal_entity=code)) == {"syncs": (2, None, "")}


def test_a_sync_that_recovered_is_not_behind(world: CloseWorld) -> None:
    for status in (RunStatus.FAILED, RunStatus.SUCCEEDED):
        Run.objects.create(sync=world.delivers, status=status, trigger="manual", finished_at=NOW)
    assert look().rows == []


def test_a_source_that_fails_is_named_and_the_close_not_called_ready(world: CloseWorld) -> None:
    @source(order=5)
    def broken(scope: Scope) -> list[Row]:
        raise RuntimeError("the table is gone")

    try:
        found = look()
    finally:
        sources._sources.pop("broken")
    assert (found.failed, found.state) == (["broken"], "unmeasured")


def test_a_branch_adds_a_source_in_one_line(world: CloseWorld) -> None:
    @source(order=5)
    def gaps(scope: Scope) -> list[Row]:
        return [Row("gaps", "Unexplained gaps", 2, Decimal(70), "EUR", "/reconciliation/", "Finance")]

    try:
        assert look().total == Decimal("56.00")
    finally:
        sources._sources.pop("gaps")


def test_running_closes_come_soonest_first(world: CloseWorld) -> None:
    period("HV-UK", "2026-12")
    period("HV-DE", "2026-11", close_date="2026-12-03")
    period("HV-UK", "2026-11")
    period("HV-UK", "2026-09", status="closed")
    period("HV-UK", "2027-03")
    assert [str(found.book) for found in running()] == ["HV-DE 2026-11", "HV-UK 2026-11", "HV-UK 2026-12"]


def test_past_its_deadline_a_close_is_late_as_long_as_the_erp_has_it_open(world: CloseWorld) -> None:
    period(close_date="2026-12-01")
    world.told("HV-UK", "2026-11", "closing")
    item(world)
    assert look().state == "late"


_money = st.decimals(min_value=-100_000, max_value=100_000, places=2)
_row = st.builds(
    Row,
    key=st.text("abc", min_size=1, max_size=3),
    what=st.just("x"),
    count=st.integers(1, 50),
    amount=st.none() | _money,
    currency=st.sampled_from(["GBP", "EUR", "USD", "JPY"]),
    url=st.just("/"),
    turn=st.just("x"),
    blocks=st.booleans(),
)


@given(st.lists(_row, max_size=30))
def test_totals_equal_their_rows_in_each_currency(rows: list[Row]) -> None:
    rates = Rates("GBP", {"GBP": Rate(Decimal(1), NOW.date()), "EUR": Rate(Decimal("0.8333"), NOW.date())})
    found = Readiness(Scope("A", "2026-11", None, None), None, NOW, rates)
    found.rows = [Ranked(row, rates.value(row.amount, row.currency)) for row in rows]
    blocking = [row for row in rows if row.blocks and row.amount is not None]
    for currency, total in found.by_currency.items():
        assert total == sum(row.amount for row in blocking if row.currency == currency)  # type: ignore[misc]
    assert set(found.by_currency) == {row.currency for row in blocking}
    assert set(found.unconverted) == {row.currency for row in blocking} & {"USD", "JPY"}
    assert found.total == sum((each.firm for each in found.blocking if each.firm is not None), Decimal(0))
    assert totals(rows[:10]) == totals(reversed(rows[:10]))
    data = as_data(found)
    assert Decimal(data["total"]) == sum(
        Decimal(r["amount_firm"]) for r in data["rows"] if r["blocks"] and r["amount_firm"]
    )


_entries = st.lists(
    st.tuples(
        st.sampled_from([None, "10.00", "33.33", "-4.50", "1000000.01"]),
        st.sampled_from(["GBP", "EUR", "USD", ""]),
        st.sampled_from([DeliveryState.DEAD, DeliveryState.HELD, DeliveryState.PENDING, DeliveryState.DELIVERED]),
        st.sampled_from(["P-UK", "P-DE"]),
    ),
    max_size=8,
)


@hypothesis_settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_entries)
def test_each_row_links_to_a_list_of_as_many_records_that_sum_to_its_amount(
    browse: Any, finn: Any, world: CloseWorld, entries: list[Any]
) -> None:
    """Over the pages as a person opens them: figures, JSON list and CSV list are the same."""
    from hub.records.models import CanonicalRecord
    from hub.sync.models import Delivery

    Delivery.objects.all().delete()
    CanonicalRecord.objects.filter(entity=world.time).delete()
    for amount, currency, state, project in entries:
        world.delivery(world.entry(amount, currency, project=project), state)
    client = browse(finn)
    data = client.get("/close/HV-UK/2026-11.json").json()
    assert sum(row["count"] for row in data["rows"]) == sum(
        1 for _, _, state, project in entries if project == "P-UK" and state != DeliveryState.DELIVERED
    )
    for row in data["rows"]:
        path, _, query = row["url"].partition("?")
        listed = client.get(f"{path.rstrip('/')}.json?{query}")
        records = json.loads(b"".join(listed.streaming_content))
        assert len(records) == row["count"]
        amounts = [Decimal(each["amount"]) for each in records if each["amount"] is not None]
        assert (sum(amounts) if amounts else None) == (Decimal(row["amount"]) if row["amount"] else None)
        text = b"".join(client.get(f"{path.rstrip('/')}.csv?{query}").streaming_content).decode("utf-8-sig")
        assert len(list(csv.DictReader(io.StringIO(text)))) == row["count"]


def test_every_listing_can_be_opened_though_it_is_empty(world: CloseWorld, browse: Any, finn: Any) -> None:
    client = browse(finn)
    for slug in ("exceptions", "trouble", "held", "approvals", "moved", "in-flight", "syncs", "changes"):
        assert find(slug)
        assert client.get(f"/close/HV-UK/2026-11/list/{slug}/").status_code == 200
        assert client.get(f"/close/unplaced/{slug}/").status_code == 200
    assert client.get("/close/HV-UK/2026-11/list/nothing/").status_code == 404
