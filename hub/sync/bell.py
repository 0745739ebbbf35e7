"""Ringing workers: by task name, so that whoever rings imports no task. A lost ring costs one tick of delay."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from hub.sync.models import Run

# A ring that waited longer than this has been repeated by the sweeper.
EXPIRES_SECONDS = 120

log = logging.getLogger(__name__)


def ring(run: Run, *, direction: str) -> None:
    """Wake a worker for this run once the current transaction has committed."""
    name = "hub.sync.tasks.execute_run" if direction == "in" else "hub.sync.tasks.deliver"
    if run.trigger == Run.Trigger.BACKFILL:
        name = "hub.sync.tasks.backfill"
    transaction.on_commit(lambda: send(name, run.pk))


def send(name: str, number: int) -> None:
    """Ring now, for the run, connection or subscription of this number."""
    try:
        current_app.send_task(name, args=[number], retry=False, expires=EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        # What is due stands in the database; the sweeper takes it up.
        log.warning("The broker did not take the ring %s for %s: %s", name, number, error)


def ring_adoption(adoption_id: int) -> None:
    """Wake a worker of the lane of first loads, once the current transaction has committed."""
    transaction.on_commit(lambda: send("hub.sync.tasks.adopt", adoption_id))


def ring_probe(connection_id: int) -> None:
    """Wake a worker to try a connection that did not answer."""
    send("hub.sync.tasks.probe", connection_id)


def ring_replay(replay_id: int) -> None:
    """Wake a worker for a replay once the current transaction has committed."""
    transaction.on_commit(lambda: send("hub.sync.tasks.replay", replay_id))
