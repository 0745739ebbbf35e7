"""The sender of one subscription: what is due goes out, the oldest of each subject first, and every attempt is noted.

The subscription's lease is that of its notifications. An attempt is committed before its request is sent, so a sender that is
killed leaves a trace, and the next one sends the same event under the same id.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from hub.common import facts
from hub.common.http import HttpClient
from hub.events import interests, ladder, posting
from hub.events.models import Attempt, Notification, Subscription
from hub.events.posting import AT_ONCE, Result

# Longer than the slowest batch: every request of one starts at once.
LEASE_SECONDS = posting.TIMEOUT_SECONDS + 15
SLICE_SECONDS = 20.0
DISABLED_AFTER = timedelta(days=5)

DUE = """
  select n.id from events_notification n
  where n.subscription_id = %s and n.state = 'pending' and n.next_at <= now() and not exists (
    select from events_notification o where o.subscription_id = n.subscription_id and o.subject = n.subject
    and o.state = 'pending' and o.id < n.id)
  order by n.id limit %s
"""

log = logging.getLogger(__name__)


class LostLease(Exception):
    """Another sender has taken over; it sends what this one could not note, under the same ids."""


def send_due(subscription_id: int, *, slice_seconds: float = SLICE_SECONDS) -> bool:
    """Send what is due for a subscription until nothing is, its receiver fails, or the time is up; True in that last case."""
    deadline = time.monotonic() + slice_seconds
    subscription = _claim(subscription_id)
    if subscription is None:
        return False
    sender = Sender(subscription, posting.client_of(subscription))
    try:
        while sender.send_batch():
            if time.monotonic() > deadline:
                return True
    except LostLease:
        return False
    finally:
        sender.close()
    return False


def _claim(subscription_id: int) -> Subscription | None:
    """Become the only sender of a subscription; None where it is off, rests, or has a sender."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update events_subscription set epoch = epoch + 1, lease_until = now() + make_interval(secs => %s)"
            " where id = %s and is_active and disabled_at is null and (rest_until is null or rest_until <= now())"
            " and (lease_until is null or lease_until < now())",
            [LEASE_SECONDS, subscription_id],
        )
        if not cursor.rowcount:
            return None
    return Subscription.objects.get(pk=subscription_id)


class Sender:
    """Works for one subscription as long as its lease is held."""

    def __init__(self, subscription: Subscription, client: HttpClient) -> None:
        self.subscription, self.client = subscription, client
        self.pool = ThreadPoolExecutor(AT_ONCE)
        self.failures = subscription.failures

    def close(self) -> None:
        self.pool.shutdown()
        self.client.close()
        mine = Subscription.objects.filter(pk=self.subscription.pk, epoch=self.subscription.epoch)
        mine.update(lease_until=None)

    def send_batch(self) -> bool:
        """Send the next events, one for each subject; False when none was due or the receiver should be left alone."""
        attempts = self._begin()
        results = list(self.pool.map(self._post, attempts))
        may_go_on = [self._note(attempt, result) for attempt, result in zip(attempts, results, strict=True)]
        return bool(attempts) and all(may_go_on)

    def _post(self, attempt: Attempt) -> Result:
        return posting.post(self.client, attempt.notification.event, self.subscription)

    @transaction.atomic
    def _begin(self) -> list[Attempt]:
        """Note the attempts that are about to be made; after a failure only one, to see whether the receiver works again."""
        self._fence(lease_until=Now() + timedelta(seconds=LEASE_SECONDS))
        with connection.cursor() as cursor:
            cursor.execute(DUE, [self.subscription.pk, 1 if self.failures else AT_ONCE])
            due = [row[0] for row in cursor.fetchall()]
        Notification.objects.filter(pk__in=due).update(attempts=F("attempts") + 1)
        found = Notification.objects.filter(pk__in=due).select_related("event").order_by("pk")
        return Attempt.objects.bulk_create([Attempt(notification=notification) for notification in found])

    @transaction.atomic
    def _note(self, attempt: Attempt, result: Result) -> bool:
        """Note what became of an attempt; False when the receiver should be left alone."""
        if result.error:
            self._fail(attempt.notification, result)
        else:
            self.failures = 0
            self._fence(failures=0, failing_since=None, rest_until=None, delivered_at=Now())
            _settle(attempt.notification, Notification.State.DELIVERED, "")
        Attempt.objects.filter(pk=attempt.pk).update(
            http_status=result.status, milliseconds=result.milliseconds, error=result.error, answer=result.answer
        )
        return not result.wants_rest

    def _fence(self, **values: Any) -> None:
        """Change the subscription as its sender. Raises LostLease when another one has it."""
        mine = Subscription.objects.filter(pk=self.subscription.pk, epoch=self.subscription.epoch)
        if not mine.update(**values):
            raise LostLease

    # A failure ---------------------------------------------------------------------------------------------
    def _fail(self, notification: Notification, result: Result) -> None:
        """Try again later, or give up: the event when its ladder ends, the receiver when it is gone or has failed for days."""
        now = timezone.now()
        since = self.subscription.failing_since = self.subscription.failing_since or now
        self._rest(result, now, since)
        delay = ladder.delay_seconds(notification.attempts, asked=result.asked_seconds)
        if delay is None:
            _settle(notification, Notification.State.FAILED, result.error)
        else:
            at = now + timedelta(seconds=delay)
            Notification.objects.filter(pk=notification.pk).update(next_at=at, error=result.error)
        if result.is_gone:
            self._disable(result.error)
        elif now - since >= DISABLED_AFTER:
            self._disable(f"It has failed for {DISABLED_AFTER.days} days. The last time: {result.error}")

    def _rest(self, result: Result, now: datetime, since: datetime) -> None:
        """Leave the receiver alone for a while; failures of one batch count as one."""
        if not result.wants_rest:
            self._fence(failing_since=since)
            return
        self.failures = self.subscription.failures + 1
        seconds = ladder.rest_seconds(self.failures, asked=result.asked_seconds)
        self._fence(failures=self.failures, failing_since=since, rest_until=now + timedelta(seconds=seconds))

    def _disable(self, reason: str) -> None:
        if self.subscription.disabled_at:  # by another answer of this batch
            return
        self.subscription.disabled_at = timezone.now()
        self._fence(disabled_at=Now(), disabled_reason=reason[:500])
        log.warning("Subscription %s was switched off: %s", self.subscription.slug, reason)
        facts.publish("subscription_disabled", subscription=self.subscription, reason=reason)
        interests.forget()


def _settle(notification: Notification, state: str, error: str) -> None:
    Notification.objects.filter(pk=notification.pk).update(state=state, error=error, next_at=None, done_at=Now())


# The tick --------------------------------------------------------------------------------------------------
def due_subscriptions() -> list[int]:
    """Subscriptions for which something is due although nobody rang, or whose sender is gone."""
    free = Subscription.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=Now()),
        Q(rest_until__isnull=True) | Q(rest_until__lte=Now()),
        is_active=True,
        disabled_at__isnull=True,
    )
    waiting = Notification.objects.filter(state=Notification.State.PENDING, next_at__lte=Now(), subscription__in=free)
    return sorted(waiting.order_by().values_list("subscription_id", flat=True).distinct())
