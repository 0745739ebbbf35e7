"""Delivering in the presence of records over which workers fall."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from django.db import transaction

from hub.common.db import plain_cursor
from hub.sync import poison, runs
from hub.sync.models import Run
from hub.sync.outbox import Due

# Where suspects are due, records are fetched in small numbers, because only one of them is taken at once.
FETCHED_AT_ONCE = 20


@dataclass
class Isolation:
    """Which due records go together: a suspect goes alone, all others as usual."""

    run: Run
    # A worker fell, and nothing says yet what it had in hand.
    is_unexplained: bool
    crashes: dict[int, int] = field(default_factory=dict)
    is_slow: bool = False

    @classmethod
    def of(cls, run: Run) -> Isolation:
        is_explained = poison.who_fell_over(run)
        found = {int(key): count.crashes for key, count in poison.counts(run.sync_id).items()}
        return cls(run, run.claims > 1 and not is_explained, found)

    def blame(self, cursor: Any, record_ids: Collection[int]) -> None:
        """The worker fell while it was sending these, or was about to."""
        if self.is_unexplained and record_ids:
            poison.suspect(cursor, self.run.sync_id, {str(record_id): None for record_id in record_ids})
            self.crashes = {**dict.fromkeys(record_ids, 1), **self.crashes}
            self.is_unexplained = False

    def limit(self, usual: int) -> int:
        return min(usual, FETCHED_AT_ONCE) if self.is_slow else usual

    def pick(self, due: Sequence[Due]) -> list[Due]:
        """Those that go next. A worker that fell before it sent anything was at the beginning of what is due."""
        if self.is_unexplained and due:
            with transaction.atomic(), plain_cursor() as cursor:
                runs.fence(cursor, self.run, counts={}, stage=poison.STAGE)
                self.blame(cursor, [item.record_id for item in due])
        self.is_slow = any(item.record_id in self.crashes for item in due)
        if not due or due[0].record_id not in self.crashes:
            return list(takewhile(lambda item: item.record_id not in self.crashes, due))
        if not self.is_convicted(due[0]):
            poison.take_in_hand(self.run, str(due[0].record_id))
        return [due[0]]

    def is_convicted(self, item: Due) -> bool:
        return self.crashes.get(item.record_id, 0) >= poison.MAX_CRASHES

    def absolve(self, cursor: Any, due: Sequence[Due]) -> None:
        """These have an outcome. What was set aside is taken alone again when somebody sends it again."""
        suspects = [item for item in due if item.record_id in self.crashes]
        if not suspects:
            return
        convicted = [item.record_id for item in suspects if self.is_convicted(item)]
        poison.clear(cursor, self.run.sync_id, [str(item.record_id) for item in suspects])
        poison.suspect(cursor, self.run.sync_id, dict.fromkeys(map(str, convicted)))
        for item in suspects:
            del self.crashes[item.record_id]
        self.crashes |= dict.fromkeys(convicted, 1)
