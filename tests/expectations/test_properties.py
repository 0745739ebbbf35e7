"""Whatever happens to records in whatever order: each expectation ends once, and the counts add up."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.calendars.hours import week_of
from governance.calendars.opening import OpeningHours, business_time
from governance.service_levels.promise import Measure, Promise
from hub.records.models import CanonicalRecord
from hub.sync.states import Outcome
from monitoring.expectations.terms import Terms
from monitoring.models import Expectation
from tests.expectations.builders import HOUR, NOW, State, Watched, sweep

# (what, after how many minutes)
STEP = st.tuples(st.sampled_from(["deliver", "remove", "discard", "draft", "change", "wait"]), st.integers(1, 180))
HISTORY = st.lists(st.lists(STEP, max_size=5), min_size=1, max_size=4)


class Story:
    """One record: what becomes of it, told up to an instant at a time."""

    def __init__(self, world: Watched, start: datetime, steps) -> None:
        self.world, self.version = world, 1
        self.record, self.cause = world.read(start)
        self.steps = []
        for what, minutes in steps:
            start += timedelta(minutes=minutes)
            self.steps.append((start, what))

    def tell(self, until: datetime) -> None:
        while self.steps and self.steps[0][0] <= until:
            self.do(*self.steps.pop(0))

    def do(self, at: datetime, what: str) -> None:
        match what:
            case "deliver":
                self.world.deliver(self.record, self.cause, at)
            case "remove":
                CanonicalRecord.objects.filter(pk=self.record.pk).update(deleted_at=at)
                self.world.ledger(self.world.reads, self.record, at, Outcome.REMOVED)
            case "discard":
                self.world.ledger(self.world.delivers, self.record, at, Outcome.DISCARDED, self.cause)
            case "draft" | "change":
                self.version += 1
                status = "draft" if what == "draft" else "approved"
                cause = self.world.changed(self.record, at, self.version, status=status)
                self.cause = self.cause if what == "draft" else cause


@pytest.mark.django_db
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(histories=HISTORY, pauses=st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_every_expectation_ends_in_one_state_and_the_counts_add_up(domains, histories, pauses):
    with transaction.atomic():
        world = Watched()
        level = world.keep(since=NOW - 30 * HOUR)
        start = NOW - 24 * HOUR
        stories = [Story(world, start + timedelta(minutes=7 * number), steps) for number, steps in enumerate(histories)]
        at, seen, final = NOW - 24 * HOUR, 0, {}
        for minutes in pauses:
            at += timedelta(minutes=minutes)
            for story in stories:
                story.tell(at)
            swept = sweep(at)
            seen += swept.moved.opened
            for pk, state in Expectation.objects.values_list("pk", "state"):
                if state in (State.MET, State.MET_LATE, State.CANCELLED):
                    assert final.setdefault(pk, state) == state, "what has ended stays as it ended"
        counts = Counter(Expectation.objects.values_list("state", flat=True))
        assert sum(counts.values()) == seen == Expectation.objects.count()
        assert set(counts) <= set(State.values)
        for row in Expectation.objects.all():
            assert (row.arrived_at is not None) == (row.state in (State.MET, State.MET_LATE))
            if row.state == State.MET:
                assert row.arrived_at <= row.due_at
                assert row.breached_at is None
            if row.state in (State.BREACHED, State.MET_LATE):
                assert row.breached_at is not None
                assert row.decided_at == row.due_at
            if row.state in (State.OPEN, State.WARNED):
                assert row.due_at >= at
        names = ("met", "warned", "breached", "running", "cancelled")
        figures = [sum(getattr(day, name) for day in level.days.all()) for name in names]
        assert sum(figures) == seen
        transaction.set_rollback(True)


WEEK = week_of({day: ["09:00-12:30", "13:30-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")})


@given(
    start=st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30)).map(lambda at: at.replace(tzinfo=UTC)),
    zone=st.sampled_from(["Europe/Berlin", "Europe/London", "America/New_York", "Australia/Lord_Howe"]),
    breach=st.integers(1, 80).map(lambda hours: hours * 1800),
    round_the_clock=st.booleans(),
)
def test_a_deadline_leaves_the_promised_business_time_across_every_change_of_the_clock(
    start, zone, breach, round_the_clock
):
    hours = OpeningHours(zone=ZoneInfo(zone)) if round_the_clock else OpeningHours(zone=ZoneInfo(zone), week=WEEK)
    terms = Terms(Promise(Measure.LATENCY, breach_seconds=breach, hours=hours), zone, "")
    warn_at, due_at = terms.deadline(start)
    assert start <= warn_at <= due_at
    assert business_time(hours, start, due_at) == timedelta(seconds=breach)
    assert business_time(hours, start, warn_at) == timedelta(seconds=round(breach * 0.8))
