"""Which period takes postings, who says so, and when it closes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.common.times import set_business_clock
from hub.config import services as config
from monitoring.close import services
from monitoring.close.books import book_of, books, next_open
from monitoring.close.kind import KIND
from monitoring.close.queries import business_left, countdown
from monitoring.models import Period
from tests.close.builders import NOW, CloseWorld, document, period

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> CloseWorld:
    set_business_clock(NOW)
    return CloseWorld()


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), "future"),
        (datetime(2026, 11, 1, 0, 0, tzinfo=UTC), "open"),
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), "open"),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), "closing"),
        (datetime(2026, 12, 4, 17, 29, 59, tzinfo=UTC), "closing"),
        (datetime(2026, 12, 4, 17, 30, tzinfo=UTC), "closed"),
    ],
)
def test_without_anybody_saying_it_the_dates_tell_the_status(world: CloseWorld, now: datetime, status: str) -> None:
    period()
    set_business_clock(now)
    found = book_of("HV-UK", "2026-11")
    assert found is not None
    assert (found.status, found.source) == (status, "by its dates")


def test_what_the_erp_delivers_comes_before_dates_and_hands(world: CloseWorld) -> None:
    period(status="open")
    world.told("HV-UK", "2026-11", "closed", closed_at="2026-12-01T08:00:00Z")
    found = book_of("HV-UK", "2026-11")
    assert found is not None
    assert (found.status, found.source) == ("closed", world.erp.name)
    assert found.shut_at == datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    assert found.closes_at == datetime(2026, 12, 4, 17, 30, tzinfo=UTC)


def test_a_period_that_only_the_erp_knows_is_a_period(world: CloseWorld) -> None:
    world.told("HV-DE", "2026-11", "open", start_date="2026-10-26", end_date="2026-11-22")
    (found,) = books()
    assert (found.status, found.closes_at, str(found.start_date)) == ("open", None, "2026-10-26")


def test_a_word_that_is_no_status_is_not_believed(world: CloseWorld) -> None:
    period(status="closing")
    world.told("HV-UK", "2026-11", "soft-closed")
    found = book_of("HV-UK", "2026-11")
    assert found is not None
    assert found.source == "set by hand"


@pytest.mark.parametrize(
    ("zone", "day", "clock", "instant"),
    [
        ("Europe/Berlin", "2027-03-28", "02:30", "2027-03-28T01:30:00+00:00"),  # skipped: an hour later on the clock
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00+00:00"),  # shown twice: the first
        ("America/New_York", "2026-12-04", "17:30", "2026-12-04T22:30:00+00:00"),
        ("Asia/Kolkata", "2026-12-04", "17:30", "2026-12-04T12:00:00+00:00"),
    ],
)
def test_the_deadline_is_on_the_wall_clock_of_its_zone(
    world: CloseWorld, zone: str, day: str, clock: str, instant: str
) -> None:
    found = Period(close_date=datetime.fromisoformat(day).date(), close_time=clock, time_zone=zone)
    assert found.closes_at == datetime.fromisoformat(instant)


def test_the_countdown_counts_through_a_change_of_the_clock(world: CloseWorld) -> None:
    """Europe goes back an hour on 25 October 2026: from Saturday noon to Monday noon are 49 hours."""
    period(month="2026-09", close_date="2026-10-26", close_time="12:00")
    set_business_clock(datetime(2026, 10, 24, 11, 0, tzinfo=UTC))
    found = book_of("HV-UK", "2026-09")
    assert found is not None
    assert found.seconds_left(datetime(2026, 10, 24, 11, 0, tzinfo=UTC)) == timedelta(hours=49).total_seconds()
    assert countdown(found) == "2 d 01 h left"


def test_business_hours_left_follow_the_calendar(world: CloseWorld) -> None:
    from governance.calendars.services import save_calendar

    week = {day: ["09:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")}
    save_calendar({"slug": "london", "name": "London", "time_zone": "Europe/London", "hours": week}, by=None)
    period(calendar="london")
    found = book_of("HV-UK", "2026-11")
    assert found is not None
    # Wednesday 12:00 to Friday 17:30: five and a half hours, and two days of eight and a half.
    assert business_left(found, NOW) == (5.5 + 8.5 + 8.5) * 3600


def test_a_frozen_period_is_shut_though_the_erp_has_it_open(world: CloseWorld, finn: Any) -> None:
    found = period()
    world.told("HV-UK", "2026-11", "open")
    services.freeze(found, frozen=True, by=finn, reason="Figures are with the auditors")
    book = book_of("HV-UK", "2026-11")
    assert book is not None
    assert (book.status, book.shut_at) == ("open", NOW)
    services.freeze(Period.objects.get(), frozen=False, by=finn, reason="They are done")
    book = book_of("HV-UK", "2026-11")
    assert book is not None
    assert not book.is_shut


def test_freezing_needs_a_reason(world: CloseWorld, finn: Any) -> None:
    with pytest.raises(ConfigError, match="Say why"):
        services.freeze(period(), frozen=True, by=finn, reason="  ")
    assert not Period.objects.get().is_frozen


def test_one_that_is_new_and_closed_was_closed_when_it_should_have_been(world: CloseWorld) -> None:
    assert period(month="2026-08", status="closed").closed_at == datetime(2026, 9, 4, 16, 30, tzinfo=UTC)


def test_one_that_is_closed_by_hand_is_closed_from_now_on(world: CloseWorld) -> None:
    period(status="closing")
    assert period(status="closed").closed_at == NOW


def test_a_day_belongs_to_one_period(world: CloseWorld) -> None:
    period()
    with pytest.raises(ConfigError, match="HV-UK 2026-11 ends on 2026-11-30"):
        period(month="2026-12", start_date="2026-11-30")
    assert Period.objects.count() == 1
    period("HV-DE", "2026-12", start_date="2026-11-30")


def test_neighbours_may_be_moved_together(world: CloseWorld) -> None:
    """A 4-4-5 year: both change at once, though each alone would overlap with the other as it was."""
    period()
    period(month="2026-12")
    moved = [
        document(month="2026-11", end_date="2026-12-03", close_date="2026-12-08"),
        document(month="2026-12", start_date="2026-12-04"),
    ]
    services.save_periods(moved, by=None)
    assert str(Period.objects.get(period="2026-12").start_date) == "2026-12-04"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"end_date": "2026-10-01"}, "before it starts"),
        ({"close_date": "2026-11-29"}, "before its last day"),
        ({"time_zone": "Europe/Lunnon"}, "no time zone"),
        ({"close_time": "25:00"}, "not a time of day"),
        ({"late_policy": "ignore"}, "ignore"),
        ({"period": "2026-13"}, "YYYY-MM"),
    ],
)
def test_a_wrong_period_is_refused_with_a_sentence(world: CloseWorld, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        services.save_period({**document(), **change}, by=None)
    assert not Period.objects.exists()


def test_export_and_apply_change_nothing(world: CloseWorld, tmp_path: Path) -> None:
    period(status="closing", note="Half-year", is_frozen=True)
    dumped = kind(KIND).dump("hv-uk-2026-11")
    assert dumped is not None
    assert kind(KIND).diff(dumped) == []
    Period.objects.all().delete()
    kind(KIND).apply(dumped, by=None)
    assert kind(KIND).diff(dumped) == []
    for name, each in enumerate(config.export()):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(each))
    assert config.plan(tmp_path).steps == []


def test_the_next_open_period_is_neither_closed_nor_frozen_nor_future(world: CloseWorld) -> None:
    period(month="2026-09", status="closed")
    period(month="2026-10", status="closed")
    period(month="2026-11", is_frozen=True)
    period(month="2026-12")
    period(month="2027-01")
    september = book_of("HV-UK", "2026-09")
    assert september is not None
    found = next_open(september)
    assert found is not None
    assert found.period == "2026-12"


def test_a_year_is_made_by_business_days_of_the_calendar(world: CloseWorld) -> None:
    from governance.calendars.services import save_calendar
    from governance.models import BusinessCalendar

    week = {day: ["09:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")}
    save_calendar(
        {"slug": "uk", "name": "UK", "time_zone": "Europe/London", "hours": week,
         "holidays": [{"date": "2027-01-01", "name": "New Year"}]}, by=None,
    )  # fmt: skip
    year = services.Year(
        ["HV-UK", "HV-DE"], "2026-12", 2, 3, "17:30", "Europe/London", BusinessCalendar.objects.get(slug="uk")
    )
    services.save_periods(services.year_documents(year), by=None)
    assert Period.objects.count() == 4
    # 1 January is a holiday, 2 and 3 a weekend: 4, 5 and 6 are the three days.
    assert str(Period.objects.get(legal_entity="HV-DE", period="2026-12").close_date) == "2027-01-06"
