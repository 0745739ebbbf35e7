"""The database fails a run for a reason that passes: it went away, or a transaction lost a race for its locks.

The run has done nothing wrong. A lost race is run again on the spot; after an outage the run goes on as soon as the database is
back, where otherwise its lease would have to end first. What was about to be stored is stored or not; the next worker reads it
from the run's row and its open batch, as after a crash.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, connection

from hub.sync import bell, runs
from hub.sync.models import Run

# A database that is gone for longer outlives the lease anyway.
PATIENCE_SECONDS = runs.LEASE_SECONDS
PAUSE_SECONDS = 0.25
ATTEMPTS = 5
FAILED = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
_CLASS_OF_CONNECTIONS = "08"
# The server is being shut down, has crashed, or is starting.
_SERVER_ENDS = frozenset({"57P01", "57P02", "57P03"})
# Serialization failure, deadlock, lock not available.
_RACES = frozenset({"40001", "40P01", "55P03"})

P = ParamSpec("P")
T = TypeVar("T")


def passes(error: BaseException) -> bool:
    """Whether nobody has to do anything about it; not so for a full disk or a wrong statement."""
    return is_race(error) or is_outage(error)


def is_outage(error: BaseException) -> bool:
    """Whether the connection to the database is lost. The client's own errors of that kind carry no state."""
    if not isinstance(error, FAILED):
        return False
    state = _state(error)
    return state is None or state.startswith(_CLASS_OF_CONNECTIONS) or state in _SERVER_ENDS


def is_race(error: BaseException) -> bool:
    return isinstance(error, FAILED) and _state(error) in _RACES


def _state(error: BaseException) -> str | None:
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    return getattr(cause, "sqlstate", None)


def again_after_races(step: Callable[P, T]) -> Callable[P, T]:
    """Carry out a step that is one transaction again when it lost a race for its locks."""

    @wraps(step)
    def carried_out(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return step(*args, **kwargs)
            except FAILED as error:
                if not is_race(error):
                    raise
                time.sleep(random.uniform(0, PAUSE_SECONDS * attempt))
        return step(*args, **kwargs)

    return carried_out


def put_back(run_id: int, run: Run | None) -> bool:
    """Give the lease of a run back as soon as the database answers, and ring for it; False when it does not in time.

    Without `run` the database went away while the run was claimed: where the claim was stored, it counts as none.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            connection.close()
            runs.leave(run_id, run.epoch if run else None)
            if run:
                bell.ring(run, direction=run.sync.direction)
            return True
        except FAILED:
            time.sleep(PAUSE_SECONDS)
    return False
