"""What a cron expression means: words, the next ten times, and where the clocks change between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hub.sync import scheduling

PREVIEWED = 10


@dataclass(frozen=True, slots=True)
class Slot:
    """One time at which a schedule fires: on its own clock, and as an instant; `shift` tells of a clock change before it."""

    there: str
    at: datetime
    shift: str


@dataclass(frozen=True, slots=True)
class Preview:
    words: str
    zone: str
    slots: list[Slot]
    problems: list[str]


def preview(cron: str, zone: str) -> Preview:
    """What a cron expression means: words, the next ten times, changes of the clock between them."""
    if found := scheduling.problems(cron, zone):
        return Preview("", zone, [], [sentence for _, sentence in found])
    times = [moment.astimezone(ZoneInfo(zone)) for moment in scheduling.next_slots(cron, zone, PREVIEWED)]
    slots = [
        Slot(f"{moment:%a} {moment.day} {moment:%b %H:%M}", moment, _shift(times[n - 1] if n else None, moment))
        for n, moment in enumerate(times)
    ]
    return Preview(scheduling.in_words(cron), zone, slots, [] if slots else ["It never fires."])


def _shift(before: datetime | None, moment: datetime) -> str:
    """How the wall clock was moved between two times; empty when it was not."""
    if before is None:
        return ""
    moved = (moment.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())
    if not moved:
        return ""
    hours = abs(moved.total_seconds()) / 3600
    return f"clocks go {'forward' if moved > timedelta() else 'back'} by {hours:g} h before this"
