"""Changes on the first page: each that waits for this person, emergencies first."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest

from governance.changes import queries
from governance.models import ChangeCanary, ChangeRequest
from governance.views import me
from hub.accounts.models import User
from hub.common.home import Need
from hub.common.times import business_now


def changes_waiting(request: HttpRequest) -> list[Need]:
    user = me(request)
    return [*_taken_back(user), *(_need(change) for change in queries.my_turn(user))]


def _taken_back(user: User) -> list[Need]:
    """Changes of this person that failed in their first hour, for a week."""
    since = business_now() - timedelta(days=7)
    rows = ChangeCanary.objects.filter(state=ChangeCanary.State.TRIPPED, change__author=user, began_at__gte=since)
    return [
        Need(
            title=f"{row.change.title} was taken back by itself",
            url=row.change.get_absolute_url(),
            action="Look",
            detail=row.said,
            state="fail",
        )
        for row in rows.select_related("change").order_by("-began_at")
    ]


def _need(change: ChangeRequest) -> Need:
    return Need(
        title=change.title,
        url=change.get_absolute_url(),
        action="Review" if change.state == ChangeRequest.State.OPEN else "Look",
        detail=_detail(change),
        due_at=change.review_due_at or change.effective_at,
        state="warn" if change.is_emergency else change.state,
    )


def _detail(change: ChangeRequest) -> str:
    if change.is_emergency:
        return "An emergency: it was, or shall be, applied past its reviewers."
    if change.state == ChangeRequest.State.CHANGES_REQUESTED:
        return "Your reviewers ask for something else."
    if change.problem:
        return "It is approved and could not be applied."
    return f"Proposed by {change.author or 'the hub itself'}{', and breaks something' if change.is_breaking else ''}."
