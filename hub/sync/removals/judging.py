"""Whether a crawl may be believed. Pure: numbers and names in, doubts out.

Zero records, a volume far from the usual one, or a field of the contract that no record holds any more make a run suspect.
So does a crawl that would remove more than its sync allows, or that cannot say for certain what it did not see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from statistics import median_low
from typing import NamedTuple

from hub.sync.models import Crawl, RemovalSettings

# With fewer earlier runs nothing is usual yet; nothing at all after something is unusual at once.
ENOUGH_RUNS = 3
# A difference of fewer records is chance.
FEW = 10
# Of so many changed records at least one fills a field that most records fill.
ENOUGH_CHANGES = 20


class Doubt(NamedTuple):
    code: str
    sentence: str


def of_volume(read: int, usual: Sequence[int], limits: RemovalSettings) -> Iterator[Doubt]:
    """`usual` are the numbers of records of earlier runs of the same kind, newest first."""
    if not usual:
        return
    middle = median_low(usual)
    if not read and middle:
        yield Doubt("ZERO_RECORDS", f"The source showed no record; usually there are {middle:,}.")
    elif len(usual) >= ENOUGH_RUNS and abs(read - middle) >= FEW:
        if read * 100 < middle * limits.usual_min_percent:
            yield Doubt("FEWER_RECORDS", f"The source showed {read:,} records; usually there are {middle:,}.")
        elif read * 100 > middle * limits.usual_max_percent:
            yield Doubt("MORE_RECORDS", f"The source showed {read:,} records; usually there are only {middle:,}.")


def of_fields(crawl: Crawl, usual: Collection[str]) -> Iterator[Doubt]:
    """`usual` are the fields that most records of the last crawl of the same kind filled."""
    if not crawl.read or not (crawl.is_whole or crawl.read >= ENOUGH_CHANGES):
        return
    if lost := sorted(set(usual) - set(crawl.seen_fields)):
        verb = "is" if len(lost) == 1 else "are"
        yield Doubt("FIELD_GONE", f"{', '.join(lost)} {verb} empty or missing in all records; most had it before.")


def of_removals(crawl: Crawl, limits: RemovalSettings, *, is_same_source: bool) -> Iterator[Doubt]:
    """Why what the crawl did not show may not be taken for gone."""
    if not crawl.missing:
        return
    if not crawl.read:
        yield Doubt("ZERO_RECORDS", f"The source showed no record; the hub knows {crawl.known:,}.")
        return
    if not crawl.first_passed:
        yield Doubt("FIRST_PAGE", "No record of the first page keeps the contract, so the crawl proves nothing.")
    if crawl.nameless:
        yield Doubt(
            "NO_ID", f"{crawl.nameless:,} records came without an id; each may be one of those that are missed."
        )
    if not is_same_source:
        yield Doubt("SOURCE_CHANGED", "The connection or the stream was changed while the run was reading.")
    if crawl.missing > limits.removed_unasked and crawl.missing * 100 > crawl.known * limits.max_removed_percent:
        share = crawl.missing * 100 / crawl.known
        yield Doubt(
            "TOO_MANY_GONE",
            f"{crawl.missing:,} of {crawl.known:,} records are not shown any more ({share:.0f} %); "
            f"at most {limits.max_removed_percent} % go without asking.",
        )
