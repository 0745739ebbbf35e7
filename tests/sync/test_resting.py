"""A sync whose runs fail each time is not started again for every change; who asks for a run gets it at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from connectors.models import Connection
from hub.common.errors import ConfigError
from hub.sync import engine, resting, services, sweeper
from hub.sync.models import Delivery, Run, Sync
from hub.sync.states import DeliveryState, RunStatus
from tests.sync import worlds
from tests.sync.builders import project_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    found = worlds.make()
    found.read(project_row(1))
    Run.objects.filter(sync=found.outbound).delete()
    found.erp.fail_with = [ConfigError("The account may not look anything up.") for _ in range(30)]
    return found


def failures() -> int:
    return Run.objects.filter(status=RunStatus.FAILED).count()


def pass_time(seconds: int) -> None:
    Run.objects.update(finished_at=F("finished_at") - timedelta(seconds=seconds))
    Sync.objects.update(updated_at=Now() - timedelta(days=1))
    Connection.objects.update(updated_at=Now() - timedelta(days=1))


def work_off() -> None:
    for run in sweeper.start_due_deliveries():
        engine.execute(run.pk)


def test_a_sync_that_fails_rests_longer_each_time_and_keeps_its_work(firm):
    for expected in range(1, 4):
        work_off()
        work_off()
        assert failures() == expected
        pass_time(resting.FIRST_SECONDS * 2 ** (expected - 1) - 2)
        assert resting.of([firm.outbound.pk]) == [firm.outbound.pk]
        pass_time(3)
        assert resting.of([firm.outbound.pk]) == []
    assert Delivery.objects.get().state == DeliveryState.PENDING


def test_a_rest_is_never_longer_than_the_longest(firm):
    for _ in range(12):
        run = services.run_here(sync=firm.outbound)
        assert run.status == RunStatus.FAILED
    pass_time(resting.LONGEST_SECONDS + 1)
    assert resting.of([firm.outbound.pk]) == []


def test_a_change_of_the_sync_ends_its_rest(firm):
    work_off()
    pass_time(0)
    assert resting.of([firm.outbound.pk])
    firm.outbound.save()
    assert not resting.of([firm.outbound.pk])


def test_a_run_that_goes_through_ends_the_row_of_failures(firm):
    work_off()
    firm.erp.fail_with = []
    assert services.run_here(sync=firm.outbound).status == RunStatus.SUCCEEDED
    pass_time(0)
    assert resting.of([firm.outbound.pk]) == []


def test_who_follows_a_run_is_started_though_the_worker_ends_with_it(firm, monkeypatch):
    Sync.objects.filter(pk=firm.outbound.pk).update(after=firm.inbound)
    Delivery.objects.all().delete()

    def killed(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(engine, "_hand_on", killed)
    with pytest.raises(SystemExit):
        services.run_here(sync=firm.inbound)
    assert Run.objects.filter(sync=firm.outbound, trigger=Run.Trigger.AFTER, status=RunStatus.QUEUED).exists()
