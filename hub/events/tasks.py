"""Celery's side: one call each."""

from __future__ import annotations

from celery import shared_task

from hub.events import bell, keeping, sending


@shared_task
def send(subscription_id: int) -> None:
    """Send what is due for a subscription, for a slice of time."""
    if sending.send_due(subscription_id):
        bell.ring([subscription_id])


@shared_task
def tick() -> None:
    """Send what is due although nobody rang."""
    bell.ring(sending.due_subscriptions())


@shared_task
def forget_old() -> None:
    """Events go some time after everybody was told."""
    keeping.forget_old()
