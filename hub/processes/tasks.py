"""Celery's side: one call each."""

from __future__ import annotations

from celery import shared_task

from hub.processes import engine, keeping, starting
from hub.sync import bell


@shared_task
def advance(pk: int) -> None:
    """Lead an instance as far as it goes now."""
    engine.advance(pk)


@shared_task
def tick() -> None:
    """Start what schedules say, and look at what is due although nobody rang."""
    starting.start_due()
    for pk in engine.due():
        bell.send("hub.processes.tasks.advance", pk)


@shared_task
def forget_old() -> None:
    """Instances go some time after they ended."""
    keeping.forget_old()
