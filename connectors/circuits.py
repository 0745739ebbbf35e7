"""The circuit of each connection: a system that does not answer is left alone, tried by one worker, and then taken up again.

Every change is one conditional statement by the database's clock, so that any number of workers may report at once.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection as database
from django.db import transaction

from connectors.models import Circuit, Connection
from hub.common import facts

FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 900.0
# A worker that tries a connection and falls is replaced after this long.
PROBE_SECONDS = 120.0
MAX_ERROR = 1000
SHUT = (Circuit.State.OPEN.value, Circuit.State.PAUSED_AUTH.value)


class Look(NamedTuple):
    """A circuit at one moment; `trial_run_id` is the run that tries, or tried last, whether the system works again."""

    state: str
    failures: int
    trial_run_id: int | None
    error: str

    @property
    def is_shut(self) -> bool:
        return self.state in SHUT


CLOSED = Look(Circuit.State.CLOSED.value, 0, None, "")


def look(connection_id: int) -> Look:
    columns = ("state", "failures", "trial_run_id", "error")
    row = Circuit.objects.filter(connection_id=connection_id).values_list(*columns).first()
    return Look(*row) if row else CLOSED


# What workers report ---------------------------------------------------------------------------------------
@transaction.atomic
def note_failure(connection_id: int, error: str, *, trip: bool = False) -> Look:
    """Count a failure; it opens the circuit at the connection's limit, at once while half open, and when `trip` says so."""
    before = _lock(connection_id)
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_circuit k set failures = failures + 1, error = %(error)s, tried_at = now(),"
            " state = case when opens then 'open' else state end,"
            " since = case when opens and state = 'closed' then now() else since end,"
            " trips = case when opens then trips + 1 else trips end,"
            " probe_at = case when opens then now() + make_interval("
            "   secs => least(%(longest)s, %(first)s * 2 ^ least(trips, 20)) * %(jitter)s) else probe_at end,"
            " probe_until = case when opens then null else probe_until end"
            " from (select k.connection_id as id, k.state = 'half_open' or (k.state = 'closed'"
            "   and (%(trip)s or k.failures + 1 >= c.failure_limit)) as opens"
            "   from connectors_circuit k join connectors_connection c on c.id = k.connection_id) o"
            " where o.id = k.connection_id and k.connection_id = %(id)s",
            {
                "id": connection_id,
                "error": error[:MAX_ERROR],
                "trip": trip,
                "first": FIRST_PAUSE_SECONDS,
                "longest": LONGEST_PAUSE_SECONDS,
                "jitter": random.uniform(0.8, 1.2),
            },
        )
    after = look(connection_id)
    if before.state == Circuit.State.CLOSED and after.is_shut:
        _tell_opened(connection_id, after)
    return after


def note_success(connection_id: int) -> bool:
    """The system answered: forget its failures; what was half open is closed. True when that closed it.

    A late answer to a request from before says nothing about a circuit that was opened meanwhile.
    """
    return _close(connection_id, ("closed", "half_open"))


@transaction.atomic
def pause_for_sign_in(connection_id: int, error: str) -> None:
    """The system refuses the credentials: nothing is sent until a test passes or a secret is changed."""
    before = _lock(connection_id)
    if before.state == Circuit.State.PAUSED_AUTH:
        return
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_circuit set state = 'paused_auth', error = %s, tried_at = now(), probe_at = null,"
            " probe_until = null, since = case when state = 'closed' then now() else coalesce(since, now()) end"
            " where connection_id = %s",
            [error[:MAX_ERROR], connection_id],
        )
    _tell_opened(connection_id, look(connection_id))


def close(connection_id: int) -> bool:
    """A test has passed or a secret was changed: begin anew, whatever the state was. True when it was not closed."""
    return _close(connection_id, ("closed", "half_open", "open", "paused_auth"))


@transaction.atomic
def _close(connection_id: int, states: Collection[str]) -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_circuit k set state = 'closed', failures = 0, trips = 0, error = '', since = null,"
            " probe_at = null, probe_until = null, trial_run_id = null"
            " from (select connection_id, state from connectors_circuit where connection_id = %s for update) old"
            " where k.connection_id = old.connection_id and k.state = any(%s)"
            " and (k.state <> 'closed' or k.failures > 0) returning old.state",
            [connection_id, list(states)],
        )
        row = cursor.fetchone()
    if row is None or row[0] == Circuit.State.CLOSED:
        return False
    facts.publish("circuit_closed", connection=Connection.objects.get(pk=connection_id))
    return True


def _lock(connection_id: int) -> Look:
    with database.cursor() as cursor:
        cursor.execute(
            "insert into connectors_circuit (connection_id) values (%s) on conflict do nothing", [connection_id]
        )
        cursor.execute(
            "select state, failures, trial_run_id, error from connectors_circuit where connection_id = %s for update",
            [connection_id],
        )
        return Look(*cursor.fetchone())


def _tell_opened(connection_id: int, found: Look) -> None:
    connection = Connection.objects.get(pk=connection_id)
    facts.publish("circuit_opened", connection=connection, state=found.state, error=found.error)


# Trying it again -------------------------------------------------------------------------------------------
def due_probes() -> list[int]:
    """Connections whose pause is over and that nobody tries at the moment."""
    with database.cursor() as cursor:
        cursor.execute(
            "select connection_id from connectors_circuit k join connectors_connection c on c.id = k.connection_id"
            " where k.state = 'open' and k.probe_at <= now() and (k.probe_until is null or k.probe_until < now())"
            " and not c.is_paused order by k.probe_at"
        )
        return [row[0] for row in cursor.fetchall()]


def claim_probe(connection_id: int) -> bool:
    """Take the right to try a connection; one worker gets it."""
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_circuit set probe_until = now() + make_interval(secs => %s), tried_at = now()"
            " where connection_id = %s and state = 'open' and probe_at <= now()"
            " and (probe_until is null or probe_until < now())",
            [PROBE_SECONDS, connection_id],
        )
        return cursor.rowcount == 1


def half_open(connection_id: int) -> bool:
    """The test has passed: one run may now show whether work passes too."""
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_circuit set state = 'half_open', probe_until = null, trial_run_id = null"
            " where connection_id = %s and state = 'open'",
            [connection_id],
        )
        return cursor.rowcount == 1


def reopen(connection_id: int, error: str) -> Look:
    """The test has failed: leave the system alone for longer."""
    with transaction.atomic():
        if half_open(connection_id):
            return note_failure(connection_id, error)
    return look(connection_id)


def claim_trial(connection_id: int, run_id: int) -> None:
    """Let this run try a half-open connection, when no other run does."""
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_circuit set trial_run_id = %s, probe_until = now() + make_interval(secs => %s)"
            " where connection_id = %s and state = 'half_open' and (trial_run_id is null or probe_until < now())",
            [run_id, PROBE_SECONDS, connection_id],
        )
