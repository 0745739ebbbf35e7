"""Ledger rows become visible out of order, and several processes take them: nothing is skipped and nothing is opened twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, connections

from hub.common.times import set_business_clock
from monitoring.expectations import services, timing
from monitoring.expectations.projecting import advance_level, begin
from monitoring.models import Expectation, ExpectationPosition
from tests.service_levels.builders import World

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(domains):
    set_business_clock(None)
    return World()


@pytest.fixture
def level(world):
    made = world.level()
    made.save()
    begin(made, since=datetime.now(UTC) - HOUR)
    return made


@pytest.fixture
def other():
    """A session beside the one of the test, in a transaction of its own."""
    with psycopg.connect(**_parameters()) as found:
        yield found
        found.rollback()


def _parameters():
    given = connection.get_connection_params()
    return {key: given[key] for key in ("dbname", "host", "port", "user", "password") if given.get(key)}


def write(session, world, record, number):
    """A ledger row as a page writes it: its time is that of the beginning of the transaction."""
    session.execute(
        "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id, key, outcome)"
        " values (%s, now(), 1, %s, 1, 0, %s, %s, %s, 1)",
        [number, world.reads.pk, number, record.pk, record.key],
    )


def causes():
    return set(Expectation.objects.values_list("cause_id", flat=True))


def test_a_page_that_commits_after_later_ones_is_not_skipped(world, level, other):
    slow, quick = world.record(datetime.now(UTC)), world.record(datetime.now(UTC))
    write(other, world, slow, 100)
    with connection.cursor() as cursor:
        write(cursor, world, quick, 200)
    for _ in range(3):
        advance_level(level)
    assert causes() == {200}
    began = other.execute("select now()").fetchone()[0]
    assert ExpectationPosition.objects.get().taken_to <= began
    other.commit()
    advance_level(level)
    assert causes() == {100, 200}


def test_a_session_that_only_reads_holds_the_position_back_but_loses_nothing(world, level, other):
    other.execute("select now()")
    with connection.cursor() as cursor:
        write(cursor, world, world.record(datetime.now(UTC)), 300)
    advance_level(level)
    again = advance_level(level)
    assert (causes(), again.opened) == ({300}, 0)
    other.commit()
    advance_level(level)
    assert ExpectationPosition.objects.get().taken_to > datetime.now(UTC) - timedelta(seconds=30)


def test_several_projectors_at_once_open_and_close_each_row_once(world, level):
    for _ in range(40):
        world.arrived(datetime.now(UTC) - HOUR / 2, HOUR / 4)
        world.stuck(datetime.now(UTC) - HOUR / 2)
    found, errors = [], []

    def work():
        try:
            for _ in range(5):
                found.append(services.sweep())
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    crew = [threading.Thread(target=work) for _ in range(4)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    assert errors == []
    assert sum(swept.moved.opened for swept in found) == 80
    assert sum(swept.moved.met for swept in found) == 40
    assert Expectation.objects.count() == 80
    services.sweep()
    day = level.days.get()
    assert (day.met, day.running) == (40, 40)


def test_two_clocks_at_once_break_each_promise_once(world, level):
    for _ in range(60):
        world.stuck(datetime.now(UTC) - HOUR / 2)
    advance_level(level)
    late = datetime.now(UTC) + 5 * HOUR

    counts, errors = [], []

    def work():
        try:
            counts.append(timing.tick(late).breached)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    crew = [threading.Thread(target=work) for _ in range(4)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    assert (errors, sum(counts)) == ([], 60)
