"""What changed, told upwards in bulk: `expectation_warned`, `expectation_breached` and `expectation_met`.

Each fact carries `service_level_id` and the `ids` of the rows, in the transaction that changed them. What was due before a
level was watched is history: it is counted, but not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg

from hub.common import facts


@dataclass(slots=True)
class Changed:
    """Rows that changed their state, and the days of their beginning, whose figures have to be counted again."""

    ids: list[int] = field(default_factory=list)
    days: set[date] = field(default_factory=set)

    def __add__(self, other: Changed) -> Changed:
        return Changed(self.ids + other.ids, self.days | other.days)

    def __len__(self) -> int:
        return len(self.ids)


def told(cursor: psycopg.Cursor[Any], sql: str, asked: dict[str, Any]) -> Changed:
    """Run a statement whose common table `changed` returns (id, opened_at); `asked` names the calendar's `zone`."""
    # Planned anew each time: a plan for any instant reads the whole ledger to find the last seconds.
    rows = cursor.execute(
        f"{sql} select (opened_at at time zone %(zone)s)::date, array_agg(id) from changed group by 1",
        asked,
        prepare=False,
    ).fetchall()
    return Changed([number for _, ids in rows for number in ids], {day for day, _ in rows})


def publish(fact: str, service_level_id: int, ids: list[int]) -> None:
    """Nothing is said of nothing."""
    if ids:
        facts.publish(fact, service_level_id=service_level_id, ids=ids)
