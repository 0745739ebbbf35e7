"""What stands behind the door of governed edits: where a policy speaks of it, an edit becomes a change request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.changes import sealing
from governance.changes.documents import merge
from governance.changes.proposals import Proposal, Seat, is_watched, live, propose, seats_for
from governance.changes.services import edit_change, move, open_change, rebased, waiting_items
from governance.models import ChangeRequest
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document


def install() -> None:
    governed.install(gate, watches=is_watched, joined=joined, seal=sealing.seal)


def gate(documents: Sequence[Document], by: Any, reason: str) -> Put | None:
    """Open a change request, or edit the one that already waits for these objects."""
    if not any(is_watched(document["kind"]) for document in documents):
        return None
    proposals = [each for each in map(propose, documents) if each.differences]
    seats = seats_for(proposals)
    if not seats:
        return None
    if by is None:
        raise ConfigError(
            "People have to agree to this change, and nobody stands behind it.",
            fix="Say who proposes it (--by EMAIL).",
            code="WHO",
        )
    _refuse_crossed(proposals)
    waiting = _waiting(proposals)
    if waiting is None:
        change, done = open_change(documents, by=by, reason=reason), "Sent to review"
    else:
        change, done = _join(waiting, documents, by=by, reason=reason), "Added to what is under review"
    return Put(is_applied=False, said=f"{done} as #{change.pk}: {_agree(seats)}", url=change.get_absolute_url())


def joined(document: Document) -> Document:
    """An edit of what is live, put onto the proposal that already waits for the same object."""
    item = waiting_items(document["kind"], document["slug"]).first()
    if item is None or item.is_removal:
        return document
    merged: Document = merge(live(item.kind, item.key) or {}, rebased(item), document)
    return merged


def _refuse_crossed(proposals: Sequence[Proposal]) -> None:
    """An edit does not join the removal of the same object, nor a removal an edit: one would undo the other unseen."""
    for proposal in proposals:
        item = waiting_items(proposal.kind, proposal.key).first()
        if item is not None and (proposal.is_removal or item.is_removal):
            what = "Its removal" if item.is_removal else "An edit of it"
            raise ConfigError(
                f"{what} waits already in #{item.change_id}.",
                where=str(item),
                fix="Let that be decided or withdrawn first.",
                code="UNDER_REVIEW",
            )


def _waiting(proposals: Sequence[Proposal]) -> ChangeRequest | None:
    found = {
        item.change_id: item.change for proposal in proposals for item in waiting_items(proposal.kind, proposal.key)
    }
    if len(found) > 1:
        named = ", ".join(f"#{pk}" for pk in sorted(found))
        raise ConfigError(
            f"These objects wait in several changes: {named}.",
            fix="Let one of them be decided or withdrawn first.",
            code="SEVERAL_CHANGES",
        )
    return next(iter(found.values()), None)


def _join(waiting: ChangeRequest, documents: Sequence[Document], *, by: Any, reason: str) -> ChangeRequest:
    change = edit_change(waiting, documents, by=by, note=reason)
    if change.state == ChangeRequest.State.CHANGES_REQUESTED:
        change.reviews.standing().filter(decision="request_changes").update(
            voided_at=change.edits.latest("pk").at, void_reason="The change was edited."
        )
        move(change, ChangeRequest.State.OPEN)
    return change


def _agree(seats: Sequence[Seat]) -> str:
    names = [seat.group.name if seat.needed == 1 else f"{seat.needed} of {seat.group.name}" for seat in seats]
    who = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"it takes effect when {who} agree{'s' if len(seats) == 1 and seats[0].needed == 1 else ''}."
