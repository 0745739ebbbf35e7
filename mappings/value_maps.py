"""Value maps: a source column and a target column. A rule looks a value up in the first, or reversed in the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hub.common.errors import ConfigError, RecordError
from hub.common.money import shown
from mappings.convert import to_text


@dataclass(frozen=True, slots=True)
class ValueMapEntryData:
    """One pair; `valid_from` and `valid_to` are inclusive business dates, None is open."""

    source: str
    target: Any
    valid_from: date | None = None
    valid_to: date | None = None

    def is_valid(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class ValueMapData:
    """A value map as it stands. `on_unmapped` is its own policy (fail, null, keep, default); a rule may have another.

    `revision` tells two states of one map apart.
    """

    slug: str
    entries: tuple[ValueMapEntryData, ...]
    on_unmapped: str = ""
    default: Any = None
    revision: int = 0

    @property
    def is_dated(self) -> bool:
        return any(entry.valid_from or entry.valid_to for entry in self.entries)

    def pairs(self, reverse: bool) -> Iterator[tuple[str, Any, ValueMapEntryData]]:
        """What is looked up, what comes out, and the entry; values that are no single value raise RecordError."""
        for entry in self.entries:
            asked, answer = (entry.target, entry.source) if reverse else (entry.source, entry.target)
            key = to_text(asked)
            if key is not None:
                yield key, answer, entry

    def ambiguous(self, reverse: bool) -> list[str]:
        """Values for which two entries valid on one day give different answers; the entry listed first wins."""
        found: dict[str, list[tuple[Any, ValueMapEntryData]]] = {}
        clashes = []
        for key, answer, entry in self.pairs(reverse):
            others = found.setdefault(key, [])
            if key not in clashes and any(other != answer and _overlap(entry, known) for other, known in others):
                clashes.append(key)
            others.append((answer, entry))
        return clashes


def _overlap(one: ValueMapEntryData, two: ValueMapEntryData) -> bool:
    first = max(one.valid_from or date.min, two.valid_from or date.min)
    return first <= min(one.valid_to or date.max, two.valid_to or date.max)


class Lookup:
    """A value map ready to answer for one rule."""

    def __init__(self, data: ValueMapData, *, reverse: bool = False, policy: str = "", default: Any = None) -> None:
        self.data = data
        self.policy = policy or data.on_unmapped or "fail"
        self.default = default if policy == "default" else data.default
        self._answers: dict[str, list[tuple[Any, ValueMapEntryData]]] = {}
        for key, answer, entry in data.pairs(reverse):
            self._answers.setdefault(key, []).append((answer, entry))

    def __call__(self, value: Any, day: Callable[[], date]) -> Any:
        """The answer for a value; `day` is asked only when the map has dates. RecordError when unmapped must fail."""
        if value is None:
            return None
        answers = self._answers.get(to_text(value) or "", ())
        if self.data.is_dated:
            at = day()
            answers = [pair for pair in answers if pair[1].is_valid(at)]
        return answers[0][0] if answers else self._unmapped(value)

    def _unmapped(self, value: Any) -> Any:
        if self.policy == "fail":
            raise RecordError(
                f"{shown(value)} is not in the value map {self.data.slug}.",
                code="UNMAPPED",
                fix="Add it to the value map, or say in the rule what happens to unmapped values.",
            )
        return {"null": None, "keep": value, "default": self.default}[self.policy]


def find_value_map(value_maps: Mapping[str, ValueMapData], slug: str) -> ValueMapData:
    """The map of a slug; ConfigError when there is none."""
    try:
        return value_maps[slug]
    except KeyError:
        raise ConfigError(f"There is no value map {slug!r}.", fix="Create it, or choose another in the rule.") from None
