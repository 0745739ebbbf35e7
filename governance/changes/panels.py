"""Changes on the first page: each that waits for this person, emergencies first."""

from __future__ import annotations

from django.http import HttpRequest

from governance.changes import queries
from governance.models import ChangeRequest
from governance.views import me
from hub.common.home import Need


def changes_waiting(request: HttpRequest) -> list[Need]:
    return [_need(change) for change in queries.my_turn(me(request))]


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
