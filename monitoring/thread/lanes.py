"""Where the boxes of a thread stand: a lane for each system, a column for what happened together, in time order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.models import System
from hub.common.display import as_date
from monitoring.thread.shapes import Leg, LegState, Thread

LABEL, COLUMN, BOX, LANE, TOP, HEIGHT = 128, 140, 112, 74, 36, 42
ORDER = [value for value, _ in System.Category.choices]
OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Box:
    """One leg on the drawing; x and y are its upper left corner."""

    leg: Leg
    x: int
    y: int

    @property
    def middle(self) -> tuple[int, int]:
        return self.x + BOX // 2, self.y + HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another, as the path of an SVG; `label` stands beside it, `look` is a token."""

    path: str
    label: str
    label_x: int
    label_y: int
    is_red: bool


@dataclass(frozen=True, slots=True)
class Lanes:
    """A drawing of so many units; `columns` are (x, what stands above)."""

    width: int
    height: int
    lanes: list[tuple[int, str, str]]
    columns: list[tuple[int, datetime | None, str]]
    boxes: list[Box]
    arrows: list[Arrow]


def lanes_of(thread: Thread) -> Lanes:
    legs = [leg for leg in thread.drawn if leg.systems]
    systems = sorted(
        {_lane(leg).pk: _lane(leg) for leg in legs}.values(), key=lambda s: (ORDER.index(s.category), s.name)
    )
    rows = {system.pk: place for place, system in enumerate(systems)}
    columns = _columns(legs)
    boxes = {
        leg.spec.slug: Box(leg, LABEL + place * COLUMN + 6, TOP + rows[_lane(leg).pk] * LANE + 14)
        for place, column in enumerate(columns)
        for leg in column
    }
    return Lanes(
        LABEL + max(len(columns), 1) * COLUMN,
        TOP + max(len(systems), 1) * LANE,
        [(TOP + rows[s.pk] * LANE, s.get_category_display().split(" /")[0], s.name) for s in systems],
        [(LABEL + place * COLUMN + 6 + BOX // 2, *_head(column)) for place, column in enumerate(columns)],
        list(boxes.values()),
        [arrow for box in boxes.values() if (arrow := _arrow(boxes.get(box.leg.spec.source), box, thread.now))],
    )


def _lane(leg: Leg) -> System:
    return leg.systems[0]


def _columns(legs: Sequence[Leg]) -> list[list[Leg]]:
    """A leg that reaches another system stands below the one that it comes from; columns follow each other in time."""
    columns: list[list[Leg]] = []
    for leg in legs:
        home = next((c for c in columns if any(other.spec.slug == leg.spec.source for other in c)), None)
        if home and leg.spec.reaches and all(_lane(other).pk != _lane(leg).pk for other in home):
            home.append(leg)
        else:
            columns.append([leg])
    times: list[tuple[datetime, int]] = []
    for place, column in enumerate(columns):
        before = times[-1][0] if times else OLDEST
        times.append((_time(column[0]) or before, place))
    return [columns[place] for _, place in sorted(times)]


def _time(leg: Leg) -> datetime | None:
    day = as_date(leg.left_day) if leg.left_day else None
    return leg.sort_at or (datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None)


def _head(column: Sequence[Leg]) -> tuple[datetime | None, str]:
    """The instant, or the business date, of a column's first leg."""
    leg = column[0]
    return (None, leg.left_day) if leg.left_day else (leg.sort_at, "")


def _arrow(start: Box | None, end: Box, now: datetime) -> Arrow | None:
    if start is None:
        return None
    (x1, y1), (_, y2) = start.middle, end.middle
    label = end.leg.sla.words(now) if end.leg.sla else ""
    red = end.leg.is_red
    if start.x == end.x:
        down = y2 > y1
        path = f"M{x1} {start.y + HEIGHT if down else start.y}V{end.y - 2 if down else end.y + HEIGHT + 2}"
        return Arrow(path, label, x1 + 6, (y1 + y2) // 2 + 4, red)
    if start.x > end.x:
        return Arrow(f"M{start.x} {y1}L{end.x + BOX + 2} {y2}", label, 0, 0, red)
    right, left = start.x + BOX, end.x - 2
    turn = left - 12
    path = f"M{right} {y1}H{left}" if y1 == y2 else f"M{right} {y1}H{turn}V{y2}H{left}"
    return Arrow(path, label, turn - 4, (y1 + y2) // 2 + 4, red)


def second_line(leg: Leg) -> str:
    """What a box says below its name: the id, or how many."""
    if leg.state == LegState.MISSING and not leg.done:
        return "not there"
    if leg.total > 1:
        amount = leg.members.quantity()
        some = f"{leg.done:,} of {leg.total:,}" if leg.spec.reaches and leg.missing else f"{leg.total:,} records"
        return f"{amount.normalize():,f} {leg.spec.unit}" if amount and not leg.missing else some
    return leg.ids[0].external_id if leg.ids else leg.record.key if leg.record else leg.word.lower()
