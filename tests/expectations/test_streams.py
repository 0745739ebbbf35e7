"""What is expected of runs: read again before the data is too old, and there by a time of day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.sync.states import RunStatus
from monitoring.expectations.late import late
from monitoring.models import Expectation
from monitoring.service_levels.standing import standing
from tests.expectations.builders import DAY, HOUR, NOW, State, Watched, states, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains):
    return Watched()


def fresh(world, **fields):
    return world.keep(**{"measure": "freshness", "source": world.psa, "target": None, "condition": {}, **fields})


def test_each_reading_asks_for_the_next_one_in_time(world):
    fresh(world)
    start = NOW - 10 * HOUR
    for hours in (0, 2, 8):
        world.run(world.reads, start + hours * HOUR, timedelta())
    world.run(world.reads, start + 9 * HOUR, timedelta(), RunStatus.FAILED)
    sweep()
    assert states() == [State.MET, State.MET_LATE, State.OPEN]
    assert [row.due_at for row in Expectation.objects.order_by("pk")][-1] == NOW - 2 * HOUR + 4 * HOUR


def test_the_share_of_the_time_is_that_of_the_readings(world):
    level = fresh(world, since=NOW - 10 * HOUR)
    start = NOW - 10 * HOUR
    for hours in (0, 2, 8):
        world.run(world.reads, start + hours * HOUR, timedelta())
    sweep()
    (found,) = standing([level])
    assert (found.tally.met, found.tally.warned, found.tally.breached) == (7 * 3600, 3600, 2 * 3600)
    assert (found.unit, found.is_few) == ("seconds", False)


def test_a_source_that_is_not_read_any_more_is_late_by_the_clock_alone(world):
    fresh(world)
    world.run(world.reads, NOW, timedelta())
    sweep()
    swept = sweep(NOW + 4 * HOUR + timedelta(seconds=1))
    assert swept.ticked.breached == 1
    assert states()[-1] == State.BREACHED
    assert [one.sync_id for one in late()] == [world.reads.pk]


def test_a_sync_that_was_never_read_is_expected_from_the_first_day(world):
    fresh(world, since=NOW - 5 * HOUR)
    sweep()
    row = Expectation.objects.get()
    assert (row.state, row.cause_id, row.due_at) == (State.BREACHED, 0, NOW - HOUR)
    world.run(world.reads, NOW + HOUR, timedelta())
    sweep(NOW + 2 * HOUR)
    assert states() == [State.MET_LATE, State.OPEN]


def test_each_business_day_asks_for_the_data_by_its_time(world):
    days = [datetime(2026, 11, day, tzinfo=UTC) for day in (16, 17, 18, 19)]
    for day, hour in zip(days, (5, 6.8, 9, None), strict=True):
        if hour is not None:
            world.run(world.reads, day + hour * HOUR, timedelta())
    level = world.keep(
        measure="availability", source=world.psa, due_time="07:00", warn_seconds=1800, breach_seconds=0, condition={}
    )
    sweep()
    # 16th in time, 17th within the last half hour, 18th late, 19th and today not yet
    assert states() == [State.MET, State.MET, State.MET_LATE, State.BREACHED, State.BREACHED]
    (found,) = standing([level])
    assert (found.tally.met, found.tally.warned, found.tally.breached) == (1, 1, 3)
    assert sweep().moved.opened == 0


def test_a_day_is_opened_at_midnight_and_is_late_after_its_time(world):
    world.run(world.reads, NOW - DAY, timedelta())
    world.keep(measure="availability", source=world.psa, due_time="08:00", breach_seconds=0, condition={}, since=NOW)
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    sweep(monday + HOUR)
    row = Expectation.objects.order_by("-pk")[0]
    assert (row.cause_id, row.due_at, row.state) == (20261123, monday + 8 * HOUR, State.OPEN)
    sweep(monday + 8 * HOUR + timedelta(seconds=1))
    row.refresh_from_db()
    assert row.state == State.BREACHED


def test_nothing_is_expected_of_a_sync_that_is_gone(world):
    fresh(world, since=NOW - 5 * HOUR)
    sweep()
    assert states() == [State.BREACHED]
    world.reads.delete()
    sweep()
    assert states() == [State.CANCELLED]
