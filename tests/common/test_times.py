"""Instants are UTC, business dates never shift, the change of clocks is defined, and the business clock can be moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.common import times
from hub.common.errors import ConfigError, RecordError

BERLIN = times.time_zone("Europe/Berlin")
APIA = times.time_zone("Pacific/Apia")
ZONES = sorted(available_timezones() - {"localtime", "Factory"})


@pytest.fixture(autouse=True)
def _real_clock() -> Iterator[None]:
    yield
    times.set_business_clock(None)


def test_business_clock_is_the_real_one_until_it_is_moved() -> None:
    assert abs(times.business_now() - datetime.now(UTC)) < timedelta(minutes=1)
    times.set_business_clock(datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
    assert times.business_now() == datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    assert times.business_today() == date(2026, 3, 31)
    assert times.business_today("Europe/Berlin") == date(2026, 4, 1)
    times.set_business_clock(lambda: datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    assert times.business_now() == datetime(2026, 12, 31, 23, tzinfo=UTC)


def test_business_clock_wants_an_instant() -> None:
    with pytest.raises(ConfigError, match="time zone"):
        times.set_business_clock(datetime(2026, 3, 31))


@pytest.mark.parametrize(
    "text", ["", "2026-3-1", "2026-02-30", "20260301", "2026-W01-1", "2026-03-01T00:00", "٢٠٢٦-03-01"]
)
def test_only_a_plain_date_is_a_date(text: str) -> None:
    with pytest.raises(RecordError, match="not a date"):
        times.parse_date(text)


@pytest.mark.parametrize(
    "text", ["", "2026-03-31", "2026-03-31T25:00:00Z", "20260331T093000Z", "2026-W14-2T09:30", "now"]
)
def test_only_iso_8601_is_a_date_and_time(text: str) -> None:
    with pytest.raises(RecordError, match="not a date and time"):
        times.parse_datetime(text)


def test_fractions_are_printed_only_when_there_are_any() -> None:
    assert times.format_instant(times.parse_datetime("2026-03-31T11:30:00+02:00")) == "2026-03-31T09:30:00Z"
    assert times.format_instant(times.parse_datetime("2026-03-31T09:30:00.1200000Z")) == "2026-03-31T09:30:00.12Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_reads_back(at: datetime) -> None:
    text = times.format_instant(at)
    assert text.endswith("Z")
    assert times.parse_datetime(text) == at


def test_skipped_hour_moves_forward_and_repeated_hour_is_the_first() -> None:
    gap, fold = datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)
    assert times.local_to_utc(gap, BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert times.utc_to_local(times.local_to_utc(gap, BERLIN), BERLIN).hour == 3
    assert times.local_to_utc(fold, BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert times.local_to_utc(fold, BERLIN, fold="second") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(RecordError, match="does not exist"):
        times.local_to_utc(gap, BERLIN, gap="fail")
    with pytest.raises(RecordError, match="exists twice"):
        times.local_to_utc(fold, BERLIN, fold="fail")


def test_the_day_that_samoa_skipped_does_not_exist() -> None:
    with pytest.raises(RecordError, match="does not exist"):
        times.local_to_utc(datetime(2011, 12, 30, 12), APIA, gap="fail")


@given(st.datetimes(datetime(1950, 1, 2), datetime(2100, 1, 1)), st.sampled_from(ZONES))
def test_wall_clock_and_utc_undo_each_other_in_every_zone(naive: datetime, name: str) -> None:
    zone, at = times.time_zone(name), naive.replace(tzinfo=UTC)
    local = times.utc_to_local(at, zone).replace(tzinfo=None, fold=0)
    assert at in {times.local_to_utc(local, zone), times.local_to_utc(local, zone, fold="second")}


@given(st.datetimes(), st.sampled_from(ZONES))
def test_no_time_of_the_calendar_crashes(naive: datetime, name: str) -> None:
    for convert in (
        lambda: times.local_to_utc(naive, times.time_zone(name)),
        lambda: times.utc_to_local(naive.replace(tzinfo=UTC), times.time_zone(name)),
    ):
        assert _complaint(convert) in ("", "is outside the calendar")


def _complaint(convert: Callable[[], object]) -> str:
    try:
        convert()
    except RecordError as error:
        return "is outside the calendar" if "is outside the calendar" in error.what else error.what
    return ""


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe/Berlin\x00", "x" * 300])
def test_unknown_time_zone_is_a_sentence(name: str) -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        times.time_zone(name)


@given(st.dates())
def test_a_date_lies_in_its_period(day: date) -> None:
    first, last = times.period_bounds(times.period_of(day))
    assert first <= day <= last
    assert (first.day, times.period_of(first), times.period_of(last)) == (1, times.period_of(day), times.period_of(day))


@given(st.dates(date(100, 1, 1), date(9000, 1, 1)), st.integers(-500, 500))
def test_shifting_a_period_back_gives_it_again(day: date, months: int) -> None:
    period = times.period_of(day)
    assert times.shift_period(times.shift_period(period, months), -months) == period


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-1", "0000-01", "2026-01-01"])
def test_only_year_and_month_is_a_period(text: str) -> None:
    with pytest.raises(RecordError, match="not a period"):
        times.period_bounds(text)
