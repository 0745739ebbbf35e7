"""A held record beside those that it may be, field by field: what is equal, what differs, and which system says what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub.common.display import MASK
from hub.records.models import CanonicalRecord
from hub.records.reading import Described, sources_of
from hub.sync.models import Duplicate

EMPTY: tuple[Any, ...] = (None, "", [], {})
State = Literal["equal", "alike", "differs", "only_new", "only_there", "nothing"]
WORDS: Mapping[State, str] = {
    "equal": "Equal",
    "alike": "Alike",
    "differs": "Different",
    "only_new": "Only the new one",
    "only_there": "Only this one",
    "nothing": "Neither",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of one candidate; `score` is what the rule gave the field, where it compares it."""

    value: Any
    source: str
    state: State
    score: int | None

    @property
    def word(self) -> str:
        return WORDS[self.state]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    title: str
    value: Any
    cells: list[Cell]

    @property
    def differs(self) -> bool:
        return any(cell.state not in ("equal", "nothing") for cell in self.cells)


def rows_of(
    duplicate: Duplicate, candidates: Sequence[CanonicalRecord], described: Described, *, revealed: bool = False
) -> list[Row]:
    """Fields of the contract in their order, then what the records hold beside it; masked values as such."""
    bodies = [duplicate.body, *(one.body for one in candidates)]
    secret = set() if revealed else set().union(*(described.masked(body) for body in bodies))
    known = list(described.fields)
    beside = [name for body in bodies for name in body if name not in described.fields]
    sources = [sources_of(one) for one in candidates]
    scores = {one["record"]: dict(one["fields"]) for one in duplicate.candidates}
    rows = []
    for name in dict.fromkeys([*known, *beside]):
        mine = duplicate.body.get(name)
        cells = [
            Cell(
                _shown(one.body.get(name), name in secret),
                said.get(name, "") if one.body.get(name) not in EMPTY else "",
                _state(mine, one.body.get(name), scores.get(one.pk, {}).get(name)),
                scores.get(one.pk, {}).get(name),
            )
            for one, said in zip(candidates, sources, strict=True)
        ]
        rows.append(Row(name, described.describe(name).title, _shown(mine, name in secret), cells))
    return [row for row in rows if row.value not in EMPTY or any(cell.value not in EMPTY for cell in row.cells)]


def _shown(value: Any, is_secret: bool) -> Any:
    return MASK if is_secret and value not in EMPTY else value


def _state(mine: Any, theirs: Any, score: int | None) -> State:
    if mine in EMPTY or theirs in EMPTY:
        return "nothing" if mine in EMPTY and theirs in EMPTY else "only_there" if mine in EMPTY else "only_new"
    if mine == theirs:
        return "equal"
    return "alike" if score else "differs"
