"""The Celery application: a bell that wakes workers. What is due stands in PostgreSQL, never in a message."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from hub.cli.process import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

app = Celery("hub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _follow_the_worker(**_: Any) -> None:
    """A pool process must not outlive a worker that was killed."""
    die_with_parent(os.getppid())
    # Pages are trees without cycles, freed as they go: looking through them for garbage costs a tenth of the work.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
