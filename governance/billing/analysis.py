"""What is wrong with a table as a whole: rows that overlap, rows that never count, and cases that no row covers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from governance.billing.regions import Ranges, Region
from governance.billing.table import Table
from hub.common.errors import ConfigError

Box = tuple[Region, ...]
MOST_BOXES = 4_000
SHOWN = 5


def faults(table: Table) -> list[str]:
    """Sentences that name the rows; empty for a table that may decide."""
    found = [f"{_capital(row.name)} can never match." for row in table.rows if not all(row.box)]
    if table.policy == "unique":
        found += _overlaps(table)
    if table.policy == "first":
        found += _unreached(table)
    if table.policy != "collect" and table.otherwise is None:
        found += _gaps(table)
    return found


def refuse_faults(table: Table, where: str = "") -> None:
    """ConfigError that lists the first faults."""
    if found := faults(table):
        more = f" … and {len(found) - SHOWN} more." if len(found) > SHOWN else ""
        raise ConfigError(
            " ".join(found[:SHOWN]) + more,
            where=where,
            fix="Correct these rows, or say what comes out otherwise; until then keep it as a draft.",
            code="TABLE_FAULTS",
        )


def _overlaps(table: Table) -> Iterator[str]:
    for one, two in combinations(table.rows, 2):
        both = meet(one.box, two.box)
        if all(both):
            yield f"{_capital(one.name)} and {two.name} both match, for example {_example(table, both)}."


def _unreached(table: Table) -> Iterator[str]:
    for position, row in enumerate(table.rows):
        left = [row.box] if all(row.box) else []
        for above in table.rows[:position]:
            left = _without(left, above.box)
        if all(row.box) and not left:
            yield f"{_capital(row.name)} is never reached: the rows above it take all that it matches."


def _gaps(table: Table) -> Iterator[str]:
    left = [table.whole]
    for row in table.rows:
        left = _without(left, row.box)
    for box in left[:SHOWN]:
        near = _nearest(table, box)
        yield f"No row matches {_example(table, box)}{f'; the nearest is {near}' if near else ''}."


def _nearest(table: Table, box: Box) -> str:
    """The row that an uncovered case misses by least: a bound is missed by less than a word."""
    scored = [(_distance(row.box, box), row.number, row.name) for row in table.rows]
    return min(scored)[2] if scored else ""


def _distance(row: Box, box: Box) -> int:
    missed = [part for part, both in zip(row, meet(row, box), strict=True) if not both]
    return sum(1 if isinstance(part, Ranges) else 2 for part in missed)


def meet(one: Box, two: Box) -> Box:
    return tuple(a & b for a, b in zip(one, two, strict=True))  # type: ignore[operator]


def _without(boxes: list[Box], hole: Box) -> list[Box]:
    """The boxes less a hole, as boxes that do not overlap."""
    left = [piece for box in boxes for piece in _cut(box, hole)]
    if len(left) > MOST_BOXES:
        raise ConfigError(
            "The table is too involved to be checked for gaps and overlaps.",
            fix="Split it into two rules.",
            code="TABLE_SIZE",
        )
    return left


def _cut(box: Box, hole: Box) -> Iterator[Box]:
    both = meet(box, hole)
    if not all(both):
        yield box
        return
    for at, region in enumerate(box):
        rest = region - hole[at]  # type: ignore[operator]
        if rest:
            yield (*both[:at], rest, *box[at + 1 :])


def _example(table: Table, box: Box) -> str:
    """ "status completed, amount 5000"; columns that may be anything are left out."""
    pairs = zip(table.inputs, box, strict=True)
    told = [f"{column.label.lower()} {part.example()}" for column, part in pairs if part != column.whole]
    return ", ".join(told) or "at all"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
