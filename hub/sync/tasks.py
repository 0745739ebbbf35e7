"""Celery's side: ids in, one call. What a lost message would have done, the tick does a moment later."""

from __future__ import annotations

from celery import shared_task

from hub.sync import engine, sweeper


@shared_task
def execute_run(run_id: int) -> None:
    """Work on an inbound run for a slice of time."""
    engine.execute(run_id)


@shared_task
def deliver(run_id: int) -> None:
    """Work on an outbound run for a slice of time."""
    engine.execute(run_id)


@shared_task
def tick() -> None:
    """Fire due schedules, take up runs that nobody works on, start what is due and was not rung for."""
    sweeper.tick()
