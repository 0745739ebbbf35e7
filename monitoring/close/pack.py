"""The close pack: what stood in the way, every record behind it, what was decided, and who signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.common.exports import Column
from hub.common.times import format_instant
from hub.common.xlsx import Sheet, workbook
from monitoring.close.listings import Entry, Listing, find
from monitoring.close.readiness import Readiness
from monitoring.close.sources import sources
from monitoring.models import CloseSignature, LateDecision

# A sheet holds a million rows; a pack with more records than this says so, and the lists have all of them.
MOST = 50_000

ROW_COLUMNS = [
    Column("what", "What", "row.what"),
    Column("count", "Records", "row.count"),
    Column("amount", "Amount", "row.amount"),
    Column("currency", "Currency", "row.currency"),
    Column("amount_firm", "Amount in firm currency", "firm"),
    Column("blocks", "Stands in the way", "row.blocks"),
    Column("turn", "Whose turn", "row.turn"),
    Column("url", "List", "row.url"),
]
ENTRY_COLUMNS = [
    Column("title", "Record"),
    Column("detail", "What"),
    Column("project", "Project"),
    Column("amount", "Amount"),
    Column("currency", "Currency"),
    Column("at", "Since (UTC)"),
    Column("state", "State"),
    Column("url", "Page"),
]


def entries(listing: Listing, found: Readiness, *, part: str = "", currency: str = "") -> Iterator[Entry]:
    rows = listing.filtered(found.scope, part=part, currency=currency).order_by(*listing.order)
    for row in rows.iterator(chunk_size=2_000):
        yield listing.entry(row)


def as_workbook(found: Readiness) -> bytes:
    """The pack as an XLSX file."""
    return workbook(
        [
            Sheet("Close", ["", ""], _facts(found)),
            Sheet(
                "In the way", [c.label for c in ROW_COLUMNS], ([c.of(each) for c in ROW_COLUMNS] for each in found.rows)
            ),
            Sheet("Records", ["In", *(column.label for column in ENTRY_COLUMNS)], _records(found)),
            Sheet("Late postings", [label for label, _ in _DECISIONS], _decisions(found)),
            Sheet(
                "Signatures", ["Step", "By", "At (UTC)", "Note", "Digest of the figures", "Withdrawn"], _signed(found)
            ),
        ]
    )


def _facts(found: Readiness) -> Iterator[list[Any]]:
    book = found.book
    yield ["Legal entity", found.scope.legal_entity]
    yield ["Period", found.scope.period]
    yield ["Status", f"{book.status} ({book.source})" if book else "not planned"]
    yield ["Closes (UTC)", format_instant(book.closes_at) if book and book.closes_at else None]
    yield ["As of (UTC)", format_instant(found.at)]
    yield ["Readiness", found.state]
    yield ["Things in the way", found.count]
    yield [f"In the way, {found.rates.currency or 'no firm currency'}", found.total]
    for currency, amount in found.by_currency.items():
        yield [f"In the way, in {currency or 'no currency'}", amount]
    for currency, amount in found.unconverted.items():
        yield [f"Of it without an exchange rate, {currency or 'no currency'}", amount]
    for name in found.failed:
        yield ["Could not be read", name]


def _records(found: Readiness) -> Iterator[list[Any]]:
    left = MOST
    for name, _ in sources():
        listing = find(name)
        if listing is None or name in found.failed:
            continue
        for entry in entries(listing, found):
            if left == 0:
                yield [listing.what, f"Only the first {MOST} records are in this file; the list has all."]
                return
            left -= 1
            yield [listing.what, *(column.of(entry) for column in ENTRY_COLUMNS)]


_DECISIONS: list[tuple[str, Any]] = [
    ("Record", lambda row: row.key),
    ("Decision", lambda row: row.get_choice_display()),
    ("To period", lambda row: row.to_period),
    ("Amount", lambda row: row.amount),
    ("Currency", lambda row: row.currency),
    ("By", lambda row: str(row.by)),
    ("At (UTC)", lambda row: row.at),
    ("Reason", lambda row: row.reason),
    ("Replaced", lambda row: row.ended_at),
]


def decisions(found: Readiness) -> list[LateDecision]:
    """What was decided for postings of this period, also what was replaced since."""
    scope = found.scope
    rows = LateDecision.objects.select_related("by", "entity").filter(
        legal_entity=scope.legal_entity, period=scope.period
    )
    return list(scope.in_domains(rows, "entity__domain")[:MOST])


def _decisions(found: Readiness) -> Iterator[list[Any]]:
    for row in decisions(found):
        yield [of(row) for _, of in _DECISIONS]


def _signed(found: Readiness) -> Iterator[list[Any]]:
    rows = CloseSignature.objects.select_related("by", "withdrawn_by").filter(
        legal_entity=found.scope.legal_entity, period=found.scope.period
    )
    for row in rows:
        yield [row.get_step_display(), str(row.by), row.at, row.note, row.digest, row.withdrawn_at]
