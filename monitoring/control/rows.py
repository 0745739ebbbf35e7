"""The rows of the control room. Parts of the hub register theirs; each answers from an index, capped, or not at all.

    @row(40)
    def stale_data(view: View) -> Row | None:
        return Row("Stale data", tile=Tile("Stale sets", "1", "1,204 rates", state="stale"), columns=[…], lines=[…], url=…)

A row that fails is replaced by a sentence; the others stay. Orders in use: 10 service levels, 20 failed transactions, 30 dead
letters, 40 stale data, 50 reconciliation gaps, 60 queues and workers, 70 connections.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

from django.db import transaction

from hub.accounts.models import User
from hub.common.permissions import is_allowed
from hub.records.rates import Rates, rates_on
from hub.sync.queries import sync_ids_for
from monitoring.control.timerange import TimeRange

log = logging.getLogger(__name__)

# No row reads more than this; beyond it, it says so.
CAP = 20_000


@dataclass(frozen=True)
class View:
    """Who looks at which time, and what all rows share."""

    user: User
    range: TimeRange

    @cached_property
    def rates(self) -> Rates:
        return rates_on()

    @cached_property
    def sync_ids(self) -> list[int] | None:
        """Syncs that the person may see; None for all."""
        return sync_ids_for(self.user, "ledger.view")

    def money(self, amounts: Sequence[tuple[str | None, Decimal]]) -> Money:
        if not amounts:  # nobody knows what hangs on it, which is not nothing
            return Money(None, self.rates.currency)
        total, rest = self.rates.total(amounts)
        return Money(total if self.rates.currency else None, self.rates.currency, rest)


@dataclass(frozen=True, slots=True)
class Money:
    """A sum in the firm's currency, and what has no rate."""

    amount: Decimal | None
    currency: str
    rest: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a line: words, a state, money, or a little line of numbers."""

    kind: Literal["text", "number", "state", "money", "when", "spark"] = "text"
    value: object = ""
    word: str = ""
    below: str = ""

    @property
    def is_number(self) -> bool:
        return self.kind in ("number", "money")


@dataclass(frozen=True, slots=True)
class Line:
    """A line leads to the list behind it."""

    title: str
    url: str
    below: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Tile:
    """The row in one figure."""

    label: str
    value: str
    detail: str = ""
    state: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One panel. Without lines it says `good`, which is good news."""

    title: str
    tile: Tile
    columns: list[str]
    lines: list[Line]
    url: str
    link: str = "All"
    meta: str = ""
    good: str = "Nothing to see here."
    is_wide: bool = False

    @property
    def heads(self) -> list[tuple[str, bool]]:
        """Headings beside the first one, and whether numbers stand below."""
        numbers = [cell.is_number for cell in self.lines[0].cells] if self.lines else [False] * len(self.columns)
        return list(zip(self.columns[1:], numbers, strict=False))

    @property
    def table(self) -> list[tuple[Line, list[tuple[str, Cell]]]]:
        """Each line, and its cells with their headings: a narrow screen shows them side by side."""
        return [(line, list(zip(self.columns[1:], line.cells, strict=False))) for line in self.lines]


@dataclass(frozen=True, slots=True)
class Failed:
    """A row that could not be read."""

    title: str


Source = Callable[[View], Row | None]
_rows: dict[str, tuple[int, str, str, Source]] = {}


def row(order: int, *, title: str = "", permission: str = "monitor.view") -> Callable[[Source], Source]:
    """Register a row for people who hold the permission; it may answer None to stay away."""

    def register(source: Source) -> Source:
        name = f"{source.__module__}.{source.__qualname__}"
        _rows[name] = (order, title or source.__name__.replace("_", " ").capitalize(), permission, source)
        return source

    return register


def rows_for(view: View) -> list[Row | Failed]:
    """All rows that this person may see, in order."""
    sources = sorted(_rows.values(), key=lambda each: each[0])
    found = [_ask(title, source, view) for _, title, need, source in sources if is_allowed(view.user, need)]
    return [each for each in found if each is not None]


def _ask(title: str, source: Source, view: View) -> Row | Failed | None:
    try:
        with transaction.atomic():
            return source(view)
    except Exception:
        log.exception("A row of the control room failed: %s", title)
        return Failed(title)
