"""The circuit of a connection: what opens it, who tries it again, what closes it."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.db.models.functions import Now

from connectors import circuits, services
from connectors.limiter import NotNow, is_its_own
from connectors.models import Circuit
from hub.common import facts
from hub.common.errors import AuthError, PermanentError, TransientError, UnknownOutcome

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(monkeypatch):
    """Names of the facts that were published about circuits."""
    found: list[str] = []
    publish = facts.publish

    def note(fact, **details):
        if fact.startswith("circuit_"):
            found.append(fact)
        publish(fact, **details)

    monkeypatch.setattr(facts, "publish", note)
    return found


def fail(connection, times):
    for _ in range(times):
        found = circuits.note_failure(connection.pk, "No answer.")
    return found


def make_due(connection):
    Circuit.objects.filter(connection=connection).update(probe_at=Now())


def test_it_opens_at_the_connections_own_limit_and_says_so_once(connection, told):
    connection.failure_limit = 3
    connection.save()
    assert fail(connection, 2).state == "closed"
    assert fail(connection, 1).state == "open"
    fail(connection, 5)
    assert told == ["circuit_opened"]


def test_failures_that_are_not_in_a_row_do_not_open_it(connection):
    fail(connection, connection.failure_limit - 1)
    circuits.note_success(connection.pk)
    assert fail(connection, connection.failure_limit - 1).state == "closed"


def test_workers_that_fail_at_once_are_counted_each(connection):
    def report():
        fail(connection, 3)
        connections.close_all()

    threads = [threading.Thread(target=report) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert circuits.look(connection.pk).failures == 9


def test_one_worker_tries_it_again(connection):
    fail(connection, connection.failure_limit)
    assert circuits.due_probes() == []
    make_due(connection)
    assert circuits.due_probes() == [connection.pk]
    assert [circuits.claim_probe(connection.pk) for _ in range(3)] == [True, False, False]
    assert circuits.due_probes() == []


def test_pauses_grow_up_to_a_quarter_of_an_hour(connection):
    fail(connection, connection.failure_limit)
    pauses = []
    for _ in range(8):
        found = Circuit.objects.get()
        pauses.append((found.probe_at - found.tried_at).total_seconds())
        circuits.reopen(connection.pk, "No answer.")
    assert 24 <= pauses[0] <= 36
    assert 48 <= pauses[1] <= 72
    assert 720 <= pauses[-1] <= 1080


def test_half_open_lets_one_run_try_and_its_answer_closes_it(connection, told):
    fail(connection, connection.failure_limit)
    assert circuits.half_open(connection.pk)
    circuits.claim_trial(connection.pk, 7)
    circuits.claim_trial(connection.pk, 8)
    assert circuits.look(connection.pk).trial_run_id == 7
    assert circuits.note_success(connection.pk)
    assert told == ["circuit_opened", "circuit_closed"]
    assert Circuit.objects.get().trips == 0


def test_half_open_opens_again_at_the_first_failure(connection, told):
    fail(connection, connection.failure_limit)
    circuits.half_open(connection.pk)
    assert fail(connection, 1).state == "open"
    assert told == ["circuit_opened"]


def test_a_late_answer_does_not_close_what_was_opened_meanwhile(connection):
    fail(connection, connection.failure_limit)
    assert not circuits.note_success(connection.pk)
    assert circuits.look(connection.pk).state == "open"


def test_refused_credentials_wait_for_a_test_that_passes(connection, remote):
    circuits.pause_for_sign_in(connection.pk, "Token expired on Tuesday")
    fail(connection, 20)
    circuits.note_success(connection.pk)
    assert circuits.look(connection.pk).state == "paused_auth"
    services.check_connection(connection)
    assert circuits.look(connection.pk).state == "closed"


def test_refused_credentials_wait_for_a_changed_secret(connection):
    circuits.pause_for_sign_in(connection.pk, "Token expired on Tuesday")
    services.save_connection(connection, secrets={"token": connection.secrets["token"]})
    assert circuits.look(connection.pk).state == "paused_auth"
    services.save_connection(connection, secrets={"token": "another-token"})
    assert circuits.look(connection.pk).state == "closed"


def test_a_shut_connection_sends_nothing(connection, remote, stream):
    fail(connection, connection.failure_limit)
    remote.requests.clear()
    with pytest.raises(NotNow):
        services.sample_records(stream)
    assert remote.requests == []


@pytest.mark.parametrize(
    ("error", "its_own"),
    [
        (TransientError("No answer."), True),
        (TransientError("HTTP 503", code="SERVER_TRANSIENT"), True),
        (UnknownOutcome("No answer."), True),
        (TransientError("Too many.", retry_after=3), False),
        (TransientError("Too many.", code="THROTTLED"), False),
        (TransientError("Somebody changed it.", code="CONFLICT"), False),
        (UnknownOutcome("No id.", code="NO_ID"), False),
        (PermanentError("No such account."), False),
        (AuthError("Who are you?"), False),
    ],
)
def test_what_counts_as_a_failure_of_the_system_itself(error, its_own):
    assert is_its_own(error) is its_own
