"""Celery's side: ids in, one call. What a lost message would have done, the tick does a moment later."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.db import connections

from connectors.services import load_protocols_in_use
from hub.sync import engine, probing, sweeper
from hub.sync.adopt import work as adopting
from hub.sync.replays import work


@worker_init.connect
def load_connectors(**_: Any) -> None:
    """Before the pool forks. A database connection must not be shared with what is forked."""
    load_protocols_in_use()
    connections.close_all()


@shared_task
def execute_run(run_id: int) -> None:
    """Work on an inbound run for a slice of time."""
    engine.execute(run_id)


@shared_task
def deliver(run_id: int) -> None:
    """Work on an outbound run for a slice of time."""
    engine.execute(run_id)


@shared_task
def backfill(run_id: int) -> None:
    """Work on a backfill, in its own lane and for a short slice, so that several take turns."""
    engine.execute(run_id, slice_seconds=engine.BACKFILL_SLICE_SECONDS)


@shared_task
def adopt(adoption_id: int) -> None:
    """Go on with a first load for a slice of time."""
    adopting.work(adoption_id)


@shared_task
def probe(connection_id: int) -> None:
    """Try a connection that did not answer."""
    probing.probe(connection_id)


@shared_task
def replay(replay_id: int) -> None:
    """Put dead letters again for a slice of time, and look at what became of those before."""
    work.execute(replay_id)


@shared_task
def tick() -> None:
    """Fire due schedules, take up runs that nobody works on, start what is due and was not rung for."""
    sweeper.tick()
