"""The rules of a service level without a database: verdicts, windows, budget, sentences, refusals."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.service_levels.promise import Measure, Promise, Verdict, due_at, fresh_parts, judge, judge_day
from governance.service_levels.tally import Tally
from governance.service_levels.windows import Window, period_at, periods_between
from governance.service_levels.words import Said, details, problems, sentence, span_words

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PROMISE = Promise(Measure.LATENCY, warn_seconds=100, breach_seconds=200)


@pytest.mark.parametrize(
    ("seconds", "is_done", "verdict"),
    [
        (100, True, Verdict.MET),
        (101, True, Verdict.WARNED),
        (200, True, Verdict.WARNED),
        (201, True, Verdict.BREACHED),
        (200, False, Verdict.RUNNING),
        (201, False, Verdict.BREACHED),
    ],
)
def test_a_verdict_by_the_two_thresholds(seconds, is_done, verdict):
    at = START + timedelta(seconds=seconds)
    assert judge(PROMISE, START, at if is_done else None, at)[0] == verdict


@given(st.integers(0, 500))
def test_what_is_done_by_its_due_time_is_never_breached(seconds):
    end = START + timedelta(seconds=seconds)
    assert (judge(PROMISE, START, end, end)[0] == Verdict.BREACHED) == (end > due_at(PROMISE, START))


def test_a_day_is_decided_by_the_wall_clock_of_the_calendar():
    promise = Promise(Measure.AVAILABILITY, warn_seconds=1800, due_minute=420)
    day = date(2026, 11, 2)
    seven = datetime(2026, 11, 2, 7, tzinfo=UTC)
    assert judge_day(promise, day, seven - timedelta(hours=1), seven)[0] == Verdict.MET
    assert judge_day(promise, day, seven, seven)[0] == Verdict.WARNED
    assert judge_day(promise, day, None, seven)[0] == Verdict.RUNNING
    assert judge_day(promise, day, None, seven + timedelta(minutes=1))[0] == Verdict.BREACHED


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_parts_of_freshness_add_up(begin, length):
    since = START + timedelta(seconds=begin)
    assert sum(fresh_parts(PROMISE, START, since, since + timedelta(seconds=length))) == length


@given(
    st.sampled_from(list(Window)),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")]),
)
def test_windows_follow_each_other_without_gap_or_overlap(window, at, zone):
    periods = list(periods_between(window, at, at + timedelta(days=400), zone))
    assert periods[0] == period_at(window, at, zone)
    assert periods[0].starts_at <= at < periods[0].ends_at
    assert all(one.ends_at == two.starts_at for one, two in pairwise(periods))
    assert len({period.label for period in periods}) == len(periods)


def test_attainment_is_cut_and_never_rounded_up():
    assert Tally(met=98_999, breached=1_001).attained == Decimal("98.99")
    assert Tally().attained is None


@pytest.mark.parametrize(
    ("breached", "left", "state"),
    [
        (0, "100.0", "met"),
        (5, "50.0", "met"),
        (8, "20.0", "at_risk"),
        (10, "0.0", "at_risk"),
        (15, "-50.0", "breached"),
    ],
)
def test_the_error_budget(breached, left, state):
    tally = Tally(met=1000 - breached, breached=breached)
    assert tally.budget_left(Decimal(99)) == Decimal(left)
    assert tally.state(Decimal(99)) == state


def test_a_promise_of_100_percent_has_no_budget():
    assert Tally(met=10).state(Decimal(100)) == "met"
    assert Tally(met=10, breached=1).state(Decimal(100)) == "breached"
    assert Tally(running=3).state(Decimal(99)) == "no_data"


# In words ---------------------------------------------------------------------------------------------------
TIME = Said(
    "latency",
    entity="Time entry",
    target="ERP",
    condition={"status": ["approved"]},
    calendar="London office",
    warn_seconds=10_800,
    breach_seconds=14_400,
)


def test_the_sentence_says_what_the_form_holds():
    assert sentence(TIME) == "Every time entry with status approved reaches ERP in 4 business hours, 99 % a month."
    assert details(TIME) == ["More than 3 business hours is a warning.", "Time counts by London office."]


@pytest.mark.parametrize("measure", list(Measure))
def test_every_kind_has_a_sentence_even_when_half_filled(measure):
    said = sentence(Said(measure, domain="Projects", objective=Decimal("99.50"), window="quarter"))
    assert said.endswith("99.5 % of the time a quarter." if measure == Measure.FRESHNESS else "99.5 % a quarter.")


def test_spans_in_words():
    assert [span_words(number) for number in (60, 3600, 5400, 14_400)] == [
        "1 minute",
        "1 hour",
        "90 minutes",
        "4 hours",
    ]


SOUND = {"measure": "latency", "target": "erp", "breach_seconds": 100, "objective_percent": Decimal(99)}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"target": None}, "target"),
        ({"breach_seconds": 0}, "breach_seconds"),
        ({"warn_seconds": 100}, "warn_seconds"),
        ({"objective_percent": Decimal("100.1")}, "objective_percent"),
        ({"objective_percent": Decimal(0)}, "objective_percent"),
        ({"condition": {"status": ["a"]}}, "condition"),
        ({"condition": {"status": "a"}, "entity": "x"}, "condition"),
        ({"measure": "freshness"}, "source"),
        ({"measure": "availability", "due_time": "25:00"}, "due_time"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(change, field):
    assert problems(SOUND) == []
    assert [name for name, _ in problems({**SOUND, **change})] == [field]
