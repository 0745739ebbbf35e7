"""Decisions on a change: approve, ask for changes, reject. A decision binds the content that the person saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance.changes.applying import rebase, take_effect
from governance.changes.services import DECIDE, is_writer, lock, move, refuse_changed, refuse_unless, tell_of
from governance.models import ChangeRequest, Delegation, Review, ReviewGroup, ReviewSeat
from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.common.times import business_today

State = ChangeRequest.State
Decision = Review.Decision
# Whoever has no password (single sign-on) proves that it is them by having signed in just now.
FRESH = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Chair:
    """A place from which somebody may decide: for which group (None where no policy names one), and in whose place."""

    group: ReviewGroup | None
    on_behalf_of: User | None = None

    @property
    def key(self) -> str:
        return f"{self.group.slug if self.group else ''}:{self.on_behalf_of.pk if self.on_behalf_of else ''}"

    def __str__(self) -> str:
        name = self.group.name if self.group else "anybody who decides"
        return f"{name}, for {self.on_behalf_of}" if self.on_behalf_of else name


@transaction.atomic
def approve(
    change: ChangeRequest, *, by: User, seen: str, comment: str = "", chair: str = "", password: str = ""
) -> ChangeRequest:
    """Agree for one group to the content `seen`; the last approval that was missing puts the change into effect.

    A breaking change wants a comment, and the person's password again.
    """
    change = lock(change)
    refuse_unless(change, State.OPEN)
    _refuse_unseen(change, seen)
    taken = _chair(change, by, chair)
    if change.is_breaking:
        needed(comment, "Say why a change that breaks something is right.", where=str(change))
        confirm_identity(by, password)
    _decide(change, Decision.APPROVE, by=by, seen=seen, comment=comment, chair=taken)
    return advance(change, by=by)


@transaction.atomic
def request_changes(change: ChangeRequest, *, by: User, seen: str, comment: str, chair: str = "") -> ChangeRequest:
    """Hand the change back to whoever wrote it, with what has to be different."""
    change = lock(change)
    refuse_unless(change, State.OPEN)
    needed(comment, "Say what has to be different.", where=str(change))
    _decide(change, Decision.REQUEST_CHANGES, by=by, seen=seen, comment=comment, chair=_chair(change, by, chair))
    move(change, State.CHANGES_REQUESTED)
    return change


@transaction.atomic
def reject(change: ChangeRequest, *, by: User, seen: str, comment: str, chair: str = "") -> ChangeRequest:
    """End the change; nothing of it is applied."""
    change = lock(change)
    refuse_unless(change, *ChangeRequest.UNDER_REVIEW)
    needed(comment, "Say why it is rejected.", where=str(change))
    _decide(change, Decision.REJECT, by=by, seen=seen, comment=comment, chair=_chair(change, by, chair))
    move(change, State.REJECTED)
    return change


def advance(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Approve a change whose seats are filled, and apply or schedule it."""
    if change.state != State.OPEN or not is_approved(change):
        return change
    move(change, State.APPROVED)
    tell_of(change, "agreed", by=by)
    return take_effect(change, by=by)


@transaction.atomic
def bring_up(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Do the edit to what is live now; where every approval stands after that, it takes effect."""
    return advance(rebase(change, by=by), by=by)


# Who may ------------------------------------------------------------------------------------------------------------


def chairs_for(change: ChangeRequest, person: User) -> list[Chair]:
    """The places that this person may still take; empty for whoever wrote the change, and for a delegate of theirs."""
    return [] if why_not(change, person) else list(_open_chairs(change, person))


def why_not(change: ChangeRequest, person: User) -> str:
    """Why this person cannot decide at all, as a sentence; empty when they can."""
    if is_writer(change, person):
        return "You wrote or edited this change, so others decide on it."
    writers = [change.author_id, *change.edits.values_list("by_id", flat=True)]
    if conflict := delegations_of(person).filter(delegator__in=writers).first():
        return f"You stand in for {conflict.delegator}, who wrote or edited this change."
    if change.reviews.approvals().filter(reviewer=person).exists():
        return "You have approved this change already: one person takes one seat."
    if not all(person.has_hub_perm(DECIDE, domain) for domain in _domains(change)):
        return "Your roles do not include deciding on changes of this domain."
    if next(_open_chairs(change, person), None) is None:
        return "It waits for groups that you do not belong to."
    return ""


def delegations_of(person: User) -> Any:
    """Delegations that this person holds today."""
    return Delegation.objects.in_force(business_today()).filter(delegate=person).select_related("delegator")


def _domains(change: ChangeRequest) -> list[int | None]:
    return list(change.items.order_by("domain").values_list("domain", flat=True).distinct())


def _open_chairs(change: ChangeRequest, person: User) -> Iterator[Chair]:
    groups = _groups_missing(change)
    principals: list[User | None] = [None, *(each.delegator for each in delegations_of(person))]
    for principal in principals:
        if principal is not None and (is_writer(change, principal) or _has_spoken(change, principal)):
            continue
        email = (principal or person).email
        yield from (Chair(group, principal) for group in groups if group is None or email in group.members)


def _groups_missing(change: ChangeRequest) -> list[ReviewGroup | None]:
    """Groups that may still speak; [None] where no policy names any, so that anybody who decides may."""
    seats = standing(change)
    if not seats:
        return [] if change.is_emergency else [None]
    return [seat.group for seat, missing in seats if missing > 0] or [*_second_groups(change)]


def _has_spoken(change: ChangeRequest, person: User) -> bool:
    return change.reviews.approvals().filter(Q(reviewer=person) | Q(on_behalf_of=person)).exists()


def _second_groups(change: ChangeRequest) -> list[ReviewGroup]:
    """All seats are filled: a breaking change may still lack somebody of another group."""
    if not change.is_breaking or _is_by_two_groups(change):
        return []
    used = change.reviews.approvals().values("group")
    return list(ReviewGroup.objects.exclude(pk__in=used))


# Whether it is enough -----------------------------------------------------------------------------------------------


def standing(change: ChangeRequest) -> list[tuple[ReviewSeat, int]]:
    """Every seat with the number of people that it still lacks."""
    approvals = list(change.reviews.approvals())
    found = []
    for seat in change.seats.select_related("group"):
        people = {
            each.on_behalf_of_id or each.reviewer_id
            for each in approvals
            if each.group_id == seat.group_id and each.touched_hash == seat.touched_hash
        }
        found.append((seat, max(0, seat.needed - len(people))))
    return found


def is_approved(change: ChangeRequest) -> bool:
    """The same rule as the database's own (`change_is_approved`), which has the last word."""
    if change.is_emergency and _has_second_name(change):
        return True
    seats = standing(change)
    if not seats:
        return _free_approvals(change) >= (2 if change.is_breaking else 1)
    enough = bool(seats) and not any(missing for _, missing in seats)
    return enough and (not change.is_breaking or _is_by_two_groups(change))


def _free_approvals(change: ChangeRequest) -> int:
    """People who agreed where no policy names a group."""
    found = change.reviews.approvals().filter(group__isnull=True, content_hash=change.content_hash)
    return len({each.on_behalf_of_id or each.reviewer_id for each in found})


def _has_second_name(change: ChangeRequest) -> bool:
    return change.reviews.approvals().filter(group__isnull=True, content_hash=change.content_hash).exists()


def _is_by_two_groups(change: ChangeRequest) -> bool:
    found = {(each.group_id, each.on_behalf_of_id or each.reviewer_id) for each in change.reviews.approvals()}
    return any(a[0] != b[0] and a[1] != b[1] for a in found for b in found)


# ---------------------------------------------------------------------------------------------------------------------


def _chair(change: ChangeRequest, by: User, wanted: str) -> Chair:
    if sentence := why_not(change, by):
        raise ConfigError(sentence, where=str(change), code="MAY_NOT_DECIDE")
    chairs = list(_open_chairs(change, by))
    found = next((chair for chair in chairs if chair.key == wanted), None) if wanted else chairs[0]
    if found is None:
        raise ConfigError("That seat is not yours to fill.", where=str(change), code="MAY_NOT_DECIDE")
    return found


def _decide(change: ChangeRequest, decision: str, *, by: User, seen: str, comment: str, chair: Chair) -> None:
    _refuse_unseen(change, seen)
    seat = change.seats.filter(group=chair.group).first()
    change.reviews.create(
        reviewer=by,
        on_behalf_of=chair.on_behalf_of,
        group=chair.group,
        decision=decision,
        content_hash=change.content_hash,
        touched_hash=seat.touched_hash if seat else change.content_hash,
        comment=tidy(comment),
    )
    verb = {"approve": "approved", "reject": "rejected", "request_changes": "sent_back"}[decision]
    tell_of(change, verb, by=by, reason=comment, on_behalf_of=chair.on_behalf_of)


def _refuse_unseen(change: ChangeRequest, seen: str) -> None:
    if not seen:
        raise ConfigError("A decision names the content that it is about.", where=str(change), code="NEEDED")
    refuse_changed(change, seen)


def confirm_identity(by: User, password: str) -> None:
    """Raises ConfigError unless the password is right, or, for people without one, they have just signed in."""
    if by.has_usable_password():
        if not by.check_password(password):
            raise ConfigError("The password is not right.", fix="Type the password you sign in with.", code="PASSWORD")
    elif by.last_login is None or timezone.now() - by.last_login > FRESH:
        raise ConfigError("Sign in once more, then approve.", code="PASSWORD")
