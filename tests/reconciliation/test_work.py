"""Comparisons as tracked jobs: by schedule, after runs, once each; and what becomes of one whose worker falls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from monitoring.models import ReconciliationGap, ReconciliationRun
from monitoring.reconciliation import runs, services, work
from monitoring.reconciliation.work import Comparison

from .builders import World, entry, gaps, posted

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def filled(world: World) -> World:
    world.psa += [entry(1), entry(2)]
    world.erp.append(posted(1))
    return world


def test_it_is_compared_after_each_run_that_went_through(filled: World) -> None:
    filled.reconciliation(after=["psa-time"])
    assert services.start_due() == []
    filled.read()
    (run,) = services.start_due()
    assert (run.trigger, services.start_due()) == ("after", [])
    work.execute(run.pk)
    filled.read()
    assert len(services.start_due()) == 1


def test_a_run_that_ends_while_it_is_compared_is_not_forgotten(filled: World) -> None:
    found = filled.reconciliation(after=["psa-time"])
    under_way, _ = services.start(found)
    filled.read()
    assert services.start_due() == []
    work.execute(under_way.pk)
    assert len(services.start_due()) == 1


def test_a_slot_of_its_schedule_starts_it_once(filled: World) -> None:
    set_business_clock(NOW)
    found = filled.reconciliation(cron="0 13 * * *")
    assert services.start_due() == []
    set_business_clock(NOW + timedelta(hours=1, seconds=1))
    assert [run.trigger for run in services.start_due()] == ["schedule"]
    assert services.start_due() == []
    found.refresh_from_db()
    assert found.next_at == NOW + timedelta(days=1, hours=1)


def test_one_that_is_paused_starts_by_nothing(filled: World) -> None:
    set_business_clock(NOW)
    filled.reconciliation(cron="* * * * *", after=["psa-time"], is_paused=True)
    filled.read()
    set_business_clock(NOW + timedelta(hours=1))
    assert services.start_due() == []


def test_two_workers_never_compare_the_same(filled: World) -> None:
    run, _ = services.start(filled.reconciliation())
    assert runs.claim(run.pk) is not None
    assert work.execute(run.pk) is None
    with pytest.raises(ConfigError, match="A worker is comparing"):
        services.compare_here(run.reconciliation)


class Killed(BaseException):
    """As a process that is gone: nothing after it runs."""


def fall(run: ReconciliationRun, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker claims the comparison and is gone at a step of it."""

    def die(*args: Any, **kwargs: Any) -> None:
        raise Killed

    claimed = runs.claim(run.pk)
    assert claimed is not None
    with monkeypatch.context() as patched:
        patched.setattr(STEPS[step], die)
        comparison = Comparison.of(claimed)
        with pytest.raises(Killed):
            comparison.work()


STEPS = {
    "reading": "monitoring.reconciliation.staging.fill",
    "comparing": "monitoring.reconciliation.staging.compare",
    "labelling": "monitoring.reconciliation.labels.label",
    "storing": "monitoring.reconciliation.rules.suggest_all",
}


def expire(run: ReconciliationRun) -> None:
    ReconciliationRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(hours=1))


@pytest.mark.parametrize("step", ["reading", "comparing", "labelling", "storing"])
def test_a_worker_that_is_killed_leaves_the_gaps_of_before_and_the_next_one_begins_again(
    filled: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = filled.reconciliation()
    before = [(gap.pk, gap.state) for gap in gaps(filled.compare(found))]
    filled.psa.append(entry(3))
    run, _ = services.start(found)
    fall(run, step, monkeypatch)
    assert [(gap.pk, gap.state) for gap in gaps(run)] == before
    assert work.execute(run.pk) is None, "the lease of the fallen worker still holds"
    expire(run)
    assert run.pk in runs.stranded()
    done = work.execute(run.pk)
    assert done
    done.refresh_from_db()
    assert (done.status, done.only_left, done.matched) == ("done", 2, 1)


def test_one_that_fells_each_worker_is_given_up(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = services.start(filled.reconciliation())
    for _ in range(runs.MAX_CLAIMS):
        fall(run, "comparing", monkeypatch)
        expire(run)
    assert work.execute(run.pk) is None
    run.refresh_from_db()
    assert (run.status, "fell 3 times" in run.reason) == ("failed", True)


def test_a_worker_that_was_frozen_past_its_lease_writes_nothing(filled: World) -> None:
    run, _ = services.start(filled.reconciliation())
    slow = runs.claim(run.pk)
    assert slow is not None
    comparison = Comparison.of(slow)
    expire(run)
    fast = work.execute(run.pk)
    assert fast is not None
    filled.psa.append(entry(3))
    with pytest.raises(runs.LostLease):
        comparison.work()
    assert ReconciliationGap.objects.count() == 1


def test_one_that_is_cancelled_stores_nothing(filled: World, finn: Any) -> None:
    run, _ = services.start(filled.reconciliation())
    claimed = runs.claim(run.pk)
    assert claimed is not None
    comparison = Comparison.of(claimed)
    assert services.cancel(run, by=finn)
    with pytest.raises(runs.LostLease):
        comparison.work()
    assert not ReconciliationGap.objects.exists()
    assert not services.cancel(run, by=finn)


def test_values_that_people_see_only_when_revealed_are_compared_and_not_kept(filled: World) -> None:
    from governance.services import activate_schema

    from .builders import TIME

    properties = {**TIME["properties"], "notes": {"type": "string", "x-classification": "restricted"}}
    activate_schema(contract=filled.entity.contract, schema={**TIME, "properties": properties}, by=None)
    filled.psa[0]["notes"] = "ill"
    filled.erp[0]["description"] = "well"
    run = filled.compare(filled.reconciliation(compare=[{"field": "notes"}]))
    gap = next(one for one in gaps(run) if one.kind == "differing")
    assert gap.fields == ["notes"]
    assert "ill" not in str(gap.left)
    assert gap.left["notes"] != gap.right["notes"]


def test_a_slow_side_keeps_its_lease() -> None:
    """What has come so far is stored after a while, although no chunk is full."""
    from monitoring.reconciliation.staging import chunks

    assert list(chunks(iter("abc"), size=100, seconds=-1)) == [["a"], ["b"], ["c"]]
    assert list(chunks(iter("abc"), size=2, seconds=60)) == [["a", "b"], ["c"]]
