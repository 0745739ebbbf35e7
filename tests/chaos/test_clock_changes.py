"""Every clock change of twelve zones from 2024 to 2032: a daily schedule fires once a local day, and dates do not shift."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.common.times import business_now, set_business_clock
from hub.sync import scheduling

ZONES = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Santiago",
    "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland", "Africa/Casablanca", "Asia/Jerusalem", "Asia/Kolkata",
)  # fmt: skip
FIRST, LAST = date(2024, 1, 1), date(2033, 1, 1)
# Hours at which clocks go forward or back somewhere, and one at which nothing happens.
CRONS = ("0 0 * * *", "30 0 * * *", "30 1 * * *", "30 2 * * *", "15 3 * * *", "0 6 * * *")


def changes(zone: ZoneInfo) -> list[date]:
    """Days on which the clock of a zone is changed."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days)]
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=zone).utcoffset() for day in days]
    return [day for day, before, after in zip(days[1:], noons, noons[1:], strict=False) if before != after]


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize("name", ZONES)
def test_a_daily_schedule_fires_once_on_every_local_day(name: str, cron: str) -> None:
    zone = ZoneInfo(name)
    for day in changes(zone):
        start = datetime(day.year, day.month, day.day, 12, tzinfo=zone) - timedelta(days=2)
        slots = scheduling.next_slots(cron, name, 4, after=start.astimezone(UTC))
        fired = Counter(slot.astimezone(zone).date() for slot in slots)
        assert fired == Counter({day + timedelta(days=n): 1 for n in range(-1, 3)}), day


def test_most_zones_change_their_clocks() -> None:
    assert sum(bool(changes(ZoneInfo(name))) for name in ZONES) >= 10


def test_the_next_slot_is_counted_from_the_business_clock() -> None:
    set_business_clock(datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert business_now().year == 2026
    assert scheduling.next_slot("0 6 * * *", "Europe/Berlin") == datetime(2026, 3, 29, 4, tzinfo=UTC)
