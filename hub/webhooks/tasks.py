"""Celery's side: one call each."""

from __future__ import annotations

from celery import shared_task

from hub.webhooks import waking


@shared_task
def tick() -> None:
    """Start what waits in an inbox although nobody rang."""
    waking.tick()


@shared_task
def forget_old() -> None:
    """Messages go when no sender can repeat them any more."""
    waking.forget_old()
