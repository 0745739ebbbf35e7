"""A database that goes away, or a race for its locks, delays a run; it neither fails it nor makes a second effect."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now
from psycopg import errors as pg

from hub.records.models import CanonicalRecord
from hub.sync import engine, outbox, runs, services, setbacks
from hub.sync.models import Delivery, Run, Transaction
from hub.sync.page import PageTransaction
from hub.sync.states import DeliveryState, Outcome, RunStatus
from tests.sync import worlds
from tests.sync.builders import project_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    return worlds.make()


def end_our_session() -> None:
    """What a restart of the server does to a session, done by another one."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("select pg_terminate_backend(%s)", [connection.connection.info.backend_pid])


def once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, happens: Any) -> None:
    """`happens` comes to pass in the first call of owner.name, which then goes on."""
    step, seen = getattr(owner, name), []

    def broken(*args: Any, **kwargs: Any) -> Any:
        if not seen:
            seen.append(True)
            happens()
        return step(*args, **kwargs)

    monkeypatch.setattr(owner, name, broken)


def lose_a_race() -> None:
    raise pg.DeadlockDetected("deadlock detected")


def test_a_run_whose_database_went_away_is_taken_up_without_waiting_for_its_lease(firm, monkeypatch):
    once(monkeypatch, PageTransaction, "_account", end_our_session)
    firm.psa.sources["projects"] = [project_row(n) for n in range(30)]
    run, _ = services.start_run(sync=firm.inbound)
    engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.lease_until, run.page_no) == (RunStatus.RUNNING, None, 0)
    engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.read, run.created) == (RunStatus.SUCCEEDED, 30, 30)
    assert CanonicalRecord.objects.count() == 30


def test_a_delivery_whose_outcome_could_not_be_stored_is_not_sent_again_where_that_could_double(firm, monkeypatch):
    firm.erp.safety = "D"
    firm.read(project_row(1))
    once(monkeypatch, outbox, "settle", end_our_session)
    run = firm.deliver()
    assert (run.status, run.lease_until) == (RunStatus.RUNNING, None)
    engine.execute(run.pk)
    assert len(firm.erp.targets["jobs"]) == 1
    assert Delivery.objects.get().state == DeliveryState.UNSURE
    assert Transaction.objects.filter(outcome=Outcome.CREATED, sync_id=firm.outbound.pk).count() == 0


def test_an_outcome_that_lost_a_race_is_stored_all_the_same_and_nothing_is_sent_twice(firm, monkeypatch):
    firm.erp.safety = "D"
    firm.read(*(project_row(n) for n in range(3)))
    once(monkeypatch, outbox, "settle", lose_a_race)
    run = firm.deliver()
    assert (run.status, run.read, run.created) == (RunStatus.SUCCEEDED, 3, 3)
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.DELIVERED}
    assert Transaction.objects.filter(sync_id=firm.outbound.pk).count() == 3


def test_a_run_that_brings_the_database_down_each_time_is_given_up(firm, monkeypatch):
    monkeypatch.setattr(PageTransaction, "_account", lambda page: end_our_session())
    monkeypatch.setattr(setbacks.bell, "ring", lambda run, direction: None)
    firm.psa.sources["projects"] = [project_row(1)]
    run, _ = services.start_run(sync=firm.inbound)
    for _ in range(runs.MAX_SETBACKS + 2):
        engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error_code) == (RunStatus.FAILED, "CRASHED")


def test_a_race_that_is_lost_every_time_is_told(monkeypatch):
    monkeypatch.setattr(setbacks, "PAUSE_SECONDS", 0.0)
    tried = []

    @setbacks.again_after_races
    def step() -> None:
        tried.append(True)
        lose_a_race()

    with pytest.raises(pg.DeadlockDetected):
        step()
    assert len(tried) == setbacks.ATTEMPTS


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), True),
        (pg.AdminShutdown(), True),
        (pg.CannotConnectNow(), True),
        (pg.DeadlockDetected(), True),
        (pg.LockNotAvailable(), True),
        (pg.DiskFull(), False),
        (pg.UniqueViolation(), False),
        (ValueError(), False),
    ],
)
def test_only_what_passes_by_itself_is_taken_for_a_setback(error, passes):
    assert setbacks.passes(error) is passes


def test_a_run_that_another_worker_took_over_meanwhile_is_left_to_it(firm):
    run, _ = services.start_run(sync=firm.inbound)
    mine = runs.claim(run.pk)
    Run.objects.filter(pk=run.pk).update(epoch=mine.epoch + 1)
    setbacks.put_back(mine.pk, mine)
    run.refresh_from_db()
    assert run.lease_until is not None


def test_outages_longer_than_a_lease_are_not_falls_of_workers(firm):
    run, _ = services.start_run(sync=firm.inbound)
    for _ in range(runs.MAX_CLAIMS + 1):
        mine = runs.claim(run.pk)
        assert mine is not None
        Run.objects.filter(pk=run.pk).update(lease_until=Now())  # it ended while the database was away
        other = runs.claim(run.pk)
        assert other is not None
        setbacks.put_back(mine.pk, mine)
        setbacks.put_back(other.pk, other)
    assert firm.read(project_row(1)).status == RunStatus.SUCCEEDED


def test_a_claim_during_which_the_database_goes_away_counts_as_none(firm, monkeypatch):
    run, _ = services.start_run(sync=firm.inbound)
    for _ in range(runs.MAX_CLAIMS + 1):
        once(monkeypatch, runs.Run.objects, "select_related", end_our_session)
        assert engine.execute(run.pk) is None
        monkeypatch.undo()
    run.refresh_from_db()
    assert (run.claims, run.lease_until) == (0, None)
    assert engine.execute(run.pk).status == RunStatus.SUCCEEDED
