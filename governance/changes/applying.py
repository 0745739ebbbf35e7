"""Putting an approved change into effect: at once, at its time, and taken back by a change of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.changes import sealing
from governance.changes.documents import content_hash, differences
from governance.changes.proposals import live, propose, seats_for, users_left
from governance.changes.services import (
    DECIDE,
    edit_change,
    is_writer,
    lock,
    move,
    open_change,
    proposals_of,
    rebased,
    refuse_unless,
    tell_of,
)
from governance.changes.wording import in_words
from governance.models import ChangeItem, ChangeRequest
from hub.common import facts, governed
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError, HubError
from hub.common.registry import Document, is_removal, kind, kinds, removal
from hub.common.times import business_now
from hub.common.usage import listed

State = ChangeRequest.State


def take_effect(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Apply an approved change, or schedule it; what stands in its way is kept with it, and the approval stands."""
    if change.effective_at and change.effective_at > business_now():
        move(change, State.SCHEDULED)
        return change
    try:
        with transaction.atomic():
            _apply(change, by=by)
    except HubError as error:
        change.state, change.problem = State.APPROVED, str(error)
        ChangeRequest.objects.filter(pk=change.pk).update(problem=change.problem)
    return change


def may_act(change: ChangeRequest, person: Any) -> bool:
    """Whether this person may plan, apply and take back: whoever wrote the change, and whoever decides in its domains."""
    domains = change.items.values_list("domain", flat=True).distinct()
    return is_writer(change, person) or all(person.has_hub_perm(DECIDE, domain) for domain in domains)


def refuse_outsider(change: ChangeRequest, by: Any) -> None:
    """Raises ConfigError for whoever may not act on the change, see may_act."""
    if not may_act(change, by):
        raise ConfigError(
            "Only whoever wrote the change, or decides on changes of its domains, may do this.",
            where=str(change),
            code="NOT_YOURS",
        )


@transaction.atomic
def apply_change(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Apply an approved or scheduled change now, all or none. Raises ConfigError with what stands in its way."""
    change = lock(change)
    refuse_unless(change, State.APPROVED, State.SCHEDULED)
    refuse_outsider(change, by)
    _apply(change, by=by)
    return change


@transaction.atomic
def schedule(change: ChangeRequest, *, by: Any, at: datetime | None) -> ChangeRequest:
    """Set when the change shall take effect; None for as soon as it is approved."""
    change = lock(change)
    refuse_unless(change, *ChangeRequest.WAITING)
    refuse_outsider(change, by)
    if at is not None and at <= business_now():
        raise ConfigError("That time is over.", where=str(change), fix="Give a time to come.", code="TIME")
    change.effective_at = at
    change.save(update_fields=["effective_at"])
    if change.state == State.APPROVED and at is not None:
        move(change, State.SCHEDULED)
    elif change.state == State.SCHEDULED and at is None:
        move(change, State.APPROVED)
    tell_of(change, "scheduled" if at else "unscheduled", by=by, reason=at.isoformat() if at else "")
    return change


def apply_due() -> int:
    """Apply what is due; returns how many. One that cannot be applied keeps its problem and goes back to approved."""
    due = ChangeRequest.objects.filter(state=State.SCHEDULED, effective_at__lte=business_now()).order_by("effective_at")
    return sum(_apply_one(pk) for pk in due.values_list("pk", flat=True))


@transaction.atomic
def _apply_one(pk: int) -> bool:
    change = ChangeRequest.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
    if change is None or change.state != State.SCHEDULED or not change.effective_at:
        return False
    if change.effective_at > business_now():
        return False
    move(change, State.APPROVED)
    take_effect(change, by=None)
    return change.state == State.APPLIED


@transaction.atomic
def roll_back(change: ChangeRequest, *, by: Any, reason: str = "") -> ChangeRequest:
    """Propose what stood there before as a change of its own, which goes the same way as any other."""
    change = lock(change)
    refuse_unless(change, State.APPLIED)
    refuse_outsider(change, by)
    if waiting := change.reverted_by.filter(state__in=ChangeRequest.WAITING).first():
        raise ConfigError("It is being taken back already.", where=str(waiting), code="CHANGE_STATE")
    documents = [_before(item) for item in change.items.all()]
    if not seats_for([propose(document) for document in documents]):
        return _bring_back(change, documents, by=by, reason=reason)
    return open_change(
        documents,
        by=by,
        reason=reason,
        title=f"Take back #{change.pk}: {change.title}",
        reverts=change,
    )


@transaction.atomic
def rebase(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Do the edit to what is live now. Approvals of what stays the same stand."""
    change = lock(change)
    documents = [rebased(item) for item in change.items.all() if stale(item)]
    return edit_change(change, documents, by=by, note="Brought up to what is live now.") if documents else change


def stale(item: ChangeItem) -> str:
    """What was changed since the item was written, in words; empty when nothing was."""
    now = live(item.kind, item.key)
    if content_hash(now) == item.base_hash:
        return _used_since(item)
    if now is None:
        return f"{item.kind} {item.key} does not exist any more."
    if item.base is None:
        return f"{item.kind} {item.key} was made meanwhile."
    changed = "; ".join(in_words(found) for found in differences(item.base, now)[:5])
    return f"{item.kind} {item.key} was changed meanwhile: {changed or 'the order of its parts'}."


def _used_since(item: ChangeItem) -> str:
    """Who uses what shall be removed, where nobody did when reviewers were asked."""
    if not item.is_removal or item.change.is_breaking:
        return ""
    users = [f"{name} {key}" for name, key in users_left(proposals_of(item.change))]
    return f"{item.kind} {item.key} is used meanwhile by {listed(users)}." if users else ""


def in_order(change: ChangeRequest) -> list[ChangeItem]:
    """The items as they are brought in: what others refer to first, and removals last, the other way round."""
    return sorted(change.items.all(), key=lambda item: _position(item.kind, item.is_removal))


def _position(name: str, is_gone: bool) -> tuple[bool, int]:
    place = list(kinds()).index(name)
    return (is_gone, -place if is_gone else place)


# ---------------------------------------------------------------------------------------------------------------------


def _apply(change: ChangeRequest, *, by: Any) -> None:
    items = in_order(change)
    if sentences := [sentence for item in items if (sentence := stale(item))]:
        raise ConfigError(
            " ".join(sentences),
            where=str(change),
            fix="Bring the change up to what is live now, then apply it.",
            code="STALE_BASE",
        )
    with governed.passing(), governed.together():
        for item in items:
            governed.bring_in(agreed(change, item), by=change.author)
            sealing.unseal(item)
            tell(Act("change.brought_in", item.kind, item.key, by=by, before=item.base, after=item.proposed))
    move(change, State.APPLIED, applied_at=timezone.now(), problem="")
    if change.reverts_id and (reverted := lock(ChangeRequest(pk=change.reverts_id))).state == State.APPLIED:
        move(reverted, State.ROLLED_BACK)
    tell_of(change, "applied", by=by)
    facts.publish("change_applied", change=change, objects=[(item.kind, item.key) for item in items])


def agreed(change: ChangeRequest, item: ChangeItem) -> Document:
    """The document to apply; where people of two groups agree to a break, a contract is told why it is accepted."""
    if item.is_removal:
        return removal(item.kind, item.key)
    proposed: Document = item.proposed
    if item.kind == "Contract" and change.is_breaking and not proposed.get("accepted_break"):
        return {**proposed, "accepted_break": f"Agreed to in change #{change.pk}."}
    return proposed


def take_back_now(change: ChangeRequest, *, by: Any, reason: str) -> ChangeRequest:
    """Put back what stood there before, asking nobody. Raises ConfigError where it was changed again since."""
    items = list(change.items.all())
    for item in items:
        if moved_on := _moved_on(change, item):
            raise ConfigError(
                f"{item.kind} {item.key} was changed again since: {moved_on}.",
                where=str(change),
                fix="Take it back by hand.",
                code="STALE_BASE",
            )
    return _bring_back(change, [_before(item) for item in items], by=by, reason=reason)


def _moved_on(change: ChangeRequest, item: ChangeItem) -> str:
    """How the object differs from what was agreed to, in words; empty when it does not."""
    now = live(item.kind, item.key)
    if item.is_removal:
        return "there is one of that name again" if now else ""
    found = differences(now or {}, agreed(change, item))
    return in_words(found[0]) if found else ""


def _bring_back(change: ChangeRequest, documents: Sequence[Document], *, by: Any, reason: str) -> ChangeRequest:
    """Nobody has to agree: the policies that held the change are gone, or it failed while it was watched."""
    for document in sorted(documents, key=lambda each: _position(each["kind"], is_removal(each))):
        before = live(document["kind"], document["slug"])
        if document["kind"] == "Contract":
            document.setdefault("accepted_break", f"Change #{change.pk} is taken back.")
        with governed.passing():
            governed.bring_in(document, by=by)
        after = None if is_removal(document) else document
        tell(Act("change.brought_in", document["kind"], document["slug"], by=by, before=before, after=after))
    move(change, State.ROLLED_BACK)
    tell_of(change, "taken_back", by=by, reason=reason)
    return change


def _before(item: ChangeItem) -> Document:
    """What stood there; what was new goes, where objects of its kind can go."""
    if item.base is None and kind(item.kind).is_removable:
        return removal(item.kind, item.key)
    if item.base is None:
        raise ConfigError(
            f"{item.kind} {item.key} was new, so there is nothing before it.",
            fix="Take it out of use on its own page.",
            code="NOTHING_BEFORE",
        )
    base: Document = item.base
    return base
