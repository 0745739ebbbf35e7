"""Rings for a sweep when a run has ended. A ring that is lost costs fifteen seconds."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

EXPIRES_SECONDS = 15
log = logging.getLogger(__name__)


def on_run_ended(**_: Any) -> None:
    transaction.on_commit(ring)


def ring() -> None:
    """Ask for a sweep now."""
    try:
        current_app.send_task("monitoring.tasks.collect_exceptions", retry=False, expires=EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take the ring for a sweep of exceptions: %s", error)
