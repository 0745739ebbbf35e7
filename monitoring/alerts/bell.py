"""Waking the sender of notices: a lost ring costs one tick of delay."""

from __future__ import annotations

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from hub.sync import bell

SEND = "monitoring.tasks.send_notices"


def ring() -> None:
    """Wake a sender once the current transaction has committed."""
    transaction.on_commit(_send)


def _send() -> None:
    try:
        current_app.send_task(SEND, retry=False, expires=bell.EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        # What is due stands in the database; the tick takes it up.
        bell.log.warning("The broker did not take the ring %s: %s", SEND, error)
