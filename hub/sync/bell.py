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
    transaction.on_commit(lambda: _send(name, run.pk))


def _send(name: str, id_: int) -> None:
    try:
        current_app.send_task(name, args=[id_], retry=False, expires=EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        # What is to be done stands in the database; the sweeper takes it up.
        log.warning("The broker did not take the ring %s %s: %s", name, id_, error)


def ring_adoption(adoption_id: int) -> None:
    """Wake a worker of the lane of first loads, once the current transaction has committed."""
    transaction.on_commit(lambda: _send("hub.sync.tasks.adopt", adoption_id))


def ring_probe(connection_id: int) -> None:
    """Wake a worker to try a connection that did not answer."""
    try:
        current_app.send_task("hub.sync.tasks.probe", args=[connection_id], retry=False, expires=EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take the ring for connection %s: %s", connection_id, error)
