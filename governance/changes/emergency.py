"""The way past the reviewers: two people put their names under it, it is applied, and it is reviewed afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from governance.changes.applying import take_effect
from governance.changes.reviewing import confirm_identity, delegations_of
from governance.changes.services import (
    DECIDE,
    is_writer,
    lock,
    move,
    refuse_changed,
    refuse_stranger,
    refuse_unless,
    tell_of,
)
from governance.models import ChangeRequest, Review
from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.common.times import business_now

State = ChangeRequest.State
WORKING_DAYS = 2


@transaction.atomic
def declare(change: ChangeRequest, *, by: User, reason: str) -> ChangeRequest:
    """The first name: whoever wrote the change says why it cannot wait for its reviewers."""
    change = lock(change)
    refuse_unless(change, *ChangeRequest.UNDER_REVIEW)
    refuse_stranger(change, by)
    needed(reason, "Say what would happen if it waited.", where=str(change))
    change.is_emergency = True
    change.save(update_fields=["is_emergency"])
    tell_of(change, "declared_emergency", by=by, reason=reason)
    return change


@transaction.atomic
def confirm(change: ChangeRequest, *, by: User, seen: str, reason: str, password: str) -> ChangeRequest:
    """The second name: applies the change at once and asks for a review within two working days."""
    change = lock(change)
    refuse_unless(change, State.OPEN)
    if sentence := why_not_confirm(change, by):
        raise ConfigError(sentence, where=str(change), code="MAY_NOT_DECIDE")
    refuse_changed(change, seen)
    needed(reason, "Say why you agree that it cannot wait.", where=str(change))
    confirm_identity(by, password)
    change.reviews.create(
        reviewer=by,
        decision=Review.Decision.APPROVE,
        content_hash=change.content_hash,
        touched_hash=change.content_hash,
        comment=tidy(reason),
    )
    tell_of(change, "confirmed_emergency", by=by, reason=reason)
    move(change, State.APPROVED, review_due_at=_in_working_days(business_now(), WORKING_DAYS), effective_at=None)
    return take_effect(change, by=by)


@transaction.atomic
def review_afterwards(change: ChangeRequest, *, by: User, note: str) -> ChangeRequest:
    """A third person looks at what was applied in an emergency, and says what they found."""
    change = lock(change)
    if sentence := why_not_afterwards(change, by):
        raise ConfigError(sentence, where=str(change), code="MAY_NOT_DECIDE")
    needed(note, "Say what you found.", where=str(change))
    change.reviewed_after_by, change.reviewed_after_at = by, timezone.now()
    change.save(update_fields=["reviewed_after_by", "reviewed_after_at"])
    tell_of(change, "reviewed_afterwards", by=by, reason=note)
    return change


def why_not_confirm(change: ChangeRequest, person: User) -> str:
    """Why this person cannot put the second name under it; empty when they can."""
    if not change.is_emergency or change.state != State.OPEN:
        return "Nobody has asked for this as an emergency."
    return _conflict(change, person)


def why_not_afterwards(change: ChangeRequest, person: User) -> str:
    if change.review_due_at is None or change.applied_at is None or change.reviewed_after_at is not None:
        return "There is no emergency to review."
    if change.reviews.standing().filter(reviewer=person).exists():
        return "Your name stands under this emergency, so somebody else reviews it."
    return _conflict(change, person)


def _conflict(change: ChangeRequest, person: User) -> str:
    writers = [change.author_id, *change.edits.values_list("by_id", flat=True)]
    if is_writer(change, person):
        return "You wrote or edited this change, so others decide on it."
    if delegations_of(person).filter(delegator__in=writers).exists():
        return "You stand in for somebody who wrote or edited this change."
    if not all(person.has_hub_perm(DECIDE, domain) for domain in change.items.values_list("domain", flat=True)):
        return "Your roles do not include deciding on changes of this domain."
    return ""


def _in_working_days(start: datetime, days: int) -> datetime:
    found = start
    while days:
        found += timedelta(days=1)
        days -= found.weekday() < 5
    return found
