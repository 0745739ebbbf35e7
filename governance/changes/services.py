"""Writing a change: open it, edit it, hand it in again, take it back. What reviewers do is in reviewing.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance.changes.documents import content_hash, merge
from governance.changes.proposals import FIELDS, Proposal, Seat, live, of_item, propose, seats_for, users_left
from governance.models import ChangeEdit, ChangeItem, ChangeRequest, SealedSecrets
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import tidy
from hub.common.registry import Document, kind, removal

State = ChangeRequest.State
DECIDE = "approvals.decide"


@transaction.atomic
def open_change(
    documents: Sequence[Document],
    *,
    by: Any,
    reason: str = "",
    title: str = "",
    effective_at: datetime | None = None,
    reverts: ChangeRequest | None = None,
) -> ChangeRequest:
    """Propose documents. `by` is None when the hub itself does. Raises ConfigError when nothing would change."""
    proposals = [each for each in map(propose, documents) if each.differences]
    if not proposals:
        raise ConfigError("Nothing would change.", code="NO_CHANGE")
    change = ChangeRequest.objects.create(
        title=title[:200],
        reason=tidy(reason),
        author=by,
        effective_at=effective_at,
        reverts=reverts,
    )
    for proposal in proposals:
        _add(change, proposal)
    _written(change, by, tidy(reason))
    tell_of(change, "opened", by=by, reason=reason)
    return change


@transaction.atomic
def edit_change(
    change: ChangeRequest, documents: Sequence[Document], *, by: Any, note: str = "", seen: str = ""
) -> ChangeRequest:
    """Propose these documents instead of, or beside, what the change holds; approvals of what they touch are void.

    `seen` is the content hash that the person looked at; another one meanwhile raises ConfigError.
    """
    change = lock(change)
    refuse_changed(change, seen)
    if change.state in (State.APPROVED, State.SCHEDULED):
        move(change, State.OPEN)
    refuse_unless(change, *ChangeRequest.UNDER_REVIEW)
    for document in documents:
        _put(change, propose(document))
    _written(change, by, tidy(note))
    tell_of(change, "edited", by=by, reason=note)
    return change


@transaction.atomic
def submit(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Hand a change in again after changes were asked for."""
    change = lock(change)
    refuse_unless(change, State.CHANGES_REQUESTED)
    refuse_stranger(change, by)
    asked = change.reviews.standing().filter(decision="request_changes")
    asked.update(voided_at=timezone.now(), void_reason="Handed in again.")
    move(change, State.OPEN)
    tell_of(change, "handed_in", by=by)
    return change


@transaction.atomic
def withdraw(change: ChangeRequest, *, by: Any, reason: str = "") -> ChangeRequest:
    """Take a change back; only whoever wrote or edited it may."""
    change = lock(change)
    refuse_unless(change, *ChangeRequest.WAITING)
    refuse_stranger(change, by)
    move(change, State.WITHDRAWN)
    tell_of(change, "withdrawn", by=by, reason=reason)
    return change


def title_of(proposals: Sequence[Proposal]) -> str:
    """ "Contract time_entry: rate, hours"; the number of objects where there are several."""
    if len(proposals) > 1 and all(each.is_removal for each in proposals):
        # What goes along goes first.
        return f"Remove {proposals[-1].kind} {proposals[-1].key} and {len(proposals) - 1} more"
    first = proposals[0]
    if len(proposals) > 1:
        return f"{first.kind} {first.key} and {len(proposals) - 1} more"
    if first.is_removal:
        return f"Remove {first.kind} {first.key}"
    if first.base is None:
        return f"New {first.kind} {first.key}"
    paths = [found.path for found in first.differences if found.path != "schema.required"] or ["required"]
    names = list(dict.fromkeys(map(_headline, paths)))
    return f"{first.kind} {first.key}: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"


def _headline(path: str) -> str:
    """The field that a path is in: `rate` of `schema.properties.rate.type`, `hours` of `rules.hours.source`."""
    parts = path.removeprefix(FIELDS).split(".")
    return parts[1] if parts[0] in ("rules", "entries", "schema") and len(parts) > 1 else parts[0]


# What the other services share --------------------------------------------------------------------------------------


def lock(change: ChangeRequest) -> ChangeRequest:
    """The change as it is now; nobody else touches it until the transaction ends."""
    return ChangeRequest.objects.select_for_update(of=("self",)).get(pk=change.pk)


def move(change: ChangeRequest, state: str, **fields: Any) -> None:
    """The next state; the database refuses a step that the life cycle does not know. Sealed secrets end with it."""
    for name, value in {"state": state, **fields}.items():
        setattr(change, name, value)
    change.save(update_fields=["state", *fields])
    if state not in ChangeRequest.WAITING:
        SealedSecrets.objects.filter(item__change=change).delete()


def refuse_unless(change: ChangeRequest, *states: str) -> None:
    if change.state not in states:
        raise ConfigError(
            f"This cannot be done to a change that is {change.get_state_display().lower()}.",
            where=str(change),
            code="CHANGE_STATE",
        )


def refuse_changed(change: ChangeRequest, seen: str) -> None:
    if seen and seen != change.content_hash:
        raise ConfigError(
            "The change was edited while you were looking at it.",
            where=str(change),
            fix="Look at it as it is now, then decide.",
            code="CHANGED_MEANWHILE",
        )


def refuse_stranger(change: ChangeRequest, by: Any) -> None:
    if by is not None and not is_writer(change, by):
        raise ConfigError("Only whoever wrote or edited the change may do this.", where=str(change), code="NOT_YOURS")


def is_writer(change: ChangeRequest, person: Any) -> bool:
    return person.pk == change.author_id or change.edits.filter(by=person).exists()


def waiting_items(name: str, key: str) -> QuerySet[ChangeItem]:
    """Items of this object in changes that are not decided and applied yet, newest first."""
    found = ChangeItem.objects.filter(kind=name, key=key, change__state__in=ChangeRequest.WAITING)
    return found.select_related("change__author").order_by("-pk")


def tell_of(change: ChangeRequest, verb: str, *, by: Any, reason: str = "", on_behalf_of: Any = None) -> None:
    tell(
        Act(
            f"change.{verb}",
            "ChangeRequest",
            str(change.pk),
            by=by,
            on_behalf_of=on_behalf_of,
            reason=reason,
            details={"title": change.title, "content": change.content_hash},
        )
    )


def proposals_of(change: ChangeRequest) -> list[Proposal]:
    return [of_item(item) for item in change.items.select_related("domain")]


# ---------------------------------------------------------------------------------------------------------------------


def _add(change: ChangeRequest, proposal: Proposal) -> None:
    change.items.create(
        kind=proposal.kind,
        key=proposal.key,
        domain=proposal.domain,
        base=proposal.base,
        base_hash=content_hash(proposal.base),
        proposed=proposal.proposed,
    )


def _put(change: ChangeRequest, proposal: Proposal) -> None:
    """Replace the item of this object, or add one; an item that would change nothing any more goes."""
    item = change.items.filter(kind=proposal.kind, key=proposal.key).first()
    if not proposal.differences:
        if item is not None:
            item.delete()
    elif item is None:
        _add(change, proposal)
    else:
        item.base, item.base_hash = proposal.base, content_hash(proposal.base)
        item.proposed, item.domain = proposal.proposed, proposal.domain
        item.save(update_fields=["base", "base_hash", "proposed", "domain"])


def _written(change: ChangeRequest, by: Any, note: str) -> None:
    """Sign the content as it is now, and work out what it breaks and who has to agree."""
    change.refresh_from_db()
    proposals = proposals_of(change)
    if not proposals:
        raise ConfigError(
            "Nothing would change any more.", where=str(change), fix="Withdraw the change.", code="NO_CHANGE"
        )
    _refuse_unsound(proposals)
    ChangeEdit.objects.create(change=change, by=by, content_hash=change.content_hash, note=note)
    change.is_breaking = any(proposal.is_breaking for proposal in proposals) or bool(users_left(proposals))
    change.problem = ""
    if change.reverts_id is None:
        change.title = title_of(proposals)[:200]
    change.save(update_fields=["is_breaking", "problem", "title"])
    _seat(change, seats_for(proposals))
    # Nobody waits for somebody who wrote it.
    change.seats.filter(asked__in=change.edits.values("by")).update(asked=None)


def _refuse_unsound(proposals: Sequence[Proposal]) -> None:
    for proposal in proposals:
        if proposal.is_removal and not kind(proposal.kind).is_removable:
            raise ConfigError(
                f"{proposal.kind} {proposal.key} cannot be removed.",
                fix="Take it out of use on its own page.",
                code="KEPT",
            )
        for problem in kind(proposal.kind).validate(proposal.proposed) if proposal.proposed else ():
            raise ConfigError(problem.sentence, where=f"{proposal.kind} {proposal.key}: {problem.path}".rstrip(": "))


def _seat(change: ChangeRequest, seats: Sequence[Seat]) -> None:
    """Write the seats down; approvals whose paths say something else now are void."""
    change.seats.exclude(group__in=[seat.group for seat in seats]).delete()
    for seat in seats:
        change.seats.update_or_create(
            group=seat.group,
            defaults={
                "needed": seat.needed,
                "paths": seat.paths,
                "touched_hash": seat.touched_hash,
                "content_hash": change.content_hash,
            },
        )
    kept = {seat.group.pk: seat.touched_hash for seat in seats}
    for review in change.reviews.approvals():
        touched = kept.get(review.group_id or 0, change.content_hash)
        if review.touched_hash != touched:
            review.voided_at, review.void_reason = timezone.now(), "What was approved has been edited."
            review.save(update_fields=["voided_at", "void_reason"])


def rebased(item: ChangeItem) -> Document:
    """The item's edit done to what is live now."""
    if item.is_removal:
        return removal(item.kind, item.key)
    merged: Document = merge(item.base or {}, live(item.kind, item.key) or {}, item.proposed)
    return merged
