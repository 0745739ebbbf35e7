"""Schedules: right across daylight saving, each slot once however many schedulers tick."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from hub.common.times import set_business_clock
from hub.sync import scheduling, sweeper
from hub.sync.models import Run, Schedule, ScheduleSlot
from tests.sync import builders as build

LONDON = "Europe/London"


def local_hours(cron, zone, start, count):
    from zoneinfo import ZoneInfo

    slots = scheduling.next_slots(cron, zone, count, after=datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)))
    return [slot.astimezone(ZoneInfo(zone)).strftime("%d %H:%M") for slot in slots]


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        (LONDON, "2026-03-28T12:00", ["29 06:00", "30 06:00"]),  # clocks go forward on the 29th
        (LONDON, "2026-10-24T12:00", ["25 06:00", "26 06:00"]),  # and back on 25 October
        ("America/New_York", "2026-11-01T00:00", ["01 06:00", "02 06:00"]),
    ],
)
def test_a_daily_slot_keeps_its_local_hour_over_a_clock_change(zone, start, expected):
    assert local_hours("0 6 * * *", zone, start, 2) == expected


def test_an_hour_that_does_not_exist_still_fires_that_day():
    assert local_hours("30 1 * * *", LONDON, "2026-03-28T12:00", 2)[0].startswith("29 ")


def test_an_hour_that_comes_twice_fires_once():
    days = [slot[:2] for slot in local_hours("30 1 * * *", LONDON, "2026-10-24T12:00", 3)]
    assert days == ["25", "26", "27"]


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", "* * *", ""])
def test_what_is_no_cron_expression_gets_a_sentence_with_an_example(cron):
    ((field, sentence),) = scheduling.problems(cron, LONDON)
    assert field == "cron"
    assert "Example" in sentence


def test_an_unknown_time_zone_is_named():
    assert scheduling.problems("0 6 * * *", "Europe/Londn")[0][0] == "time_zone"


@pytest.fixture
def schedule(domains):
    stream = build.stream(build.connection("psa"), "projects")
    sync = build.sync("psa-projects", "in", stream, build.entity("project", build.PROJECT), build.PROJECT_RULES)
    slot = datetime(2026, 11, 24, 6, tzinfo=UTC)
    set_business_clock(slot + timedelta(minutes=1))
    return Schedule.objects.create(slug="daily", sync=sync, cron="0 6 * * *", next_at=slot)


@pytest.mark.django_db(transaction=True)
class TestFiring:
    def test_a_due_slot_starts_a_run_and_the_next_one_is_set(self, schedule):
        (run,) = sweeper.fire_schedules()
        assert run.trigger == Run.Trigger.SCHEDULE
        schedule.refresh_from_db()
        assert schedule.next_at == datetime(2026, 11, 25, 6, tzinfo=UTC)
        assert sweeper.fire_schedules() == []

    def test_many_schedulers_fire_a_slot_once(self, schedule):
        fired: list[int] = []

        def tick() -> None:
            try:
                fired.extend(run.pk for run in sweeper.fire_schedules())
            finally:
                connections.close_all()

        threads = [threading.Thread(target=tick) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(fired) == 1
        assert ScheduleSlot.objects.count() == Run.objects.count() == 1

    def test_slots_missed_while_nothing_ran_fire_once(self, schedule):
        set_business_clock(datetime(2026, 11, 28, 9, tzinfo=UTC))
        assert len(sweeper.fire_schedules()) == 1
        schedule.refresh_from_db()
        assert schedule.next_at == datetime(2026, 11, 29, 6, tzinfo=UTC)

    def test_a_paused_sync_is_not_started_but_its_clock_goes_on(self, schedule):
        schedule.sync.is_paused = True
        schedule.sync.save()
        assert sweeper.fire_schedules() == []
        schedule.refresh_from_db()
        assert schedule.next_at > datetime(2026, 11, 24, 6, tzinfo=UTC)

    def test_a_schedule_that_is_off_does_not_fire(self, schedule):
        Schedule.objects.update(is_active=False)
        assert sweeper.fire_schedules() == []
