"""Business time is right on any day: across daylight saving, holidays, weekends and spans of a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.calendars.holidays import holidays_of
from governance.calendars.hours import MINUTES, week_of
from governance.calendars.opening import (
    ROUND_THE_CLOCK,
    OpeningHours,
    add_business_time,
    business_seconds,
    business_time,
    is_business_day,
    is_open,
    next_open,
    wall,
)
from hub.common.errors import ConfigError

OFFICE = {day: ["09:00-12:30", "13:30-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")}
LONDON, BERLIN = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def office(zone=LONDON, **fields):
    return OpeningHours(zone=zone, week=week_of(OFFICE), **fields)


def at(text, zone=LONDON):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_hours_go_on_after_the_weekend():
    assert add_business_time(office(), at("2026-11-27 16:30"), 4 * HOUR) == at("2026-11-30 12:00")


def test_the_break_at_noon_does_not_count():
    assert business_seconds(office(), at("2026-11-25 12:00"), at("2026-11-25 14:00")) == 3600


def test_friday_afternoon_to_monday_morning_is_two_and_a_half_hours():
    assert business_time(office(), at("2026-11-27 16:00"), at("2026-11-30 10:00")) == 2.5 * HOUR


def test_a_holiday_once_and_a_holiday_every_year_are_closed():
    hours = office(holidays=holidays_of([{"date": "2026-12-28"}, {"date": "12-25"}]))
    assert add_business_time(hours, at("2026-12-24 17:00"), HOUR) == at("2026-12-29 09:30")
    assert not is_business_day(hours, date(2031, 12, 25))
    assert is_business_day(hours, date(2027, 12, 28))


def test_a_deadline_at_closing_time_is_that_evening():
    assert add_business_time(office(), at("2026-11-25 13:30"), 4 * HOUR) == at("2026-11-25 17:30")


def test_what_begins_while_closed_counts_from_the_next_opening():
    assert next_open(office(), at("2026-11-28 11:00")) == at("2026-11-30 09:00")
    assert next_open(office(), at("2026-11-30 09:10")) == at("2026-11-30 09:10")
    assert not is_open(office(), at("2026-11-30 12:30"))
    assert is_open(office(), at("2026-11-30 12:29"))


def whole_days(zone):
    return OpeningHours(zone=zone, week=week_of({day: ["00:00-24:00"] for day in OFFICE | {"sat": 1, "sun": 1}}))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)])
def test_a_day_of_the_change_is_as_long_as_it_is(day, hours):
    opening = whole_days(BERLIN).openings(date.fromisoformat(day))
    assert sum((end - start for start, end in opening), timedelta()) == hours * HOUR


@pytest.mark.parametrize(
    ("span", "day", "minutes"),
    [
        ("02:30-03:15", "2026-03-29", 15),  # 02:00 to 03:00 is skipped
        ("02:00-03:00", "2026-03-29", 0),
        ("01:00-04:00", "2026-03-29", 120),
        ("01:00-04:00", "2026-10-25", 240),
        ("02:30-04:00", "2026-10-25", 150),
        ("01:00-02:30", "2026-10-25", 90),
    ],
)
def test_spans_across_the_change_are_real_time(span, day, minutes):
    hours = OpeningHours(zone=BERLIN, week=week_of({"sun": [span]}))
    start = datetime.fromisoformat(f"{day} 00:00").replace(tzinfo=BERLIN)
    assert business_time(hours, start, start + 30 * HOUR) == timedelta(minutes=minutes)


def test_a_calendar_day_that_a_zone_left_out_has_no_hours():
    samoa = whole_days(ZoneInfo("Pacific/Apia"))
    assert samoa.openings(date(2011, 12, 30)) == ()
    assert business_time(samoa, datetime(2011, 12, 29, tzinfo=UTC), datetime(2011, 12, 31, tzinfo=UTC)) == 48 * HOUR


def test_a_calendar_that_never_opens_is_refused_with_a_sentence():
    closed = OpeningHours(week=week_of({}))
    with pytest.raises(ConfigError, match="does not open"):
        add_business_time(closed, at("2026-11-30 09:00"), HOUR)
    with pytest.raises(ConfigError, match="does not open"):
        next_open(closed, at("2026-11-30 09:00"))
    assert business_time(closed, at("2026-11-30 09:00"), at("2027-11-30 09:00")) == timedelta()


# Rules for any calendar -------------------------------------------------------------------------------------
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")]
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
# Around the changes of the four zones, where mistakes are.
NEAR_CHANGES = st.tuples(
    st.sampled_from(
        [datetime(2026, m, d, tzinfo=UTC) for m, d in ((3, 8), (3, 29), (4, 4), (10, 3), (10, 25), (11, 1))]
    ),
    st.integers(0, 3 * 86_400 * 10**6),
).map(lambda pair: pair[0] + timedelta(microseconds=pair[1]))
MOMENTS = INSTANTS | NEAR_CHANGES
LENGTHS = st.integers(0, 40 * 86_400 * 10**6).map(lambda number: timedelta(microseconds=number))


@st.composite
def spans(draw):
    cuts = sorted(draw(st.sets(st.integers(0, MINUTES), min_size=2, max_size=6)))
    return tuple(zip(cuts[::2], cuts[1::2], strict=False))


@st.composite
def calendars(draw):
    week = [draw(spans()) if draw(st.booleans()) else () for _ in range(6)]
    days = draw(st.lists(st.dates(date(2024, 1, 1), date(2028, 1, 1)), max_size=5))
    holidays = holidays_of([{"date": day.isoformat()} for day in days])
    return OpeningHours(zone=draw(st.sampled_from(ZONES)), week=(draw(spans()), *week), holidays=holidays)


@given(calendars(), MOMENTS, LENGTHS)
def test_adding_and_measuring_give_back_the_same(hours, start, length):
    end = add_business_time(hours, start, length)
    assert business_time(hours, start, end) == length


@given(calendars(), MOMENTS, LENGTHS, LENGTHS)
def test_more_time_never_ends_earlier_and_a_later_start_never_either(hours, start, less, more):
    less, more = sorted((less, more))
    assert add_business_time(hours, start, less) <= add_business_time(hours, start, more)
    assert add_business_time(hours, start, less) <= add_business_time(hours, start + more, less)


@given(calendars(), st.lists(MOMENTS, min_size=3, max_size=3))
def test_parts_add_up_and_are_never_longer_than_the_clock(hours, moments):
    first, middle, last = sorted(moments)
    whole = business_time(hours, first, last)
    assert whole == business_time(hours, first, middle) + business_time(hours, middle, last)
    assert timedelta() <= whole <= last - first


@given(calendars(), MOMENTS)
def test_the_next_opening_is_open_and_nothing_opens_before_it(hours, at):
    found = next_open(hours, at)
    assert is_open(hours, found)
    assert business_time(hours, at, found) == timedelta()


@given(MOMENTS, MOMENTS)
def test_round_the_clock_is_the_clock(one, two):
    start, end = sorted((one, two))
    assert business_time(ROUND_THE_CLOCK, start, end) == end - start


@given(
    st.sampled_from(ZONES),
    st.dates(date(2024, 1, 1), date(2028, 1, 1)),
    st.integers(0, MINUTES),
    st.integers(0, MINUTES),
)
def test_the_wall_clock_never_runs_backwards(zone, day, one, two):
    earlier, later = sorted((one, two))
    assert wall(day, earlier, zone) <= wall(day, later, zone)
