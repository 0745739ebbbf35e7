"""Each measure over a small history whose figure was worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub.common.times import set_business_clock
from hub.sync.models import Run
from hub.sync.states import Outcome, RunStatus
from monitoring.models import ExceptionItem, MeasureValue
from monitoring.value import computing
from monitoring.value.formulas import formulas
from tests.close.builders import item
from tests.value.builders import NOW, ValueWorld, at, computed, listed, measure

pytestmark = pytest.mark.django_db
State = MeasureValue.State


@pytest.fixture
def world(domains: Any) -> ValueWorld:
    set_business_clock(NOW)
    return ValueWorld()


def near(value: Decimal | None, text: str) -> bool:
    assert value is not None
    return abs(value - Decimal(text)) < Decimal("0.00001")


def test_approved_time_to_erp_is_the_median_of_first_arrivals(world: ValueWorld) -> None:
    approved = at("2026-11-10T09:00:00")
    for hours in (1, 2, 3, 4, 10):
        world.arrived(approved, hours)
    late = world.arrived(approved, 1)
    world.ledger(world.delivers, late, approved + timedelta(hours=90), Outcome.UPDATED)  # a later update is no arrival
    world.arrived(at("2026-10-10T09:00:00"), 500)  # arrived in October
    world.ledger(
        world.reads, world.entry(body={"approved_at": "2026-11-10T09:00:00Z"}), approved
    )  # read, not delivered
    found = computed("time_to_erp")
    # 1 1 2 3 4 10: the median lies between 2 and 3; the 90th percentile halfway between 4 and 10.
    assert (found.state, found.rows, found.value, found.second) == (State.MEASURED, 6, Decimal("2.5"), Decimal("7"))


def test_the_month_is_the_firms_month_and_not_that_of_utc(world: ValueWorld) -> None:
    """In London's summer a day begins at 23:00 UTC."""
    world.arrived(at("2026-06-30T22:00:00"), 0.99)
    world.arrived(at("2026-06-30T22:00:00"), 1)
    assert computed("time_to_erp", "2026-06").rows == 1
    assert computed("time_to_erp", "2026-07").rows == 1


def test_a_project_is_set_up_when_the_last_of_the_systems_has_it(world: ValueWorld) -> None:
    world.record("opportunity", "D-1", {"won_at": "2026-11-01T00:00:00Z"})
    world.record("opportunity", "D-2", {"close_date": "2026-11-02"})
    first = world.record("project", "P-1", {"opportunity": "D-1"}, project="P-1", legal_entity="HV-UK")
    world.ledger(world.project_in, first, at("2026-11-02T00:00:00"))
    world.ledger(world.project_out, first, at("2026-11-03T12:00:00"))
    world.ledger(world.project_out, first, at("2026-11-20T00:00:00"), Outcome.UPDATED)
    second = world.record("project", "P-2", {"opportunity": "D-2"}, project="P-2", legal_entity="HV-DE")
    world.ledger(world.project_in, second, at("2026-11-03T00:00:00"))  # never in the ERP
    found = computed("project_setup")
    assert (found.rows, found.value) == (1, Decimal("2.5"))
    assert found.causes == [["HV-UK", 1, "2.500000", "1"]]
    assert near(computed("project_setup", parameters={"systems": ["psa"]}).value, "1")


def test_staffing_takes_from_the_request_to_the_first_confirmed_assignment(world: ValueWorld) -> None:
    world.record("resource_request", "RQ-1", {"requested_at": "2026-11-01T08:00:00Z", "role": "Lead"})
    for number, (status, moment) in enumerate(
        [
            ("proposed", "2026-11-02T08:00:00"),
            ("confirmed", "2026-11-04T08:00:00"),
            ("confirmed", "2026-11-09T08:00:00"),
        ]
    ):
        one = world.record("assignment", f"AS-{number}", {"resource_request": "RQ-1", "status": status})
        world.ledger(world.project_in, one, at(moment))
    found = computed("staffing_speed")
    assert (found.rows, found.value, found.causes[0][0]) == (1, Decimal(3), "Lead")


def test_time_to_invoice_counts_calendar_days_from_the_approval(world: ValueWorld) -> None:
    world.record("invoice", "SI-1", {"invoice_date": "2026-11-30"}, customer="C-1")
    world.record("invoice", "SI-2", {"invoice_date": "2026-12-01"}, customer="C-1")
    for approved, invoice in (
        ("2026-11-20T23:30:00Z", "SI-1"),
        ("2026-11-28T09:00:00Z", "SI-1"),
        ("2026-11-28T09:00:00Z", "SI-2"),
    ):
        world.entry(body={"approved_at": approved, "invoice": invoice})
    found = computed("time_to_invoice")
    assert (found.rows, found.value) == (2, Decimal(6))
    assert computed("time_to_invoice", "2026-12").value == Decimal(3)


def test_the_invoice_cycle_runs_from_the_last_day_of_the_period(world: ValueWorld) -> None:
    for number, (day, period, kind) in enumerate(
        [
            ("2026-11-05", "2026-10", None),
            ("2026-11-30", "2026-11", "invoice"),
            ("2026-11-30", "2026-01", "credit_memo"),
        ]
    ):
        body = {"invoice_date": day, "period": period, "type": kind}
        world.record("invoice", f"SI-{number}", body, period=period)
    found = computed("invoice_cycle")
    assert (found.rows, found.value, found.numerator) == (2, Decimal("2.5"), Decimal(5))


def test_an_outage_ends_with_the_first_run_that_goes_through(world: ValueWorld) -> None:
    begins = at("2026-11-10T08:00:00")
    for hours, status in ((0, "failed"), (1, "failed"), (3, "succeeded"), (4, "failed"), (5, "completed_with_errors")):
        world.run(world.reads, begins + timedelta(hours=hours), status, "TIMEOUT" if status == "failed" else "")
    world.run(world.delivers, begins, RunStatus.FAILED)  # has not ended
    found = computed("recovery")
    assert (found.rows, found.value, found.numerator) == (2, Decimal(2), Decimal(4))
    assert found.causes == [["TIMEOUT", 2, "4.000000", "2"]]


def test_leakage_is_what_is_approved_billable_and_not_billed_by_age(world: ValueWorld) -> None:
    def unbilled(amount: str, approved: str, currency: str = "GBP", **body: Any) -> None:
        told = {"approved_at": approved, "billing_status": "unbilled", "is_billable": True, **body}
        world.entry(amount, currency, body=told)

    unbilled("100.00", "2026-11-28T09:00:00Z")
    unbilled("50.00", "2026-11-10T09:00:00Z", "EUR")
    unbilled("70.00", "2026-08-01T09:00:00Z")
    unbilled("9.00", "2026-08-01T09:00:00Z", "USD")  # no rate: named, never counted as nothing
    unbilled("1.00", "2026-11-28T09:00:00Z", is_billable=False)
    unbilled("2.00", "2026-11-28T09:00:00Z", billing_status="billed")
    unbilled("4.00", "2026-11-28T09:00:00Z", status="submitted")
    world.entry(
        None,
        "GBP",
        body={"billing_status": "ready", "approved_at": "2026-11-29T09:00:00Z", "hours": "7.50", "bill_rate": "10.005"},
    )
    world.record(
        "milestone", "M-1", {"status": "accepted", "billing_status": "unbilled", "name": "Design"},
        amount=Decimal("1000"), currency="GBP", project="P-UK",
    )  # fmt: skip
    found = computed("unbilled_time")
    # 100 + 40 (50 EUR at 0.80) + 70 + 75.04 (7.5 hours at 10.005) + 1000
    assert (found.value, found.currency, found.unconverted) == (Decimal("1285.04"), "GBP", {"USD": "9.0000"})
    assert [(cause, total) for cause, _, total, _ in found.causes] == [
        ("Milestones that were reached", "1000.00"),
        ("Time, up to 7 days", "175.04"),
        ("Time, more than 60 days", "70.00"),
        ("Time, 8 to 30 days", "40.00"),
    ]


def test_cost_assumptions_differ_in_either_direction(world: ValueWorld) -> None:
    world.record("resource", "R-1", {"name": "Ann", "role": "Lead", "cost_rate": "60.00"}, currency="GBP")
    world.record("resource", "R-2", {"name": "Bob", "cost_rate": "60.00"}, currency="EUR")
    for resource, rate in (("R-1", "50.00"), ("R-1", "65.00"), ("R-1", "60.00"), ("R-2", "10.00")):
        world.entry(body={"resource": resource, "hours": "8.00", "cost_rate": rate})
    found = computed("cost_mismatch")
    assert (found.value, found.rows) == (Decimal("120.00"), 2)


def test_margins_agree_within_the_tolerance(world: ValueWorld) -> None:
    def figures(project: str, revenue: str, cost: str, posted: str) -> None:
        world.record(
            "project_financials", f"{project}|2026-11-30",
            {"as_of_date": "2026-11-30", "actual_revenue": revenue, "actual_labour_cost": cost}, project=project,
        )  # fmt: skip
        for category, amount in (("revenue", f"-{revenue}"), ("cost", posted)):
            world.record(
                "gl_posting", f"{project}|{category}", {"posting_date": "2026-11-20", "category": category},
                project=project, amount=Decimal(amount), currency="GBP",
            )  # fmt: skip

    figures("P-1", "1000", "600", "604")  # 40.0 and 39.6
    figures("P-2", "1000", "600", "700")  # 40 and 30
    figures("P-3", "1000", "600", "605")  # 40.0 and 39.5: just within
    found = computed("margin_consistency")
    assert near(found.value, "66.666667")
    assert (found.numerator, found.denominator) == (2, 3)
    assert near(computed("margin_consistency", parameters={"tolerance": "0.4"}).value, "33.333333")


def test_touches_avoided_are_records_written_less_what_people_settled(world: ValueWorld, finn: Any) -> None:
    moment = at("2026-11-10T09:00:00")
    for outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DEAD):
        for _ in range(3):
            world.ledger(world.delivers, world.entry(), moment, outcome)
    world.ledger(world.reads, world.entry(), moment)
    by_hand = {"sync_id": world.delivers.pk, "resolved_at": moment, "state": ExceptionItem.State.RESOLVED}
    item(world, resolved_by=finn, **by_hand)
    item(world, **by_hand)
    found = computed("touches_avoided")
    assert (found.value, found.rows, found.denominator) == (5, 1, 6)


def test_each_pair_of_systems_that_exchange_an_entity_is_an_interface(world: ValueWorld) -> None:
    found = computed("interfaces_replaced")
    assert (found.value, {cause for cause, *_ in found.causes}) == (2, {"Time_Entry", "Project"})


def test_the_forecast_is_as_accurate_as_planned_hours_were_booked(world: ValueWorld) -> None:
    """November 2026 has 21 weekdays; Ann's day has 7.5 hours."""
    world.record("resource", "R-1", {"weekly_hours": "37.5"})
    assigned = {
        "resource": "R-1",
        "status": "confirmed",
        "start_date": "2026-10-15",
        "end_date": "2026-12-31",
        "percent": "80",
    }
    world.record("assignment", "AS-1", assigned)
    world.record("assignment", "AS-2", {**assigned, "status": "proposed"})
    # 21 days of 7.5 hours at 80 percent are 126 hours; 100 were booked.
    for hours in ("20.00",) * 5:
        world.entry(body={"resource": "R-1", "hours": hours})
    found = computed("forecast_accuracy")
    assert (found.numerator, found.denominator) == (100, 126)
    assert near(found.value, "79.365079")


def test_hours_of_an_assignment_are_spread_evenly_over_its_weekdays(world: ValueWorld) -> None:
    """Monday 23 November to Friday 4 December: ten weekdays, six of them in November."""
    world.record(
        "assignment", "AS-1",
        {"resource": "R-9", "status": "confirmed", "start_date": "2026-11-23", "end_date": "2026-12-04", "hours": "50"},
    )  # fmt: skip
    world.entry(body={"resource": "R-9", "hours": "45.00"})
    found = computed("forecast_accuracy")
    assert (found.denominator, found.numerator) == (30, 15)


def test_over_allocation_is_what_lies_beyond_the_persons_day(world: ValueWorld) -> None:
    """80 and 40 percent over one week of eight-hour days: 8 hours too many."""
    for number, percent in enumerate(("80", "40")):
        dates = {"start_date": "2026-11-09", "end_date": "2026-11-15"}
        world.record(
            "assignment", f"AS-{number}", {"resource": "R-1", "status": "confirmed", "percent": percent, **dates}
        )
    found = computed("over_allocation")
    assert (found.value, found.causes[0][0]) == (8, "2026-W46")


def test_bench_is_capacity_without_approved_absence_and_bookings(world: ValueWorld) -> None:
    for day, told in (
        ("2026-11-09", {"capacity_hours": "8", "booked_hours": "6"}),
        ("2026-11-10", {"capacity_hours": "8", "absence_hours": "8", "absence_status": "approved"}),
        ("2026-11-11", {"capacity_hours": "8", "absence_hours": "8", "absence_status": "requested"}),
        ("2026-11-12", {"capacity_hours": "8", "booked_hours": "10"}),
        ("2026-12-01", {"capacity_hours": "8"}),
    ):
        world.record("availability", f"R-1|{day}", {"resource": "R-1", "date": day, **told})
    assert computed("bench").value == 10


# Rows and what is left out ---------------------------------------------------------------------------------------
def test_the_rows_of_every_measure_sum_to_its_tile(world: ValueWorld, finn: Any) -> None:
    """Whatever they hold: rows, their sum and the tile come from one statement."""
    for one in (
        test_leakage_is_what_is_approved_billable_and_not_billed_by_age,
        test_bench_is_capacity_without_approved_absence_and_bookings,
        test_over_allocation_is_what_lies_beyond_the_persons_day,
        test_each_pair_of_systems_that_exchange_an_entity_is_an_interface,
    ):
        one(world)
    for slug, formula in formulas().items():
        value, rows = computed(slug), [row for row in listed(slug) if row.worth is not None]
        assert len(rows) == value.rows
        assert sum((row.worth for row in rows if row.worth is not None), Decimal(0)) == value.numerator
        if formula.aggregate == "sum" and value.value is not None:
            assert value.value == value.numerator
        for cause, count, total, _ in value.causes:
            of_cause = [row for row in rows if row.cause == cause]
            assert (len(of_cause), sum(row.worth or 0 for row in of_cause)) == (count, Decimal(total))


def test_what_is_excluded_counts_neither_in_the_tile_nor_in_the_rows(world: ValueWorld) -> None:
    world.record("project", "INT-1", {}, project="INT-1", legal_entity="HV-UK")
    told = {"billing_status": "unbilled", "approved_at": "2026-11-28T09:00:00Z"}
    world.entry("100.00", body=told)
    world.entry("900.00", body=told, project="INT-1")
    world.entry("30.00", body={**told, "approved_at": "2026-08-01T09:00:00Z"})
    without = {"exclusions": {"project": ["INT-*"], "cause": ["*60 days"]}}
    assert computed("unbilled_time").value == Decimal("1030.00")
    assert computed("unbilled_time", **without).value == Decimal("100.00")
    assert [row.worth for row in listed("unbilled_time", **without)] == [Decimal("100.00")]


# What is said instead of a figure --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("bench", "Not connected: needs the field capacity hours of Availability from a PSA or the HRIS."),
        ("over_allocation", "Not connected: needs Assignment from a PSA."),
        ("invoice_cycle", "Not connected: needs the field period of Invoice from the ERP."),
    ],
)
def test_what_is_not_connected_is_said_and_never_counted_as_nothing(
    world: ValueWorld, formula: str, sentence: str
) -> None:
    found = computed(formula)
    assert (found.state, found.value, found.note) == (State.NOT_CONNECTED, None, sentence)


def test_a_month_without_a_row_has_no_figure(world: ValueWorld) -> None:
    world.record(
        "assignment",
        "AS-1",
        {"resource": "R-1", "status": "confirmed", "start_date": "2026-01-01", "end_date": "2026-01-02"},
    )
    found = computed("over_allocation")
    assert (found.state, found.value) == (State.TOO_LITTLE, None)


def test_a_value_that_cannot_be_read_leaves_the_others(world: ValueWorld) -> None:
    world.record("resource", "R-1", {"cost_rate": "60.00"}, currency="GBP")
    world.entry(body={"resource": "R-1", "hours": "lots", "cost_rate": "50.00"})
    world.entry(body={"resource": "R-1", "hours": "1.00", "cost_rate": "50.00"})
    assert computed("cost_mismatch").value == Decimal("10.00")


def test_a_firm_without_a_currency_has_no_amounts(world: ValueWorld) -> None:
    from governance.models import Firm

    world.entry(body={"billing_status": "unbilled"})
    Firm.objects.all().delete()
    found = computed("unbilled_time")
    assert (found.state, found.value) == (State.NOT_CONNECTED, None)


def test_history_is_counted_from_the_first_run(world: ValueWorld) -> None:
    assert computing.history_days() == 0
    world.run(world.reads, NOW - timedelta(days=11, hours=3))
    assert computing.history_days() == 11
    assert Run.objects.count() == 1


def test_a_new_measure_is_computed_at_once_and_again_after_a_quarter_of_an_hour(world: ValueWorld) -> None:
    measure("unbilled_time")
    assert computing.compute_due() > 0
    assert computing.compute_due() == 0
    MeasureValue.objects.update(computed_at=NOW - timedelta(minutes=16))
    assert computing.compute_due() > 0


def test_the_hourly_round_keeps_one_value_a_month_however_often_it_runs(world: ValueWorld) -> None:
    measure("time_to_erp")
    measure("unbilled_time")
    computing.compute_all()
    computing.compute_all()
    assert MeasureValue.objects.filter(measure__slug="time-to-erp").count() == computing.MONTHS
    assert [one.month for one in MeasureValue.objects.filter(measure__slug="unbilled-time")] == ["2026-11"]
