"""Reads of subscriptions: what a person may see, the rows of the list, and an event as it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.wire import parse_url
from hub.events.envelope import envelope
from hub.events.models import Notification, Subscription
from hub.sync.payloads import sensitive_paths

# No count goes beyond this.
MOST = 10_000
COUNTS = """
  select s.id,
    (select count(*) from (select from events_notification where subscription_id = s.id and state = 'pending'
      limit %(most)s) n),
    (select count(*) from (select from events_notification where subscription_id = s.id and state = 'failed'
      limit %(most)s) n)
  from unnest(%(ids)s::bigint[]) s(id)
"""


def subscriptions_for(user: User, permission: str) -> QuerySet[Subscription]:
    """Subscriptions to the events of domains in which the person holds the permission."""
    rows = Subscription.objects.select_related("domain", "entity")
    return scope_to_domains(rows, user, permission)


def entities_for(user: User) -> QuerySet[Entity]:
    """Entities whose events a person may have sent to other systems."""
    return scope_to_domains(Entity.objects.all(), user, "subscriptions.edit").order_by("name")


def may_send_to(user: User, subscription: Subscription, permission: str) -> bool:
    """Whether a person holds a permission for what the subscription is about; without a domain, that is everything."""
    ids = user.domain_ids_for(permission)
    return ids is None or (subscription.domain_id is not None and subscription.domain_id in ids)


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A subscription as its list shows it."""

    subscription: Subscription
    waiting: int = 0
    failed: int = 0

    @property
    def state(self) -> str:
        """The word of hub.common.states."""
        found = self.subscription
        if not found.is_active:
            return "disabled"
        if found.disabled_at:
            return "abandoned"
        return "failed" if found.failing_since else "active" if found.delivered_at else "muted"


def subscription_rows(subscriptions: Iterable[Subscription]) -> list[SubscriptionRow]:
    """The rows of one page, in one query that goes by index however many events there are."""
    found = list(subscriptions)
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"ids": [subscription.pk for subscription in found], "most": MOST})
        counts = {row[0]: row[1:] for row in cursor.fetchall()}
    return [SubscriptionRow(subscription, *counts[subscription.pk]) for subscription in found]


def notifications_of(subscription: Subscription, *, state: str = "", text: str = "") -> QuerySet[Notification]:
    """The events for a subscription, newest first; `text` is a beginning of a subject, such as project/P-17."""
    rows = Notification.objects.filter(subscription=subscription).select_related("event")
    if state in Notification.State.values:
        rows = rows.filter(state=state)
    return rows.filter(subject__startswith=text) if text else rows


def shown_address(subscription: Subscription) -> str:
    """Without its query, which may hold a key."""
    return parse_url(subscription.url).shown


def sent(notification: Notification) -> tuple[dict[str, Any], set[str]]:
    """What is sent of an event, and the paths in it that are masked on a page."""
    found = envelope(notification.event, payload=notification.subscription.payload)
    return found, set(sensitive_paths(found))
