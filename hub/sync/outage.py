"""The database went away under a run: the run has done nothing wrong, and goes on as soon as the database is back.

Without this its lease would have to end first. What it was about to store may be stored or not; the next worker reads it from
the run's row and its open batch, as after a crash.
"""

from __future__ import annotations

import time

import psycopg
from django.db import InterfaceError, OperationalError, connection

from hub.sync import bell, runs
from hub.sync.models import Run

# A database that is gone for longer outlives the lease anyway.
PATIENCE_SECONDS = runs.LEASE_SECONDS
PAUSE_SECONDS = 0.25
LOST = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# Connection exceptions, and a server that is being shut down, has crashed or is starting.
_CLASS_OF_CONNECTIONS = "08"
_SERVER_ENDS = frozenset({"57P01", "57P02", "57P03"})


def is_outage(error: BaseException) -> bool:
    """Whether the connection to the database is lost; a deadlock, a full disk or a wrong statement is no outage."""
    if not isinstance(error, LOST):
        return False
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(_CLASS_OF_CONNECTIONS) or state in _SERVER_ENDS


def put_back(run: Run) -> bool:
    """Give the lease of a run back as soon as the database answers, and ring for it; False when it does not in time.

    The claim counts: a run that brings the database down each time is given up like one that kills its workers.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            connection.close()
            runs.leave(run)
            bell.ring(run, direction=run.sync.direction)
            return True
        except LOST:
            time.sleep(PAUSE_SECONDS)
    return False
