"""What is written down: acts that services tell of, facts that name a person, and signing in and out.

A fact becomes an entry only when a person stands behind it (`by`): what the hub does by itself is in its ledger.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models import Model

from governance.audit.writing import write
from hub.common import facts
from hub.common.acts import ACTED, Act

# Facts of packages above, by name: (the act, which detail is its object).
FACTS: dict[str, tuple[str, str]] = {
    "payload_revealed": ("payload.revealed", "record transaction held"),
    "subscription_saved": ("subscription.saved", "subscription"),
    "subscription_secret_rotated": ("subscription.secret_rotated", "subscription"),
    "subscription_secret_dropped": ("subscription.secret_dropped", "subscription"),
    "subscription_switched_on": ("subscription.switched_on", "subscription"),
    "events_sent_again": ("events.sent_again", "subscription"),
    "records_merged": ("records.merged", "merge"),
    "merge_undone": ("merge.undone", "merge"),
    "run_confirmed": ("run.confirmed", "run"),
    "run_cancelled": ("run.cancelled", "run"),
    "sync_paused": ("sync.paused", "sync"),
    "everything_paused": ("hub.paused", ""),
    "cursor_reset": ("cursor.reset", "sync"),
    "held_retried": ("held.retried", ""),
    "held_discarded": ("held.discarded", "external_id"),
    "deliveries_retried": ("deliveries.retried", ""),
    "delivery_discarded": ("delivery.discarded", "delivery"),
    "delivery_confirmed": ("delivery.confirmed", "delivery"),
    "deliveries_purged": ("deliveries.purged", ""),
    "replay_started": ("replay.started", "replay"),
    "replay_approved": ("replay.approved", "replay"),
    "replay_cancelled": ("replay.cancelled", "replay"),
    "adoption_started": ("adoption.started", "adoption"),
    "adoption_decided": ("adoption.decided", "row"),
    "adoption_approved": ("adoption.approved", "adoption"),
    "adoption_abandoned": ("adoption.abandoned", "adoption"),
    "adoption_resumed": ("adoption.resumed", "adoption"),
    "match_definition_saved": ("match_definition.saved", "definition"),
    "backfill_started": ("backfill.started", "backfill"),
    "backfill_stopped": ("backfill.stopped", "backfill"),
    "backfill_resumed": ("backfill.resumed", "backfill"),
    "sync_saved": ("sync.saved", "sync"),
    "schedule_saved": ("schedule.saved", "schedule"),
    "webhook_saved": ("webhook.saved", "endpoint"),
    "webhook_secret_rotated": ("webhook.secret_rotated", "endpoint"),
    "webhook_secret_dropped": ("webhook.secret_dropped", "endpoint"),
    "webhook_retried": ("webhook.retried", "message"),
    "connection_paused": ("connection.paused", "connection"),
}
# Where "paused" may mean the opposite.
_RESUMED = {
    "sync.paused": "sync.resumed",
    "hub.paused": "hub.resumed",
    "connection.paused": "connection.resumed",
}


def subscribe() -> None:
    facts.subscribe(ACTED, _acted)
    for name, (act, objects) in FACTS.items():
        facts.subscribe(name, partial(_happened, act, objects))
    facts.subscribe("mapping_activated", _mapping_activated)
    user_logged_in.connect(_signed_in, dispatch_uid="audit")
    user_logged_out.connect(_signed_out, dispatch_uid="audit")


def _acted(act: Act) -> None:
    write(act)


def _happened(act: str, objects: str, /, *, by: Any = None, reason: str = "", **details: Any) -> None:
    if by is None:
        return
    if details.get("is_paused") is False:
        act = _RESUMED.get(act, act)
    found = next((details[name] for name in objects.split() if details.get(name) is not None), None)
    kind, name = _named(found)
    write(Act(act, kind, name, by=by, reason=reason, details=_plain(details)))


def _named(found: Any) -> tuple[str, str]:
    """Kind and name of an object, as configuration as code would say them where it can."""
    if not isinstance(found, Model):
        return ("", "" if found is None else str(found))
    key = found.pk if not isinstance(found.pk, tuple) else "/".join(map(str, found.pk))
    return type(found).__name__, str(getattr(found, "slug", "") or key)


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    """What may stand beside an act: numbers, names and lists of ids, and which object of another table it was about."""
    kept: dict[str, Any] = {}
    for name, value in details.items():
        if isinstance(value, Model):
            kept[name] = _named(value)[1]
        elif isinstance(value, bool | int | str) or (isinstance(value, list) and len(value) <= 200):
            kept[name] = value
    return kept


def _mapping_activated(*, version: Any) -> None:
    if version.created_by is not None:
        write(
            Act(
                "mapping.activated",
                "Mapping",
                version.mapping.slug,
                by=version.created_by,
                reason=version.note,
                after=version.rules,
                details={"version": version.number},
            )
        )


def _signed_in(sender: Any, user: Any, **_: Any) -> None:
    write(Act("person.signed_in", "User", str(user), by=user))


def _signed_out(sender: Any, user: Any, **_: Any) -> None:
    if user is not None:
        write(Act("person.signed_out", "User", str(user), by=user))
