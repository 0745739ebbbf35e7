"""Times that do not count: asked for with a reason, agreed to by a second person, and counted apart from then on."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.db import transaction

from governance.models import ServiceLevel
from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.common.times import business_now
from monitoring.models import Exclusion, Expectation
from monitoring.service_levels import rollups

LONGEST = timedelta(days=31)


class ExclusionForm(forms.Form):
    """From when to when, on the clock of the person who asks, and why."""

    starts_at = forms.DateTimeField(label="From", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    ends_at = forms.DateTimeField(label="To", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2, "class": "words"}))


@transaction.atomic
def ask(level: ServiceLevel, *, starts_at: datetime, ends_at: datetime, reason: str, by: User) -> Exclusion:
    """Ask that a time does not count. Raises ConfigError with what is wrong with it."""
    why = needed(reason, "Say why this time should not count.", where="reason")
    if ends_at <= starts_at:
        raise ConfigError("The end is not after the start.", where="ends_at", fix="Give a later end.")
    if ends_at - starts_at > LONGEST:
        raise ConfigError(f"That is more than {LONGEST.days} days.", where="ends_at", fix="Exclude a shorter time.")
    made = Exclusion.objects.create(
        service_level=level,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=why,
        requested_by=by,
        requested_at=business_now(),
    )
    _tell("asked", made, by)
    return made


@transaction.atomic
def decide(exclusion: Exclusion, *, approve: bool, by: User) -> Exclusion:
    """Agree or refuse; never the person who asked. What it covers is counted again."""
    found = Exclusion.objects.select_for_update().select_related("service_level").get(pk=exclusion.pk)
    if found.state != Exclusion.State.REQUESTED:
        raise ConfigError("That was decided already.", fix="Look at what it is now.", code="DECIDED")
    if found.requested_by_id == by.pk:
        raise ConfigError(
            "Nobody agrees to what they asked for themselves.", fix="Let another person decide.", code="OWN_REQUEST"
        )
    found.state = Exclusion.State.APPROVED if approve else Exclusion.State.REJECTED
    found.decided_by, found.decided_at = by, business_now()
    found.save(update_fields=["state", "decided_by", "decided_at"])
    if approve:
        _count_again(found)
    _tell("approved" if approve else "rejected", found, by)
    return found


def _count_again(found: Exclusion) -> None:
    """The days on which something began whose time touches the excluded one."""
    level = found.service_level
    zone = level.promise.hours.zone
    rows = Expectation.objects.filter(
        service_level=level, opened_at__lt=found.ends_at, due_at__gt=found.starts_at
    ).order_by()
    first = rows.order_by("opened_at").values_list("opened_at", flat=True).first()
    start, end = (
        (min(first or found.starts_at, found.starts_at)).astimezone(zone).date(),
        found.ends_at.astimezone(zone).date(),
    )
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    known = set(level.days.filter(day__in=days).values_list("day", flat=True))
    with plain_cursor() as cursor:
        rollups.mark(cursor, level.pk, known)
    rollups.count(level)


def _tell(word: str, found: Exclusion, by: User) -> None:
    level = found.service_level
    tell(
        Act(
            f"exclusion.{word}",
            "ServiceLevel",
            level.slug,
            by=by,
            reason=found.reason,
            details={"starts_at": found.starts_at.isoformat(), "ends_at": found.ends_at.isoformat()},
            domain=level.domain,
        )
    )
