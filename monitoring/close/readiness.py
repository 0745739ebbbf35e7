"""How near a close is: everything that stands in its way, ranked by amount, with totals that are the sum of their rows."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from hub.accounts.models import User
from hub.common.money import decimal_text
from hub.common.times import business_now, format_instant
from hub.records.rates import Rates, rates_on
from monitoring.close import listings  # noqa: F401  (registers what the hub itself knows)
from monitoring.close.books import Book, books
from monitoring.close.scope import Scope, scope_of, unplaced
from monitoring.close.sources import Row, sources
from monitoring.models import PeriodStatus

log = logging.getLogger(__name__)
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row with its amount in the firm's currency; None where it has none, or there is no rate."""

    row: Row
    firm: Decimal | None


@dataclass(slots=True)
class Readiness:
    """`failed` names sources that could not be read: then the close is never called ready."""

    scope: Scope
    book: Book | None
    at: datetime
    rates: Rates
    rows: list[Ranked] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def blocking(self) -> list[Ranked]:
        return [each for each in self.rows if each.row.blocks]

    @property
    def count(self) -> int:
        return sum(each.row.count for each in self.blocking)

    @property
    def total(self) -> Decimal:
        """What blocks, in the firm's currency, without what could not be converted."""
        return sum((each.firm for each in self.blocking if each.firm is not None), NOTHING)

    @property
    def by_currency(self) -> dict[str, Decimal]:
        return totals(each.row for each in self.blocking)

    @property
    def unconverted(self) -> dict[str, Decimal]:
        """Amounts of what blocks for which there is no rate, by currency."""
        return totals(each.row for each in self.blocking if each.firm is None)

    @property
    def state(self) -> str:
        """closed, late, unknown, blocked, ready: a word of hub.common.states."""
        if self.book and self.book.status == PeriodStatus.CLOSED:
            return "closed"
        if self.failed:
            return "unmeasured"
        if not self.blocking:
            return "ready"
        left = self.book.seconds_left(self.at) if self.book else None
        return "late" if left is not None and left < 0 else "blocked"

    @property
    def look(self) -> str:
        return {"ready": "ok", "late": "overdue"}.get(self.state, self.state)

    @property
    def word(self) -> str:
        words = {"ready": "Ready", "blocked": "Not ready", "late": "Past its deadline", "closed": "Closed"}
        return words.get(self.state, "Not all could be read")

    @property
    def seconds_left(self) -> float | None:
        return self.book.seconds_left(self.at) if self.book else None


def totals(rows: Iterable[Row]) -> dict[str, Decimal]:
    """The sum of the amounts in each currency; rows without an amount add nothing, and no currency appears for them."""
    found: dict[str, Decimal] = {}
    for row in rows:
        if row.amount is not None:
            found[row.currency] = found.get(row.currency, NOTHING) + row.amount
    return dict(sorted(found.items()))


def readiness(scope: Scope, book: Book | None = None) -> Readiness:
    """How near one close is."""
    return _asked([Readiness(scope, book, business_now(), rates_on())])[0]


def _asked(closes: list[Readiness]) -> list[Readiness]:
    """Ask every source about all of them. One that fails is named, and the others are shown all the same."""
    scopes = [close.scope for close in closes]
    for name, ask in sources():
        try:
            with transaction.atomic():
                answers = [list(rows) for rows in ask(scopes)]
        except Exception:
            log.exception("A source of close readiness failed.", extra={"source": name})
            for close in closes:
                close.failed.append(name.replace("_", " ").replace("-", " "))
            continue
        for close, rows in zip(closes, answers, strict=True):
            close.rows += [Ranked(row, close.rates.value(row.amount, row.currency)) for row in rows]
    for close in closes:
        close.rows.sort(key=_rank)
    return closes


def _rank(each: Ranked) -> Any:
    """What blocks first, then by amount in firm currency; amounts that nobody can convert come before none at all."""
    row = each.row
    return (not row.blocks, -(abs(each.firm) if each.firm is not None else NOTHING), row.amount is None, -row.count)


def running(user: User | None = None) -> list[Readiness]:
    """The closes that somebody works on: open and closing periods, soonest first."""
    return _asked(_running(user))


def running_and_nowhere(user: User | None = None) -> list[Readiness]:
    """The closes that somebody works on and, last, what belongs to no close: its legal entity or period is not known."""
    return _asked([*_running(user), Readiness(unplaced(user), None, business_now(), rates_on())])


def _running(user: User | None) -> list[Readiness]:
    found = [book for book in books() if book.is_running]
    found.sort(key=lambda book: (book.closes_at is None, book.closes_at, book.start_date, book.legal_entity))
    now, rates = business_now(), rates_on()
    return [Readiness(scope_of(book, user), book, now, rates) for book in found]


def as_data(found: Readiness) -> dict[str, Any]:
    """As the API, the command and signatures give it: amounts as text."""
    book = found.book
    return {
        "legal_entity": found.scope.legal_entity,
        "period": found.scope.period,
        "status": book.status if book else None,
        "status_source": book.source if book else None,
        "closes_at": format_instant(book.closes_at) if book and book.closes_at else None,
        "is_frozen": bool(book and book.is_frozen),
        "state": found.state,
        "currency": found.rates.currency,
        "count": found.count,
        "total": decimal_text(found.total),
        "by_currency": {code: decimal_text(value) for code, value in found.by_currency.items()},
        "unconverted": {code: decimal_text(value) for code, value in found.unconverted.items()},
        "failed": found.failed,
        "rows": [_row(each) for each in found.rows],
    }


def _row(each: Ranked) -> dict[str, Any]:
    row = each.row
    return {
        "key": row.key,
        "what": row.what,
        "count": row.count,
        "amount": None if row.amount is None else decimal_text(row.amount),
        "currency": row.currency,
        "amount_firm": None if each.firm is None else decimal_text(each.firm),
        "blocks": row.blocks,
        "turn": row.turn,
        "url": row.url,
    }


def digest(data: dict[str, Any]) -> str:
    """Of what stood in the way, so that a signature can say whether it is still what was signed."""
    told = [[row["key"], row["count"], row["amount"]] for row in sorted(data["rows"], key=lambda row: row["key"])]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
