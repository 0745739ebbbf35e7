"""Writes of alerts: rules and routes as documents, mutes, acknowledgements, and test notices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from governance.saving import save
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.reasons import needed
from hub.common.registry import Document, kind
from hub.common.times import format_instant
from monitoring.alerts import bell, shipped
from monitoring.models import Alert, AlertMute, AlertNotice, AlertRoute, AlertRule

RULE, ROUTE = "AlertRule", "AlertRoute"
LONGEST_MUTE = timedelta(days=90)


def save_rule(document: Document, *, by: Any, reason: str = "") -> Put:
    return save({"kind": RULE, **document}, act="alert_rule.saved", by=by, reason=reason)


def save_route(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a route. `secrets` as `{"chat": …}` are kept where they are not given."""
    return save({"kind": ROUTE, **document}, act="alert_route.saved", by=by, reason=reason)


@transaction.atomic
def delete_rule(rule: AlertRule, *, by: Any) -> None:
    """With its states and history. Rules that ship with the hub stay: ConfigError says what to do instead."""
    if rule.slug in shipped.slugs():
        raise ConfigError(
            f"{rule} ships with the hub and stays, so that nobody forgets what it watches.",
            where=rule.slug,
            fix="Give it other thresholds, or mute it for a time.",
        )
    tell(Act("alert_rule.deleted", RULE, rule.slug, by=by, before=kind(RULE).dump(rule.slug), domain=rule.domain))
    rule.delete()


@transaction.atomic
def delete_route(route: AlertRoute, *, by: Any) -> None:
    """With the notices that it has sent and those that wait."""
    tell(Act("alert_route.deleted", ROUTE, route.slug, by=by, before=kind(ROUTE).dump(route.slug), domain=route.domain))
    route.delete()


@transaction.atomic
def mute(*, rule: AlertRule, subject: str = "", until: datetime, reason: str, by: Any) -> AlertMute:
    """Tell nobody of a rule, or of one subject of it, until then. ConfigError without a reason, or without a near end."""
    reason = needed(reason, "Say why nobody shall be told.")
    now = timezone.now()
    if not now < until <= now + LONGEST_MUTE:
        raise ConfigError(
            f"A mute ends within {LONGEST_MUTE.days} days, and not in the past.", where="until", fix="Choose its end."
        )
    found = AlertMute.objects.create(rule=rule, subject=subject, until_at=until, reason=reason, by=by)
    tell(_act("alert.muted", rule, subject, by=by, reason=reason, details={"until": format_instant(until)}))
    return found


@transaction.atomic
def unmute(found: AlertMute, *, by: Any) -> bool:
    """End a mute before its time; what still holds is told at the next evaluation. False when it had ended."""
    ended = AlertMute.objects.filter(pk=found.pk, ended_at__isnull=True, until_at__gt=Now()).update(ended_at=Now())
    if ended and found.rule:
        tell(_act("alert.unmuted", found.rule, found.subject, by=by))
    return bool(ended)


@transaction.atomic
def acknowledge(alert: Alert, *, by: Any) -> bool:
    """Somebody looks after it; holds until it gets worse or recovers. False when it is acknowledged or over."""
    mine = Alert.objects.filter(~Q(state="ok"), pk=alert.pk, acknowledged_at__isnull=True)
    done = mine.update(acknowledged_at=Now(), acknowledged_by=by)
    if done:
        tell(_act("alert.acknowledged", alert.rule, alert.subject, by=by))
    return bool(done)


@transaction.atomic
def test_fire(route: AlertRoute, *, by: Any) -> list[AlertNotice]:
    """A test notice to every channel of a route, at once whatever its hours. ConfigError where it has none."""
    if not route.channels:
        raise ConfigError(f"{route} has no channel to test.", where=route.slug, fix="Give it an address first.")
    rows = [AlertNotice(route=route, channel=channel, requested_by=by) for channel in route.channels]
    made = AlertNotice.objects.bulk_create(rows)
    tell(Act("alert_route.tested", ROUTE, route.slug, by=by, domain=route.domain))
    bell.ring()
    return made


@transaction.atomic
def send_again(notice: AlertNotice, *, by: Any) -> bool:
    """Send what was given up, or what nobody knows the outcome of, once more. False when it is on its way."""
    settled = [AlertNotice.State.DEAD, AlertNotice.State.UNSURE]
    again = AlertNotice.objects.filter(pk=notice.pk, state__in=settled).update(
        state=AlertNotice.State.PENDING, attempts=0, due_at=Now(), handed_at=None, lease_until=None, done_at=None
    )
    if again:
        tell(Act("alert_notice.sent_again", ROUTE, notice.route.slug, by=by, domain=notice.route.domain))
        bell.ring()
    return bool(again)


def _act(act: str, rule: AlertRule, subject: str, **more: Any) -> Act:
    details = {**more.pop("details", {}), **({"subject": subject} if subject else {})}
    return Act(act, RULE, rule.slug, details=details, domain=rule.domain, **more)
