"""What happens although nobody rang: lost messages, dead workers, retries, waiting that ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from hub.common.errors import TransientError
from hub.sync import engine, runs, services, sweeper
from hub.sync.models import Delivery, HeldRecord, Run
from hub.sync.states import HeldState
from tests import memory
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(domains):
    entity = build.entity("project", build.PROJECT)
    inbound = build.sync(
        "psa-projects", "in", build.stream(build.connection("psa"), "projects"), entity, build.PROJECT_RULES
    )
    outbound = build.sync("erp-jobs", "out", build.stream(build.connection("erp"), "jobs"), entity, build.OUT_RULES)
    return inbound, outbound


def ago(run: Run, seconds: int) -> None:
    Run.objects.filter(pk=run.pk).update(created_at=Now() - timedelta(seconds=seconds))


def test_a_run_whose_ring_was_lost_is_rung_for_again(world):
    run, _ = services.start_run(sync=world[0])
    assert sweeper.ring_stranded_runs() == 0
    ago(run, 60)
    assert sweeper.ring_stranded_runs() == 1


def test_a_run_whose_worker_died_is_taken_over_where_it_stood(world, monkeypatch):
    monkeypatch.setattr("hub.sync.inbound.RING_SECONDS", 0)
    inbound, _ = world
    memory.system("psa").sources["projects"] = [build.project_row(n) for n in range(30)]
    memory.system("psa").page_size = 10
    run = runs.claim(services.start_run(sync=inbound)[0].pk)
    worker = engine._worker(run)
    pages = iter(range(2))
    worker.after_page = lambda _: next(pages)  # the third page finds no pages left and the worker dies
    with pytest.raises(StopIteration):
        worker.work(deadline=1e12)
    assert runs.claim(run.pk) is None
    Run.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert sweeper.ring_stranded_runs() == 1
    engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.read, run.created) == ("succeeded", 30, 30)


def test_a_run_that_only_ever_crashes_is_given_up_with_a_sentence(world):
    run, _ = services.start_run(sync=world[0])
    for _ in range(3):
        assert runs.claim(run.pk)
        Run.objects.filter(pk=run.pk).update(lease_until=None)
    assert runs.claim(run.pk) is None
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "CRASHED")


def test_a_retry_is_started_when_its_time_has_come_and_not_before(world):
    inbound, outbound = world
    memory.system("psa").sources["projects"] = [build.project_row(1)]
    services.run_here(sync=inbound)
    memory.system("erp").fail_with = [TransientError("Down.", retry_after=3600)]
    engine.execute(Run.objects.get(sync=outbound).pk)
    assert sweeper.start_due_deliveries() == []
    Delivery.objects.update(next_at=Now())
    (run,) = sweeper.start_due_deliveries()
    engine.execute(run.pk)
    assert "P-0001" in memory.system("erp").targets["jobs"]


def test_a_parent_that_passed_its_child_unseen_releases_it_at_the_next_tick(world):
    inbound, _ = world
    entity = build.entity("time", build.TIME)
    rules = [{"target": name, "source": name} for name in ("number", "project", "hours")]
    times = build.sync("times", "in", build.stream(inbound.stream.connection, "times", key="number"), entity, rules)
    memory.system("psa").sources["times"] = [{"number": "t1", "project": "P-0001", "hours": "8"}]
    services.run_here(sync=times)
    memory.system("psa").sources["projects"] = [build.project_row(1)]
    HeldRecord.objects.update(missing_key="not yet")  # as if the child were held a moment after the parent looked
    services.run_here(sync=inbound)
    HeldRecord.objects.update(missing_key="P-0001")
    (run,) = sweeper.release_waiting()
    assert (run.sync, run.trigger) == (times, Run.Trigger.RELEASE)


def test_a_record_that_waits_too_long_becomes_an_exception(world):
    inbound, _ = world
    entity = build.entity("time", build.TIME)
    rules = [{"target": name, "source": name} for name in ("number", "project", "hours")]
    times = build.sync("times", "in", build.stream(inbound.stream.connection, "times", key="number"), entity, rules)
    memory.system("psa").sources["times"] = [{"number": "t1", "project": "P-0001", "hours": "8"}]
    services.run_here(sync=times)
    sweeper.release_waiting()
    assert HeldRecord.objects.get().state == HeldState.WAITING
    HeldRecord.objects.update(first_at=Now() - timedelta(days=2))
    sweeper.release_waiting()
    held = HeldRecord.objects.get()
    assert (held.state, held.error_code) == (HeldState.HELD, "WAITED_TOO_LONG")


def test_the_tick_makes_the_months_ahead_and_may_run_any_number_of_times(world):
    for _ in range(2):
        sweeper.tick()


def test_a_run_that_takes_several_turns_adds_up_its_stages(world):
    inbound, _ = world
    memory.system("psa").sources["projects"] = [build.project_row(n) for n in range(30)]
    memory.system("psa").page_size = 10
    run, _ = services.start_run(sync=inbound)
    seen = []
    for _ in range(3):
        engine.execute(run.pk, slice_seconds=0)
        run.refresh_from_db()
        seen.append(run.timings["store"])
    assert run.status == "succeeded"
    assert seen == sorted(seen)
    assert seen[0] < seen[2]


def test_work_is_rung_for_once_however_many_pages_bring_it(world, monkeypatch):
    inbound, outbound = world
    rung = []
    monkeypatch.setattr("hub.sync.bell.ring", lambda run, *, direction: rung.append(direction))
    memory.system("psa").sources["projects"] = [build.project_row(n) for n in range(30)]
    memory.system("psa").page_size = 10
    services.run_here(sync=inbound)
    assert rung.count("out") == 1
    assert Run.objects.filter(sync=outbound).count() == 1
