"""Where the steps of a process stand in its picture: columns by how much comes before, lines between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.processes.definition import Step, order

WIDE, HIGH, GAP_X, GAP_Y, MARGIN = 176, 46, 44, 18, 8


@dataclass(frozen=True, slots=True)
class Box:
    """A step; `x` and `y` are the upper left corner in pixels."""

    step: Step
    x: int
    y: int
    state: str = "muted"
    word: str = ""

    @property
    def title(self) -> str:
        text = self.step.title
        return text if len(text) <= 24 else f"{text[:23]}…"

    @property
    def text_x(self) -> int:
        return self.x + 12

    @property
    def title_y(self) -> int:
        return self.y + 20

    @property
    def kind_y(self) -> int:
        return self.y + 36


@dataclass(frozen=True, slots=True)
class Picture:
    boxes: list[Box]
    lines: list[str]  # path data of SVG
    width: int
    height: int


def draw(steps: Mapping[str, Step], states: Mapping[str, tuple[str, str]] | None = None) -> Picture:
    """`states`: by the names of steps, the state of hub.common.states and the word that is shown."""
    column: dict[str, int] = {}
    rows: dict[int, int] = {}
    boxes: dict[str, Box] = {}
    for name in order(steps):
        column[name] = max((column[before] + 1 for before in steps[name].after), default=0)
        row = rows.get(column[name], 0)
        rows[column[name]] = row + 1
        x, y = MARGIN + column[name] * (WIDE + GAP_X), MARGIN + row * (HIGH + GAP_Y)
        boxes[name] = Box(steps[name], x, y, *(states or {}).get(name, ("muted", "")))
    lines = [_line(boxes[before], box) for name, box in boxes.items() for before in steps[name].after]
    width = 2 * MARGIN + (max(column.values(), default=0) + 1) * (WIDE + GAP_X) - GAP_X
    height = 2 * MARGIN + max(rows.values(), default=1) * (HIGH + GAP_Y) - GAP_Y
    return Picture(list(boxes.values()), lines, width, height)


def _line(start: Box, end: Box) -> str:
    x1, y1, x2, y2 = start.x + WIDE, start.y + HIGH // 2, end.x, end.y + HIGH // 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
