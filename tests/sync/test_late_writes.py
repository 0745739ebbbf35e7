"""What a target carries out late never overwrites what came after it: newer versions wait until it cannot arrive any more."""

from __future__ import annotations

import random

import pytest
from django.db.models.functions import Now

from hub.common.errors import TransientError, UnknownOutcome
from hub.sync import engine, runs, services, sweeper
from hub.sync.models import Delivery, Run
from hub.sync.outbound import OutboundRun
from hub.sync.plan import load_plan
from hub.sync.states import DeliveryState
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def retries_wait_as_long_as_they_may(monkeypatch):
    """Else what is to be tried again may be due before the run that failed it ends."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


@pytest.fixture(params=["A", "B"])
def firm(request, domains):
    found = worlds.make()
    found.erp.safety, found.erp.settle_seconds = request.param, 600.0
    found.read(build.project_row(1, title="first"))
    services.run_here(sync=found.outbound)
    found.erp.writes.clear()
    return found


def lose_the_answer(firm, title="old"):
    """The record changed, was sent, and nobody heard the answer."""
    firm.read(build.project_row(1, title=title))
    firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    services.run_here(sync=firm.outbound)


def retry_is_due():
    Delivery.objects.update(next_at=Now())


def time_has_passed():
    Delivery.objects.update(next_at=Now(), late_until=Now())


def titles(firm):
    return [write.body["description"] for write in firm.erp.writes]


def test_the_same_is_sent_again_without_waiting(firm):
    lose_the_answer(firm)
    retry_is_due()
    services.run_here(sync=firm.outbound)
    assert titles(firm) == ["old"]


@pytest.mark.parametrize("is_repeated", [False, True])
def test_a_newer_version_waits_until_the_older_cannot_arrive_any_more(firm, is_repeated):
    lose_the_answer(firm)
    if is_repeated:
        retry_is_due()
        services.run_here(sync=firm.outbound)
        firm.erp.writes.clear()
    firm.read(build.project_row(1, title="new"))
    services.run_here(sync=firm.outbound)
    assert (titles(firm), sweeper.start_due_deliveries()) == ([], [])
    time_has_passed()
    services.run_here(sync=firm.outbound)
    assert titles(firm) == ["new"]
    assert Delivery.objects.get().state == DeliveryState.DELIVERED


def test_a_version_that_came_while_the_older_was_sent_waits_as_well(firm, monkeypatch):
    original = memory.MemoryConnector.write

    def change_and_lose(self, stream, items):
        monkeypatch.setattr(memory.MemoryConnector, "write", original)
        firm.read(build.project_row(1, title="new"))
        raise UnknownOutcome("Lost answer.")

    firm.read(build.project_row(1, title="old"))
    monkeypatch.setattr(memory.MemoryConnector, "write", change_and_lose)
    services.run_here(sync=firm.outbound)
    services.run_here(sync=firm.outbound)
    assert (titles(firm), sweeper.start_due_deliveries()) == ([], [])
    time_has_passed()
    services.run_here(sync=firm.outbound)
    assert titles(firm) == ["new"]


def test_a_person_cannot_hurry_it(firm, olga):
    from hub.sync.trouble import retry_deliveries

    lose_the_answer(firm)
    firm.read(build.project_row(1, title="new"))
    firm.erp.fail_with = [TransientError("Down.")]
    time_until = Delivery.objects.get().late_until
    Delivery.objects.update(state=DeliveryState.DEAD)
    retry_deliveries(Delivery.objects.all(), by=olga)
    assert Delivery.objects.get().next_at == time_until


def killed_while_sending(firm, monkeypatch, *, then):
    """The worker ends between the call and its answer; `then` happens before another one takes over."""
    firm.read(build.project_row(1, title="old"))
    run = runs.claim(Run.objects.filter(sync=firm.outbound).latest("pk").pk)
    worker = OutboundRun(run, load_plan(run.sync, run=run))
    monkeypatch.setattr(worker, "settle", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        worker.work(deadline=1e12)
    firm.erp.writes.clear()
    then()
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    engine.execute(run.pk)


def test_after_a_killed_worker_the_same_goes_at_once(firm, monkeypatch):
    killed_while_sending(firm, monkeypatch, then=lambda: None)
    assert titles(firm) == ["old"]


def test_after_a_killed_worker_a_newer_version_waits(firm, monkeypatch):
    killed_while_sending(firm, monkeypatch, then=lambda: firm.read(build.project_row(1, title="new")))
    assert titles(firm) == []
    time_has_passed()
    services.run_here(sync=firm.outbound)
    assert titles(firm) == ["new"]


def test_a_refusal_is_no_doubt(firm):
    firm.read(build.project_row(1, title="old"))
    firm.erp.fail_with = [TransientError("Try later.")]
    services.run_here(sync=firm.outbound)
    firm.read(build.project_row(1, title="new"))
    services.run_here(sync=firm.outbound)
    assert titles(firm) == ["new"]
