"""Records that came by themselves: a package that keeps an inbox registers it here, and every inbound run empties it first.

The run holds the sync for itself, so what an inbox hands out is compared with a hub that nobody else changes by this sync.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.common.records import Record
from hub.sync.plan import SyncPlan


@dataclass(frozen=True, slots=True)
class Fed:
    """One page of an inbox. `settle(cursor, run id)` marks it as taken in the transaction that stores the page."""

    records: Sequence[Record]
    settle: Callable[[Any, int], None]
    gone: Sequence[Record] = ()  # told as deleted at the source
    is_decided: bool = False  # people have said of each of them whether it is new


# Called with the plan of the sync; None when nothing waits.
Feed = Callable[[SyncPlan], Fed | None]
_feeds: list[Feed] = []


def register(feed: Feed) -> None:
    if feed not in _feeds:
        _feeds.append(feed)


def take(plan: SyncPlan) -> Fed | None:
    """The next page of the first inbox that has one."""
    return next((fed for feed in _feeds if (fed := feed(plan)) is not None), None)
