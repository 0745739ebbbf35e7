"""A worker that is busy keeps its lease: a target that answers slowly must not make others take the run over.

Whoever is killed or frozen stops beating with everything else, and who hangs is ended by the task's time limit. Progress is
another matter: `Run.heartbeat_at` moves only when something was stored.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from hub.sync import runs
from hub.sync.models import Run

# The row is locked while a page is stored, which extends the lease itself.
LOCK_TIMEOUT = "-c lock_timeout=2s"

log = logging.getLogger(__name__)


@contextmanager
def kept(run: Run) -> Iterator[None]:
    """Extend the lease of a claimed run for as long as the body takes."""
    done = threading.Event()
    arguments = (run.pk, run.epoch, connection.get_connection_params(), done)
    beating = threading.Thread(target=_beat, args=arguments, name=f"pulse of run {run.pk}", daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join(timeout=5)


def _beat(run_id: int, epoch: int, parameters: dict[str, Any], done: threading.Event) -> None:
    """Most runs end before the first beat, so nothing is opened until then."""
    while not done.wait(runs.LEASE_SECONDS / 3):
        try:
            if not _extend(run_id, epoch, parameters):
                return
        except psycopg.Error as error:
            log.warning("The lease of run %s could not be extended: %s", run_id, error)


def _extend(run_id: int, epoch: int, parameters: dict[str, Any]) -> bool:
    options = f"{parameters.get('options') or ''} {LOCK_TIMEOUT}".strip()
    with psycopg.connect(**{**parameters, "options": options}, autocommit=True) as db:
        found = db.execute(
            "update sync_run set lease_until = now() + make_interval(secs => %s)"
            " where id = %s and epoch = %s and status = 'running' and lease_until is not null",
            [runs.LEASE_SECONDS, run_id, epoch],
        )
        return bool(found.rowcount)
