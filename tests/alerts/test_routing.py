"""Who is told and when: order, amounts, digests, and quiet hours across a change of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.calendars.holidays import Holidays, holidays_of
from governance.calendars.hours import week_of
from governance.calendars.opening import ROUND_THE_CLOCK, OpeningHours, is_open
from monitoring.alerts import routing
from monitoring.alerts.routing import Matter
from monitoring.models import AlertRoute

LONDON = ZoneInfo("Europe/London")
OFFICE = OpeningHours(
    zone=LONDON,
    week=week_of({day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}, None),
    holidays=holidays_of([{"date": "2026-12-25"}]),
)
CLOCK = OpeningHours(zone=LONDON)


def route(name: str, position: int = 100, **fields: object) -> AlertRoute:
    given = {"slug": name, "name": name, "position": position, "mail": ["a@example.com"], "level": "warning"}
    return AlertRoute(**{**given, **fields})  # type: ignore[arg-type]


def told(routes: list[AlertRoute], matter: Matter) -> list[str]:
    return [each.name for each in routing.matching(routes, matter)]


def at(text: str) -> datetime:
    """An instant by London's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC)


def due(text: str, level: str = "warning", **fields: object) -> datetime:
    quiet = fields.pop("quiet", True)
    found = route("r", calendar_id=1 if quiet else None, **fields)
    hours = OFFICE if quiet else ROUND_THE_CLOCK
    return routing.due_at(found, level, at(text), hours=hours, zone_hours=CLOCK).astimezone(LONDON).replace(tzinfo=None)


def test_the_first_route_that_matches_ends_the_search_unless_it_goes_on() -> None:
    routes = [route("third", 30), route("first", 10, goes_on=True), route("second", 20)]
    assert told(routes, Matter(1, "warning")) == ["first", "second"]


@pytest.mark.parametrize(
    ("fields", "matter", "is_told"),
    [
        ({"level": "critical"}, Matter(1, "warning"), False),
        ({"level": "critical"}, Matter(1, "critical"), True),
        ({"amount_from": Decimal(1000)}, Matter(1, "critical"), False),
        ({"amount_from": Decimal(1000)}, Matter(1, "critical", amount=Decimal("999.99")), False),
        ({"amount_from": Decimal(1000)}, Matter(1, "critical", amount=Decimal(1000)), True),
        ({"domain_id": 7}, Matter(1, "critical", domain_id=8), False),
        ({"domain_id": 7}, Matter(1, "critical"), False),
        ({"domain_id": 7}, Matter(1, "critical", domain_id=7), True),
        ({"system_id": 7}, Matter(1, "critical", system_id=8), False),
        ({"rule_id": 2}, Matter(1, "critical"), False),
        ({"mail": []}, Matter(1, "critical"), False),
    ],
)
def test_what_a_route_matches(fields: dict[str, object], matter: Matter, is_told: bool) -> None:
    assert bool(told([route("r", **fields)], matter)) is is_told


def test_a_recovery_is_as_severe_as_what_it_ends() -> None:
    assert routing.severity("critical", "ok") == "critical"
    assert routing.severity("warning", "critical") == "critical"


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-02T10:00", "2026-11-02T10:00"),
        ("2026-11-02T20:00", "2026-11-03T09:00"),
        ("2026-11-06T17:00", "2026-11-09T09:00"),
        ("2026-12-24T18:00", "2026-12-28T09:00"),
        # The clock goes back on Sunday the 25th of October, and forward on Sunday the 29th of March.
        ("2026-10-23T18:00", "2026-10-26T09:00"),
        ("2026-10-25T01:30", "2026-10-26T09:00"),
        ("2026-03-28T23:30", "2026-03-30T09:00"),
    ],
)
def test_in_quiet_hours_notices_wait_until_the_calendar_opens(now: str, then: str) -> None:
    assert due(now) == datetime.fromisoformat(then)


def test_critical_notices_do_not_wait_unless_the_route_says_so() -> None:
    assert due("2026-11-02T20:00", "critical") == datetime(2026, 11, 2, 20)
    assert due("2026-11-02T20:00", "critical", critical_at_once=False) == datetime(2026, 11, 3, 9)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-10-24T07:00", "2026-10-24T08:00"),
        ("2026-10-24T08:00", "2026-10-24T08:00"),
        ("2026-10-24T09:00", "2026-10-25T08:00"),
        ("2026-03-28T09:00", "2026-03-29T08:00"),
    ],
)
def test_a_daily_digest_keeps_its_time_of_the_clock(now: str, then: str) -> None:
    """Also on the days that have 23 and 25 hours."""
    assert due(now, quiet=False, digest="daily", digest_at="08:00") == datetime.fromisoformat(then)


def test_a_digest_at_a_time_that_the_clock_skips_is_sent_all_the_same() -> None:
    assert due("2026-03-29T00:30", quiet=False, digest="daily", digest_at="01:30") == datetime(2026, 3, 29, 2)


def test_a_digest_that_falls_into_quiet_hours_leaves_when_they_end() -> None:
    assert due("2026-11-07T10:00", digest="hourly") == datetime(2026, 11, 9, 9)
    assert due("2026-11-02T10:20", digest="hourly") == datetime(2026, 11, 2, 11)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.sampled_from(["immediately", "hourly", "daily"]))
def test_a_notice_is_never_due_before_it_is_written_nor_in_quiet_hours(now: datetime, digest: str) -> None:
    instant = now.replace(tzinfo=UTC)
    found = routing.due_at(route("r", calendar_id=1, digest=digest), "warning", instant, hours=OFFICE, zone_hours=CLOCK)
    assert found >= instant
    assert is_open(OFFICE, found)
    assert found - instant < timedelta(days=7)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))
def test_a_daily_digest_leaves_within_a_day_and_an_hour(now: datetime) -> None:
    instant = now.replace(tzinfo=UTC)
    found = routing.due_at(route("r", digest="daily"), "warning", instant, hours=ROUND_THE_CLOCK, zone_hours=CLOCK)
    assert timedelta(0) <= found - instant <= timedelta(hours=25)
    assert Holidays() == ROUND_THE_CLOCK.holidays
