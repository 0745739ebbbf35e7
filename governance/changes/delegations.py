"""Handing one's seat to somebody else for some days."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from governance.models import Delegation
from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import tidy
from hub.common.times import business_today


@transaction.atomic
def delegate(*, by: User, to: User, from_date: date, to_date: date, reason: str = "") -> Delegation:
    """Let `to` decide in the place of `by`, both days included; what `by` wrote they still do not decide on."""
    if to.pk == by.pk:
        raise ConfigError("You cannot stand in for yourself.", where="to", fix="Choose somebody else.")
    if not to.is_active or not to.has_hub_perm("approvals.decide"):
        raise ConfigError(
            f"{to} may not decide on changes.", where="to", fix="Choose somebody who holds an approving role."
        )
    if from_date > to_date:
        raise ConfigError("It ends before it begins.", where="to_date")
    if to_date < business_today():
        raise ConfigError("It is over already.", where="to_date", fix="Give a last day that is still to come.")
    made = Delegation.objects.create(
        delegator=by, delegate=to, from_date=from_date, to_date=to_date, reason=tidy(reason)
    )
    tell(_act("given", made, by=by, reason=reason))
    return made


@transaction.atomic
def end(delegation: Delegation, *, by: User) -> None:
    """Take it back before its last day; either of the two may."""
    if by.pk not in (delegation.delegator_id, delegation.delegate_id):
        raise ConfigError("Only the two people themselves end a delegation.", code="NOT_YOURS")
    if delegation.ended_at is None:
        delegation.ended_at = timezone.now()
        delegation.save(update_fields=["ended_at"])
        tell(_act("ended", delegation, by=by))


def _act(verb: str, delegation: Delegation, *, by: User, reason: str = "") -> Act:
    days = {"from": str(delegation.from_date), "to": str(delegation.to_date)}
    return Act(f"delegation.{verb}", "Delegation", str(delegation.delegate), by=by, reason=reason, details=days)
