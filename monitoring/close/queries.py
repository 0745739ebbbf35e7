"""Reads of the pages of periods and closes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from governance.calendars.opening import business_seconds
from hub.accounts.models import User
from hub.common import display
from hub.common.times import business_now
from monitoring.close.books import Book, books, legal_entities
from monitoring.close.scope import EDIT
from monitoring.models import Period

MONTHS_SHOWN = 14


def may_edit(user: User) -> bool:
    """A period counts for every domain, so changing or signing one needs the permission for all."""
    return user.has_hub_perm(EDIT) and user.domain_ids_for(EDIT) is None


def periods(text: str = "") -> QuerySet[Period]:
    rows = Period.objects.select_related("calendar")
    for word in text.split():
        rows = rows.filter(slug__icontains=word)
    return rows


@dataclass(frozen=True, slots=True)
class Cell:
    """A period of a legal entity in the calendar; no book where nobody has planned or delivered it."""

    period: str
    book: Book | None
    left: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A legal entity and its periods, oldest first."""

    code: str
    name: str
    cells: list[Cell]


def calendar(found: Iterable[Book]) -> tuple[list[str], list[Lane]]:
    """(the periods shown, a lane for each legal entity): the newest months around now."""
    by_name = {book.name: book for book in found}
    shown = _months_shown(list(by_name.values()))
    now = business_now()
    names = legal_entities()
    codes = sorted({code for code, _ in by_name})
    return shown, [
        Lane(code, names.get(code, (code, ""))[0], [_cell(by_name.get((code, month)), month, now) for month in shown])
        for code in codes
    ]


def _months_shown(found: list[Book]) -> list[str]:
    """Those around the first that is not closed, so that a plan of ten years stays a page."""
    months = sorted({book.period for book in found})
    running = next((n for n, month in enumerate(months) if any(b.period == month and b.is_running for b in found)), 0)
    start = max(0, min(running - 4, len(months) - MONTHS_SHOWN))
    return months[start : start + MONTHS_SHOWN]


def _cell(book: Book | None, month: str, now: datetime) -> Cell:
    return Cell(month, book, countdown(book, now) if book and book.is_running else "")


def countdown(book: Book, now: datetime | None = None) -> str:
    """`3 d 04 h left`, `late by 2 h 10 m`; empty without a deadline and for what is closed."""
    left = book.seconds_left(now or business_now())
    if left is None:
        return ""
    words = display.duration(abs(left))
    return f"{words} left" if left >= 0 else f"late by {words}"


def business_left(book: Book, now: datetime | None = None) -> float | None:
    """Business seconds until the close, by the period's calendar; None without one or without a deadline ahead."""
    now = now or business_now()
    if book.config is None or book.config.calendar is None or book.closes_at is None or book.closes_at <= now:
        return None
    return business_seconds(book.config.calendar.opening_hours, now, book.closes_at)


def next_to_close() -> Book | None:
    """The running period with the nearest deadline."""
    dated = [book for book in books() if book.is_running and book.closes_at]
    return min(dated, key=lambda book: (book.closes_at, book.legal_entity), default=None)
