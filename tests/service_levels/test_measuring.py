"""What a service level counts: in time, warned, late, undecided, and what it leaves out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from governance.calendars.services import save_calendar
from governance.models import BusinessCalendar
from governance.service_levels.services import save_service_level
from hub.common.times import set_business_clock
from hub.sync.states import DeliveryState, Outcome, RunStatus
from monitoring.service_levels import observing
from monitoring.service_levels.backtest import backtest, notes
from monitoring.service_levels.measuring import measure_now
from tests.service_levels.builders import World, document

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(domains):
    set_business_clock(NOW)
    return World()


def figures(found):
    return found.tally.met, found.tally.warned, found.tally.breached, found.tally.running


def test_each_delivery_is_met_warned_or_breached(world):
    for hours in (1, 2, 3.5, 5):
        world.arrived(NOW - 2 * DAY, hours * HOUR)
    found = backtest(world.level())
    assert figures(found) == (2, 1, 1, 0)
    assert found.attained == Decimal("75.00")


def test_the_worst_come_first_and_name_their_record(world):
    slow = [world.arrived(NOW - 2 * DAY, hours * HOUR) for hours in range(1, 15)]
    found = backtest(world.level())
    assert [one.title for one in found.worst] == [record.key for record in reversed(slow[4:])]
    assert found.worst[0].taken == 14 * HOUR


def test_what_never_arrives_is_breached_by_the_clock_alone(world):
    world.stuck(NOW - 5 * HOUR, DeliveryState.DEAD)
    world.stuck(NOW - HOUR)
    assert figures(backtest(world.level())) == (0, 0, 1, 1)


def test_what_a_person_discarded_and_what_the_condition_leaves_out_do_not_count(world):
    world.stuck(NOW - 5 * HOUR, DeliveryState.DISCARDED)
    world.arrived(NOW - DAY, HOUR, status="draft")
    found = backtest(world.level())
    assert not found.has_history
    assert notes(found)[0].startswith("No history yet")


def test_time_counts_by_the_calendar(world):
    week = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    save_calendar({"slug": "office", "name": "Office", "hours": week}, by=None)
    friday = datetime(2026, 11, 13, 16, tzinfo=UTC)
    world.arrived(friday, 67 * HOUR)  # Monday at 11:00
    office = BusinessCalendar.objects.get()
    assert figures(backtest(world.level(calendar=office))) == (1, 0, 0, 0)
    assert figures(backtest(world.level())) == (0, 0, 1, 0)


def test_a_month_has_its_own_figures_and_the_window_only_its_own(world):
    world.arrived(datetime(2026, 10, 5, tzinfo=UTC), 5 * HOUR)
    world.arrived(datetime(2026, 11, 5, tzinfo=UTC), HOUR)
    months = {period.label: tally.attained for period, tally in backtest(world.level()).periods}
    assert months == {"2026-08": None, "2026-09": None, "2026-10": Decimal("0.00"), "2026-11": Decimal("100.00")}
    period, found = measure_now(world.level())
    assert (period.label, found.attained, found.state) == ("2026-11", Decimal("100.00"), "met")


def test_another_source_does_not_count(world):
    world.arrived(NOW - DAY, HOUR)
    assert backtest(world.level(source=world.erp)).tally.total == 0
    assert backtest(world.level(source=world.psa)).tally.total == 1


def test_a_retry_and_a_replay_of_one_change_are_one_observation(world):
    record = world.record(NOW - DAY)
    cause = world.ledger(world.reads, record, NOW - DAY)
    world.ledger(world.delivers, record, NOW - DAY + HOUR, Outcome.RETRYING, cause)
    for hours in (2, 9):
        world.ledger(world.delivers, record, NOW - DAY + hours * HOUR, Outcome.UPDATED, cause)
    assert figures(backtest(world.level())) == (1, 0, 0, 0)


def test_more_history_than_is_looked_at_is_sampled_and_says_so(world, monkeypatch):
    monkeypatch.setattr(observing, "MOST", 10)
    for _ in range(40):
        world.arrived(NOW - DAY, HOUR)
    found = backtest(world.level())
    assert found.step == 4
    assert 0 < found.tally.total < 40
    assert any("one record of 4" in note for note in notes(found))


def test_completeness_counts_what_is_missing_even_if_it_was_never_queued(world):
    world.arrived(NOW - DAY, 9 * HOUR)
    world.stuck(NOW - DAY)
    world.record(NOW - DAY)
    world.record(NOW - HOUR)
    assert figures(backtest(world.level(measure="completeness"))) == (1, 0, 2, 1)


def test_a_process_is_done_when_the_last_system_has_it(world):
    world.arrived(NOW - DAY, 2 * HOUR)
    world.stuck(NOW - DAY)
    found = backtest(world.level(measure="duration", target=None))
    assert figures(found) == (1, 0, 1, 0)


def test_freshness_is_a_share_of_the_time(world):
    start = NOW - 10 * HOUR
    for hours in (0, 2, 8):
        world.run(world.reads, start + hours * HOUR, timedelta())
    world.run(world.reads, start + 9 * HOUR, timedelta(), RunStatus.FAILED)
    found = backtest(world.level(measure="freshness", source=world.psa, condition={}))
    assert figures(found) == (7 * 3600, 3600, 2 * 3600, 0)
    assert found.attained == Decimal("80.00")


def test_data_is_there_by_a_time_of_day_or_it_is_not(world):
    days = [datetime(2026, 11, day, tzinfo=UTC) for day in (16, 17, 18, 19)]
    for day, hour in zip(days, (5, 6.8, 9, None), strict=True):
        if hour is not None:
            world.run(world.reads, day + hour * HOUR, timedelta())
    level = world.level(
        measure="availability", source=world.psa, due_time="07:00", warn_seconds=1800, breach_seconds=0, condition={}
    )
    # 16th in time, 17th within the last half hour, 18th late, 19th and today never
    assert figures(backtest(level)) == (1, 1, 3, 0)


def test_the_command_prints_one_document(world, capsys):
    save_service_level(document(world), by=None)
    world.arrived(NOW - DAY, 5 * HOUR)
    call_command("service-level", "backtest", "approved-time", "--days", "30", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["breached"], found["attained_percent"], found["state"]) == (1, "0.00", "breached")
    assert found["worst"][0]["business_seconds"] == 18_000


def test_an_unknown_name_is_an_error_with_exit_1(world, capsys):
    with pytest.raises(SystemExit) as caught:
        call_command("service-level", "backtest", "nothing", "--json")
    assert caught.value.code == 1
    assert "nothing" in json.loads(capsys.readouterr().out)["error"]
