"""Reads of changes, limited to the domains in which a person may see approvals, and to what they wrote themselves."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.shortcuts import get_object_or_404

from governance.changes import emergency, reviewing
from governance.changes.services import DECIDE, is_writer, waiting_items
from governance.models import ChangeEdit, ChangeItem, ChangeRequest, Delegation, ReviewGroup, ReviewSeat
from hub.accounts.models import User
from hub.common.nav import Badge

State = ChangeRequest.State
VIEW = "approvals.view"
# More than this do not wait at once; a hub with more has another trouble.
MOST = 100


def changes_for(user: User, permission: str = VIEW) -> QuerySet[ChangeRequest]:
    """Changes with an item in one of the person's domains, and their own ones."""
    rows = ChangeRequest.objects.select_related("author")
    ids = user.domain_ids_for(permission)
    if ids is None:
        return rows
    items = ChangeItem.objects.filter(change=OuterRef("pk"), domain__in=ids)
    return rows.filter(
        Q(author=user) | Exists(ChangeEdit.objects.filter(change=OuterRef("pk"), by=user)) | Exists(items)
    )


def find_change(user: User, pk: int) -> ChangeRequest:
    return get_object_or_404(changes_for(user), pk=pk)


def with_counts(rows: QuerySet[ChangeRequest]) -> QuerySet[ChangeRequest]:
    return rows.annotate(item_count=Count("items", distinct=True)).prefetch_related("items", "seats__group", "reviews")


def my_turn(user: User) -> list[ChangeRequest]:
    """What waits for this person: to decide, to answer, to apply again, or to look at afterwards."""
    waiting = Q(state__in=ChangeRequest.WAITING) | Q(review_due_at__isnull=False, reviewed_after_at__isnull=True)
    found = changes_for(user).filter(waiting & _may_concern(user)).order_by("pk")[:MOST]
    return [change for change in found if is_turn_of(change, user)]


def _may_concern(user: User) -> Q:
    """A wide net, in one query: what is left is looked at one by one, and the badge of every page asks for it."""
    emails = [user.email, *(each.delegator.email for each in reviewing.delegations_of(user))]
    groups = [group.pk for group in ReviewGroup.objects.all() if not set(emails).isdisjoint(group.members)]
    own = Exists(ChangeEdit.objects.filter(change=OuterRef("pk"), by=user))
    seats = Exists(ReviewSeat.objects.filter(change=OuterRef("pk"), group__in=groups))
    free = ~Exists(ReviewSeat.objects.filter(change=OuterRef("pk")))
    return Q(own) | Q(free) | Q(is_emergency=True) | Q(seats) | (Q(is_breaking=True) if groups else Q(pk__in=[]))


def is_turn_of(change: ChangeRequest, user: User) -> bool:
    if change.state == State.OPEN:
        can_confirm = change.is_emergency and not emergency.why_not_confirm(change, user)
        return can_confirm or any(_is_for(change, chair, user) for chair in reviewing.chairs_for(change, user))
    if change.state == State.CHANGES_REQUESTED or (change.state == State.APPROVED and change.problem):
        return is_writer(change, user)
    return change.applied_at is not None and not emergency.why_not_afterwards(change, user)


def _is_for(change: ChangeRequest, chair: reviewing.Chair, user: User) -> bool:
    """Whether the seat waits for this person, or for whom they stand in; anybody of the group where nobody was asked."""
    asked = change.seats.filter(group=chair.group).values_list("asked", flat=True).first() if chair.group else None
    return asked in (None, (chair.on_behalf_of or user).pk)


def waiting_item(kind: str, key: str) -> ChangeItem | None:
    """What waits for an object: shown as a banner on the object's own page."""
    return waiting_items(kind, key).first()


def turn_badge(user: User) -> Badge | None:
    """The number beside the navigation entry."""
    number = len(my_turn(user))
    return Badge(number) if number else None


def delegations_of(user: User) -> QuerySet[Delegation]:
    """Given and held, the newest first."""
    rows = Delegation.objects.filter(Q(delegator=user) | Q(delegate=user))
    return rows.select_related("delegator", "delegate")


def people_who_decide(besides: User) -> list[User]:
    everybody = User.objects.filter(is_active=True, is_service=False).exclude(pk=besides.pk)
    return [person for person in everybody if person.has_hub_perm(DECIDE)]


def record_of(change: ChangeRequest) -> dict[str, Any]:
    """Everything that led to the decision, as plain data for a file."""
    return {
        "number": change.pk,
        "title": change.title,
        "reason": change.reason,
        "state": change.state,
        "author": getattr(change.author, "email", None),
        "content_hash": change.content_hash,
        "is_breaking": change.is_breaking,
        "is_emergency": change.is_emergency,
        "created_at": change.created_at,
        "effective_at": change.effective_at,
        "applied_at": change.applied_at,
        "items": list(change.items.values("kind", "key", "base", "base_hash", "proposed", "proposed_hash")),
        "edits": list(change.edits.values("by__email", "at", "content_hash", "note")),
        "seats": list(change.seats.values("group__slug", "needed", "paths")),
        "reviews": list(
            change.reviews.values(
                "reviewer__email", "on_behalf_of__email", "group__slug", "decision", "content_hash", "comment", "at",
                "voided_at", "void_reason",
            )
        ),
        "comments": list(change.comments.values("by__email", "at", "kind", "key", "path", "text", "resolved_at")),
    }  # fmt: skip
