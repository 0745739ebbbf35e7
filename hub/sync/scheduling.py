"""Cron in a time zone, right across daylight saving (Debian's cron rules, by cronsim)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cron_descriptor import Options, get_description
from cronsim import CronSim, CronSimError

from hub.common.times import business_now


def problems(cron: str, time_zone: str) -> list[tuple[str, str]]:
    """(field, sentence) for what cannot be a schedule."""
    found = []
    if time_zone not in available_timezones():
        found.append(("time_zone", f"{time_zone!r} is not a time zone. Use a name such as Europe/London."))
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError as error:
        found.append(
            ("cron", f"{cron!r} is not a cron expression: {error}. Example: `0 6 * * 1-5`, weekdays at 06:00.")
        )
    return found


def next_slots(cron: str, time_zone: str, count: int, *, after: datetime | None = None) -> list[datetime]:
    """The next times the schedule fires, in UTC; fewer than `count` when it ends."""
    start = (after or business_now()).astimezone(ZoneInfo(time_zone))
    times = CronSim(cron, start)
    found = []
    for _ in range(count):
        try:
            found.append(next(times).astimezone(UTC))
        except StopIteration:
            break
    return found


def slots_until(cron: str, time_zone: str, end: datetime, *, after: datetime, most: int = 5_000) -> list[datetime]:
    """When the schedule fires between two moments, in UTC; `most` ends a schedule of every second."""
    times = CronSim(cron, after.astimezone(ZoneInfo(time_zone)))
    return [slot.astimezone(UTC) for slot in takewhile(lambda slot: slot <= end, islice(times, most))]


def next_slot(cron: str, time_zone: str, *, after: datetime | None = None) -> datetime | None:
    return next(iter(next_slots(cron, time_zone, 1, after=after)), None)


def in_words(cron: str) -> str:
    """ "0 6 * * 1-5" → "At 06:00, Monday through Friday"."""
    options = Options()
    options.use_24hour_time_format = True
    return str(get_description(cron, options))
