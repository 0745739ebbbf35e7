"""Waking senders: a lost ring costs one tick of delay."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from hub.sync import bell

SEND = "hub.events.tasks.send"


def ring(subscription_ids: Collection[int]) -> None:
    """Wake a sender for each of these subscriptions once the current transaction has committed."""
    for subscription_id in sorted(subscription_ids):
        transaction.on_commit(lambda found=subscription_id: bell.send(SEND, found))  # type: ignore[misc]
