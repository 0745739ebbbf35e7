"""The figures above the list of streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitoring.freshness.queries import Row


@dataclass(frozen=True, slots=True)
class Tiles:
    """Streams by state, and the stale records of all with what they are worth."""

    late: int
    warn: int
    no_data: int
    stale: int
    amount: Decimal | None
    unconverted: int


def tiles_of(rows: Sequence[Row]) -> Tiles:
    counts = [row.stale for row in rows if row.stale]
    amounts = [count.amount for count in counts if count.amount is not None]
    return Tiles(
        late=sum(row.state == "late" for row in rows),
        warn=sum(row.state == "warn" for row in rows),
        no_data=sum(row.state == "no_data" for row in rows),
        stale=sum(count.number for count in counts),
        amount=sum(amounts, Decimal(0)) if amounts else None,
        unconverted=sum(count.unconverted for count in counts),
    )
