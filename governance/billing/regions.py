"""Sets of values that a condition lets through: of words, and of ranges of numbers or days.

The same sets decide about a value and are checked for overlaps and gaps, so that the check says the truth about the decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

# A place between values: (0, value, -1) is just before it, (0, value, 1) just after.
Cut = tuple[int, Any, int]
LOWEST: Cut = (-1, 0, 0)
HIGHEST: Cut = (1, 0, 0)
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Words:
    """These words, or (`is_other`) all others."""

    words: frozenset[str] = frozenset()
    is_other: bool = False

    def __and__(self, other: Words) -> Words:
        if self.is_other and other.is_other:
            return Words(self.words | other.words, is_other=True)
        if self.is_other:
            return Words(other.words - self.words)
        return Words(self.words - other.words if other.is_other else self.words & other.words)

    def __sub__(self, other: Words) -> Words:
        return self & Words(other.words, is_other=not other.is_other)

    def __or__(self, other: Words) -> Words:
        negated = Words(self.words, not self.is_other) & Words(other.words, not other.is_other)
        return Words(negated.words, is_other=not negated.is_other)

    def __bool__(self) -> bool:
        return self.is_other or bool(self.words)

    def __contains__(self, value: Any) -> bool:
        return (value in self.words) != self.is_other

    def example(self) -> str:
        if self.is_other:
            return f"anything but {', '.join(sorted(self.words))}" if self.words else "anything"
        return min(self.words)


ANY_WORD = Words(is_other=True)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Parts of a line, in order and apart; days are counted whole, so that nothing lies between two of them."""

    parts: tuple[tuple[Cut, Cut], ...] = ()
    is_days: bool = False

    def __and__(self, other: Ranges) -> Ranges:
        met = ((max(a, c), min(b, d)) for a, b in self.parts for c, d in other.parts)
        return Ranges(tuple(sorted(part for part in met if part[0] < part[1])), self.is_days)

    def __sub__(self, other: Ranges) -> Ranges:
        return self & other.rest()

    def __or__(self, other: Ranges) -> Ranges:
        joined: list[tuple[Cut, Cut]] = []
        for low, high in sorted((*self.parts, *other.parts)):
            if joined and low <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], high))
            else:
                joined.append((low, high))
        return Ranges(tuple(joined), self.is_days)

    def rest(self) -> Ranges:
        """All that is not in it."""
        edges = [LOWEST, *(cut for part in self.parts for cut in part), HIGHEST]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        return Ranges(tuple(gap for gap in gaps if gap[0] < gap[1]), self.is_days)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __contains__(self, value: Any) -> bool:
        low, high = before(value), after(value)
        return any(part[0] <= low and high <= part[1] for part in self.parts)

    def example(self) -> str:
        """What is in it, in words: of each part a value that somebody wrote down, or its bounds."""
        return " or ".join(self._part_words(low, high) for low, high in self.parts[:SHOWN])

    def _part_words(self, low: Cut, high: Cut) -> str:
        for cut in (low, high):
            if cut[0] == 0 and low <= before(point := _point(cut[1], self.is_days)) and after(point) <= high:
                return _text(point)
        if low[0] and high[0]:
            return "anything"
        ends = [_text(_point(cut[1], self.is_days)) for cut in (low, high) if not cut[0]]
        return f"between {' and '.join(ends)}" if len(ends) == 2 else f"{'less' if low[0] else 'more'} than {ends[0]}"


def before(value: Any) -> Cut:
    return (0, value.toordinal(), -1) if isinstance(value, date) else (0, value, -1)


def after(value: Any) -> Cut:
    return (0, value.toordinal() + 1, -1) if isinstance(value, date) else (0, value, 1)


def between(low: Cut, high: Cut, *, is_days: bool) -> Ranges:
    return Ranges(((low, high),) if low < high else (), is_days)


def _point(number: Any, is_days: bool) -> Any:
    return date.fromordinal(number) if is_days else number


def _text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


Region = Words | Ranges
