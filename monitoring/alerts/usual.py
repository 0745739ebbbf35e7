"""What is usual: the median and the median deviation of earlier runs, which one odd run moves little. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

# With fewer there is no usual. Of the same weekday and hour fewer say enough.
ENOUGH, ENOUGH_ALIKE = 12, 4
# The median deviation of normal numbers, as a standard deviation.
NORMAL = 1.4826
# A source that always shows the same number deviates by this part of it, so that one more is no alarm.
FLOOR = 0.05
FEW = 5.0

# (run, when it started, how much it read)
Volume = tuple[int, datetime, int]


@dataclass(frozen=True, slots=True)
class Usual:
    """`spread` is in the same unit as `middle`; `words` say what it was taken from."""

    middle: float
    spread: float
    words: str

    def distance(self, number: float) -> float:
        """How many spreads away; 0 for a handful more or less."""
        away = abs(number - self.middle)
        return 0.0 if away < FEW else away / self.spread


def usual_of(volumes: Sequence[Volume], at: datetime, *, but: int = 0) -> Usual | None:
    """What is usual at that hour of that weekday, else at any time; None where there is too little history.

    `but` is the run that is judged: it is no part of what it is held against.
    """
    earlier = [(when, number) for run, when, number in volumes if run != but and when < at]
    alike = [n for when, n in earlier if when.weekday() == at.weekday() and abs(when.hour - at.hour) <= 1]
    if len(alike) >= ENOUGH_ALIKE and len(earlier) >= ENOUGH:
        return _usual(alike, f"{len(alike)} runs of that weekday and hour")
    if len(earlier) >= ENOUGH:
        return _usual([number for _, number in earlier], f"the last {len(earlier)} runs")
    return None


def _usual(numbers: Sequence[int], words: str) -> Usual:
    middle = float(median(numbers))
    deviation = float(median(abs(number - middle) for number in numbers))
    return Usual(middle, max(NORMAL * deviation, FLOOR * middle, 1.0), words)
