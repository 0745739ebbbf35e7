"""What is expected of records: opened by the ledger, met by an arrival, broken by the clock, given up with the record."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from governance.calendars.services import save_calendar
from governance.models import BusinessCalendar, Firm, ServiceLevel
from hub.common import facts
from hub.records.models import CanonicalRecord
from hub.sync.models import Batch
from hub.sync.states import DeliveryState, Outcome
from monitoring.expectations import timing
from monitoring.expectations.late import late
from monitoring.expectations.projecting import advance_level
from monitoring.expectations.services import sweep as sweep_once
from monitoring.models import Expectation, ExpectationPosition
from tests.expectations.builders import DAY, HOUR, NOW, State, Watched, states, sweep, version_of_ledger
from tests.sync import builders as build

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains):
    return Watched()


@pytest.fixture
def heard(monkeypatch):
    """The facts that were published, as (name, ids)."""
    told = []
    monkeypatch.setattr(facts, "publish", lambda fact, **details: told.append((fact, details.get("ids"))))
    return told


def test_what_arrives_in_time_is_met_and_what_comes_later_is_late(world):
    world.keep()
    world.arrived(NOW - 10 * HOUR, HOUR)
    world.arrived(NOW - 9 * HOUR, 5 * HOUR)
    swept = sweep()
    assert states() == [State.MET, State.MET_LATE]
    assert (swept.moved.opened, swept.moved.met) == (2, 2)
    late_one = Expectation.objects.get(state=State.MET_LATE)
    assert late_one.arrived_at == NOW - 4 * HOUR
    assert late_one.decided_at == late_one.due_at == NOW - 5 * HOUR
    assert late_one.arrival_id is not None


def test_what_was_never_queued_is_late_though_nothing_failed(world):
    world.keep()
    record, cause = world.read(
        NOW - 5 * HOUR, amount=Decimal("480.00"), currency="EUR", customer="acme", period="2026-11"
    )
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.breached_at, row.cause_id) == (State.BREACHED, NOW, cause)
    found = list(late())
    assert [(one.record_id, one.amount, one.client, one.due_at) for one in found] == [
        (record.pk, Decimal("480.00"), "acme", NOW - HOUR)
    ]


def test_a_breach_is_found_by_the_clock_alone(world, heard):
    world.keep()
    world.read(NOW)
    sweep()
    assert states() == [State.OPEN]
    due = Expectation.objects.get().due_at
    assert due == NOW + 4 * HOUR
    timing.tick(due)
    assert states() == [State.WARNED], "what arrives at its deadline is in time"
    timing.tick(due + HOUR / 3600)
    row = Expectation.objects.get()
    assert row.state == State.BREACHED
    assert [name for name, _ in heard] == ["expectation_warned", "expectation_breached"]
    assert heard[1][1] == [row.pk]


def test_the_warning_comes_at_80_percent_unless_the_level_says_otherwise(world):
    world.keep(warn_seconds=0)
    world.keep(slug="other", warn_seconds=3600)
    world.read(NOW)
    sweep()
    warns = dict(Expectation.objects.values_list("service_level__slug", "warn_at"))
    assert warns == {"approved-time": NOW + 3.2 * HOUR, "other": NOW + HOUR}


def test_what_waits_in_another_queue_is_late_but_not_twice_before_people(world):
    world.keep()
    world.stuck(NOW - 5 * HOUR, DeliveryState.DEAD)
    sweep()
    assert states() == [State.BREACHED]
    assert list(late()) == []


def test_an_arrival_closes_what_was_late_already(world, heard):
    world.keep()
    record, cause = world.read(NOW - 5 * HOUR)
    sweep()
    world.deliver(record, cause, NOW + HOUR)
    sweep(NOW + 2 * HOUR)
    row = Expectation.objects.get()
    assert (row.state, row.breached_at, row.arrived_at) == (State.MET_LATE, NOW, NOW + HOUR)
    assert heard[-1] == ("expectation_met", [row.pk])
    assert list(late()) == []


def test_an_arrival_in_time_that_was_seen_late_takes_the_breach_back(world):
    world.keep()
    record, cause = world.read(NOW - 5 * HOUR)
    sweep()
    world.deliver(record, cause, NOW - 2 * HOUR)
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.breached_at) == (State.MET, None)


def test_a_newer_version_at_the_target_meets_what_was_expected_of_the_older_ones(world):
    world.keep()
    record, _ = world.read(NOW - 3 * HOUR)
    cause = world.changed(record, NOW - 2 * HOUR, 2)
    version_of_ledger(cause, 2)
    arrival = world.ledger(world.delivers, record, NOW - HOUR, cause=cause)
    version_of_ledger(arrival, 2)
    sweep()
    assert states() == [State.MET, State.MET]
    assert set(Expectation.objects.values_list("arrival_id", flat=True)) == {arrival}


def test_an_older_version_at_the_target_does_not_meet_the_newer_one(world):
    world.keep()
    record, first = world.read(NOW - 3 * HOUR)
    version_of_ledger(first, 1)
    version_of_ledger(world.changed(record, NOW - 2 * HOUR, 2), 2)
    arrival = world.ledger(world.delivers, record, NOW - HOUR, cause=first)
    version_of_ledger(arrival, 1)
    sweep()
    assert states() == [State.MET, State.OPEN]


def test_what_the_target_holds_already_arrives_without_a_ledger_row(world):
    world.keep()
    record, cause = world.read(NOW - 3 * HOUR)
    world.delivery(record, cause, DeliveryState.DELIVERED)
    record.deliveries.update(delivered_version=1)
    run = world.run(world.delivers, NOW - HOUR, HOUR / 2)
    Batch.objects.create(
        run_id=run.pk, sync_id=world.delivers.pk, page_no=1, at=NOW - HOUR, unchanged_ids=[record.pk], read=1
    )
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.arrived_at, row.arrival_id) == (State.MET, NOW - HOUR, None)


def test_what_a_first_load_linked_is_at_the_target_though_no_ledger_row_says_so(world):
    world.keep()
    record, cause = world.read(NOW - 5 * HOUR)
    world.delivery(record, cause, DeliveryState.DELIVERED)
    record.deliveries.update(delivered_version=1)
    sweep()
    assert states() == [State.MET]


def test_the_condition_holds_when_it_is_opened_and_nothing_is_asked_when_it_holds_no_more(world):
    world.keep()
    world.read(NOW - HOUR, status="draft")
    record, _ = world.read(NOW - HOUR)
    sweep()
    assert states() == [State.OPEN]
    world.changed(record, NOW, 2, status="draft")
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.note) == (State.CANCELLED, "unasked")


@pytest.mark.parametrize(("outcome", "note"), [(Outcome.REMOVED, "removed"), (Outcome.MERGED, "merged")])
def test_a_record_that_is_gone_is_expected_nowhere(world, outcome, note):
    world.keep()
    record, _ = world.read(NOW - HOUR)
    sweep()
    CanonicalRecord.objects.filter(pk=record.pk).update(deleted_at=NOW)
    world.ledger(world.reads, record, NOW, outcome)
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.note) == (State.CANCELLED, note)


def test_what_a_person_discarded_is_not_expected(world):
    world.keep()
    record, cause = world.read(NOW - 5 * HOUR)
    sweep()
    world.ledger(world.delivers, record, NOW, Outcome.DISCARDED, cause)
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.note) == (State.CANCELLED, "discarded")
    assert row.breached_at == NOW, "that it was late stays true"


def test_another_source_and_another_target_are_another_promise(world):
    world.keep(source=world.erp)
    world.arrived(NOW - 3 * HOUR, HOUR)
    sweep()
    assert states() == []


def test_a_process_is_complete_when_the_last_system_has_the_record(world):
    wms = build.connection("wms")
    more = build.sync(
        "time-to-wms", "out", build.stream(wms, "time"), world.entity, [{"target": "number", "source": "number"}]
    )
    world.keep(measure="duration", target=None)
    record, cause = world.read(NOW - 2.5 * HOUR)
    with_delivery(world.delivers, record, cause, DeliveryState.DELIVERED)
    with_delivery(more, record, cause, DeliveryState.PENDING)
    world.ledger(world.delivers, record, NOW - 2 * HOUR, cause=cause)
    sweep()
    assert states() == [State.OPEN]
    record.deliveries.filter(sync=more).update(state=DeliveryState.DELIVERED, delivered_version=1)
    world.ledger(more, record, NOW - HOUR, cause=cause)
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.arrived_at) == (State.MET, NOW - HOUR)


def with_delivery(sync, record, cause, state):
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sync_delivery (sync_id, record_id, version, state, next_at, cause_id, delivered_version)"
            " values (%s, %s, 1, %s, now(), %s, %s)",
            [sync.pk, record.pk, int(state), cause, 1 if state == DeliveryState.DELIVERED else None],
        )


def test_time_counts_by_the_calendar_and_its_changes_move_open_deadlines(world):
    week = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    document = {"slug": "office", "name": "Office", "hours": week}
    save_calendar(document, by=None)
    level = world.keep(calendar=BusinessCalendar.objects.get())
    world.read(datetime(2026, 11, 20, 16, tzinfo=UTC))
    sweep(datetime(2026, 11, 20, 16, 30, tzinfo=UTC))
    row = Expectation.objects.get()
    assert row.due_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    save_calendar({**document, "holidays": [{"date": "2026-11-23", "name": "Closed"}]}, by=None)
    advance_level(ServiceLevel.objects.get(pk=level.pk))
    row.refresh_from_db()
    assert row.due_at == datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_amounts_are_in_the_currency_of_the_firm_and_none_where_there_is_no_rate(world):
    Firm.objects.create(name="Acme Consulting", currency="EUR")
    world.keep()
    world.read(NOW - HOUR, amount=Decimal("100.00"), currency="EUR")
    world.read(NOW - HOUR, amount=Decimal("100.00"), currency="GBP")
    world.read(NOW - HOUR)
    sweep()
    found = Expectation.objects.order_by("pk").values_list("amount", "amount_firm")
    assert list(found) == [(Decimal(100), Decimal(100)), (Decimal(100), None), (None, None)]


def test_a_new_level_counts_from_the_start_of_its_window_but_alarms_nobody_about_the_past(world, heard):
    level = world.level()
    level.save()
    world.stuck(datetime(2026, 10, 31, tzinfo=UTC))
    world.stuck(datetime(2026, 11, 2, tzinfo=UTC))
    world.read(NOW - HOUR)
    sweep_once()
    assert states() == [State.BREACHED, State.OPEN]
    assert [ids for name, ids in heard if name == "expectation_breached"] == []
    assert ExpectationPosition.objects.get().watched_from == NOW


def test_the_same_ledger_opens_and_closes_nothing_twice(world):
    world.keep()
    world.arrived(NOW - 10 * HOUR, HOUR)
    world.stuck(NOW - 5 * HOUR)
    first = sweep()
    again = sweep()
    assert first.moved.opened == 2
    assert (again.moved.opened, again.moved.met, again.ticked.breached) == (0, 0, 0)


def test_the_clock_decides_nothing_that_an_arrival_not_looked_at_may_have_met(world):
    level = world.keep(since=NOW - 3 * DAY, breach_seconds=30 * 3600)
    world.arrived(NOW - 3 * DAY, 28 * HOUR)
    advance_level(level, stop=0)
    assert ExpectationPosition.objects.get().is_behind
    timing.tick()
    assert states() == [State.OPEN], "its arrival stands in the day that was not looked at yet"
    advance_level(level)
    timing.tick()
    assert states() == [State.MET]


def test_a_deleted_level_leaves_nothing(world):
    level = world.keep()
    world.stuck(NOW - 5 * HOUR)
    sweep()
    level.delete()
    assert not Expectation.objects.exists()
