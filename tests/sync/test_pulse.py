"""A worker that waits for a slow system keeps its run; one that is gone does not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db.models.functions import Now

from hub.sync import engine, pulse, runs, services
from hub.sync.models import Run
from hub.sync.outbound import OutboundRun
from hub.sync.states import RunStatus
from tests.sync import worlds
from tests.sync.builders import project_row

# Short, and yet long enough for a beat that a busy machine lets wait for a second.
LEASE = 2.0

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(domains: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(runs, "LEASE_SECONDS", LEASE)
    firm = worlds.make()
    firm.read(project_row(1))
    return services.start_run(sync=firm.outbound)[0]


def test_a_target_slower_than_the_lease_does_not_lose_the_run(run, monkeypatch):
    stolen = []
    send = OutboundRun._send

    def slow(self: OutboundRun, *args: Any) -> Any:
        for _ in range(8):
            time.sleep(LEASE / 4)
            stolen.append(runs.claim(run.pk))
        return send(self, *args)

    monkeypatch.setattr(OutboundRun, "_send", slow)
    assert engine.execute(run.pk).status == RunStatus.SUCCEEDED
    assert stolen == [None] * 8


def test_a_lease_that_another_worker_holds_is_not_extended(run):
    mine = runs.claim(run.pk)
    Run.objects.filter(pk=run.pk).update(lease_until=Now())
    other = runs.claim(run.pk)
    before = Run.objects.get(pk=run.pk).lease_until
    with pulse.kept(mine):
        time.sleep(LEASE / 2)
    assert Run.objects.get(pk=run.pk).lease_until == before
    assert other.epoch == mine.epoch + 1


def test_the_pulse_ends_with_the_work(run):
    mine = runs.claim(run.pk)
    with pulse.kept(mine):
        pass
    time.sleep(LEASE + 0.2)
    assert runs.claim(run.pk) is not None
