"""What may be done with a posting whose period is closed, and what somebody chose.

    choices_for(item)                                  # [] where its period takes postings
    choose(item, "next_period", "Approved late", by=finn)

The hub records the decision with who, when and why, and shows it where it matters: what goes to the next period stands in that
period's close until it is billed, what waits stays in the queue. It does not change what is sent: no mapping reads the
decision, so the owner of the ERP posts it in the period that was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hub.common.acts import Act, tell
from hub.common.display import date_text
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.common.times import business_now
from hub.records.models import CanonicalRecord
from monitoring.close.books import Book, book_of, next_open
from monitoring.close.closed_periods import CAUSE
from monitoring.models import ExceptionEvent, ExceptionItem, LateDecision, LatePolicy

# The item is no longer in the way; the others leave it in the queue.
SETTLES = (LatePolicy.NEXT_PERIOD, LatePolicy.WRITE_OFF)


@dataclass(frozen=True, slots=True)
class Choice:
    """`why_not` is empty where it may be chosen; `is_usual` where it is the period's late policy."""

    slug: str
    label: str
    explanation: str
    why_not: str = ""
    is_usual: bool = False
    to_period: str = ""

    @property
    def settles(self) -> bool:
        return self.slug in SETTLES


def book_of_item(item: ExceptionItem) -> Book | None:
    """The period that the item is about, if nothing may be posted in it."""
    if not item.legal_entity or not item.period or not item.record_id:
        return None
    found = book_of(item.legal_entity, item.period)
    return found if found and found.is_shut else None


def choices_for(item: ExceptionItem) -> list[Choice]:
    """The legal choices, the usual one first; none where the item's period takes postings, or it has no record."""
    book = book_of_item(item)
    if book is None or not (item.origin == ExceptionItem.Origin.PERIOD or item.cause == CAUSE):
        return []
    found = [_next_period(book), _reopen(book), _hold(book), _write_off(book)]
    return sorted(found, key=lambda choice: not choice.is_usual)


def _next_period(book: Book) -> Choice:
    target = next_open(book)
    if target is None:
        why = f"{book.legal_entity} has no later period that is open."
        return _choice(book, LatePolicy.NEXT_PERIOD, "Post it to the next open period.", why)
    text = f"Post it in {target.period}: it stands in the close of {target.period} until it is billed."
    return _choice(book, LatePolicy.NEXT_PERIOD, text, to_period=target.period)


def _reopen(book: Book) -> Choice:
    who = book.source if book.source not in ("set by hand", "by its dates") else "whoever keeps the periods"
    text = f"Ask {who} to open {book.period} again. The item waits until that is done."
    return _choice(book, LatePolicy.REOPEN, text)


def _hold(book: Book) -> Choice:
    return _choice(book, LatePolicy.HOLD, "Leave it in the queue, with the reason, until somebody decides otherwise.")


def _write_off(book: Book) -> Choice:
    return _choice(book, LatePolicy.WRITE_OFF, "It will never be posted. Above the limit a second person agrees first.")


def _choice(book: Book, slug: LatePolicy, text: str, why_not: str = "", to_period: str = "") -> Choice:
    return Choice(slug.value, slug.label, text, why_not, slug == book.late_policy, to_period)


@transaction.atomic
def choose(item: ExceptionItem, choice: str, reason: str, *, by: Any) -> LateDecision:
    """Record what was chosen for the item's record; an earlier decision ends. ConfigError for what may not be chosen.

    The queue's own state (written off, resolved) stays the caller's business; the next look at the books no longer gives
    the item where the choice settles it. A write-off above a limit is the caller's to hold for a second person first.
    """
    words = needed(reason, "Say why: the reason stands with the posting.", where="reason")
    found = next((one for one in choices_for(item) if one.slug == choice), None)
    if found is None:
        raise ConfigError(
            f"{choice!r} is no choice for this item.", where="choice", fix="Its period may be open again."
        )
    if found.why_not:
        raise ConfigError(found.why_not, where="choice")
    made = _record(item, found, words, by)
    _tell(item, made, words, by)
    return made


def _record(item: ExceptionItem, choice: Choice, reason: str, by: Any) -> LateDecision:
    record = CanonicalRecord.objects.select_for_update().select_related("entity").filter(pk=item.record_id or 0).first()
    if record is None:
        raise ConfigError("The record is not in the hub any more.", where="choice")
    now = business_now()
    LateDecision.objects.filter(record_id=record.pk, ended_at__isnull=True).update(ended_at=now)
    return LateDecision.objects.create(
        record_id=record.pk,
        version=record.version,
        item=item,
        entity=record.entity,
        key=record.key,
        legal_entity=item.legal_entity,
        period=item.period,
        choice=choice.slug,
        to_period=choice.to_period,
        amount=item.amount,
        currency=item.currency,
        reason=reason,
        by=by,
        at=now,
    )


def _tell(item: ExceptionItem, made: LateDecision, reason: str, by: Any) -> None:
    label = made.get_choice_display()
    text = f"{label}{f' ({made.to_period})' if made.to_period else ''}: {reason}"
    after = {"choice": made.choice, "to_period": made.to_period}
    ExceptionEvent.objects.create(item=item, at=made.at, by=by, act="period_choice", text=text, after=after)
    name = f"{made.entity.slug}/{made.key}"
    tell(Act("late_posting.decided", "CanonicalRecord", name, by=by, reason=reason, after=after, domain=item.domain))


def decisions_of(record_id: int) -> list[LateDecision]:
    """What was decided for a record, newest first."""
    return list(LateDecision.objects.select_related("by").filter(record_id=record_id))


def in_words(decision: LateDecision) -> str:
    to = f" {decision.to_period}" if decision.to_period else ""
    return (
        f"{decision.get_choice_display()}{to}, by {decision.by} on {date_text(decision.at.date())}: {decision.reason}"
    )
