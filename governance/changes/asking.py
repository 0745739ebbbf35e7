"""Asking one person of a group to take its seat, so that it does not wait for everybody and nobody."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from governance.changes import reviewing
from governance.changes.applying import refuse_outsider
from governance.changes.services import lock, refuse_unless, tell_of
from governance.models import ChangeRequest, ReviewGroup
from hub.accounts.models import User
from hub.common.errors import ConfigError


def people_of(change: ChangeRequest, group: ReviewGroup) -> QuerySet[User]:
    """Members of the group who did not write the change, by name: whom one may think of asking."""
    members = User.objects.filter(is_active=True, email__in=group.members).order_by("name")
    return members.exclude(pk=change.author_id or 0).exclude(pk__in=change.edits.filter(by__isnull=False).values("by"))


def _may_sit(change: ChangeRequest, group: ReviewGroup, person: User) -> bool:
    return any(chair.group == group and chair.on_behalf_of is None for chair in reviewing.chairs_for(change, person))


@transaction.atomic
def ask(change: ChangeRequest, *, group: str, email: str, by: Any) -> ChangeRequest:
    """The seat of the group waits for this person; an empty address gives it back to the whole group.

    The others of the group may still decide: whoever asked knows best whom it waits for, not who is right.
    """
    change = lock(change)
    refuse_unless(change, *ChangeRequest.UNDER_REVIEW)
    if not _is_of(change, group, by):
        refuse_outsider(change, by)
    seat = change.seats.select_related("group").filter(group__slug=group).first()
    if seat is None:
        raise ConfigError("The change does not wait for that group.", where=str(change), code="NO_SEAT")
    person = people_of(change, seat.group).filter(email=email).first()
    if email and (person is None or not _may_sit(change, seat.group, person)):
        raise ConfigError(
            f"{email} cannot take the seat of {seat.group}.",
            where=str(change),
            fix="Choose a member of the group who may decide, and who did not write the change.",
            code="MAY_NOT_DECIDE",
        )
    seat.asked = person
    seat.save(update_fields=["asked"])
    tell_of(change, "seat_asked" if person else "seat_open", by=by, reason=f"{seat.group}: {person or 'anybody'}")
    return change


def _is_of(change: ChangeRequest, group: str, person: Any) -> bool:
    return change.seats.filter(group__slug=group, group__members__contains=[person.email]).exists()
