"""The outbound leg: what the target holds is the oracle, not our ledger."""

from __future__ import annotations

import dataclasses
import random

import pytest
from django.db import transaction

from hub.common.db import join_by_key, plain_cursor
from hub.common.errors import PermanentError, RecordError, TransientError, UnknownOutcome
from hub.records.models import Crosswalk
from hub.sync import engine, outbox, runs, services
from hub.sync.models import Batch, Delivery, Run, Transaction
from hub.sync.outbound import OutboundRun
from hub.sync.outbox import Settlement
from hub.sync.plan import load_plan
from hub.sync.states import DeliveryState, Outcome
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


def load(inbound, *rows):
    memory.system("psa").sources["projects"] = list(rows)
    run = services.run_here(sync=inbound)
    assert run.error == ""


def drain(outbound):
    """Work on the run that the change rang for, then on whatever follows it."""
    for _ in range(5):
        run = Run.objects.filter(sync=outbound, status="queued").first()
        if run is None:
            break
        engine.execute(run.pk)
    return Run.objects.filter(sync=outbound).latest("pk")


def test_changes_reach_the_target_and_the_account_adds_up(world):
    inbound, outbound = world
    load(inbound, *(build.project_row(n) for n in range(30)))
    run = drain(outbound)
    held = memory.system("erp").targets["jobs"]
    assert held["P-0003"] == {"number": "P-0003", "description": "Project 3", "amount": "1000.00"}
    assert (run.status, run.read, run.created) == ("succeeded", 30, 30)


def test_a_record_is_written_once_however_often_it_is_read(world):
    inbound, outbound = world
    for _ in range(3):
        load(inbound, build.project_row(1))
        drain(outbound)
    assert len(memory.system("erp").writes) == 1


def test_only_the_newest_version_is_delivered(world):
    inbound, outbound = world
    for title in ("first", "second", "third"):
        load(inbound, build.project_row(1, title=title))
    drain(outbound)
    assert [w.body["description"] for w in memory.system("erp").writes] == ["third"]


def test_a_change_that_the_target_does_not_take_writes_nothing(world):
    inbound, outbound = world
    load(inbound, build.project_row(1))
    drain(outbound)
    load(inbound, build.project_row(1, status="closed"))  # not mapped to the target
    run = drain(outbound)
    assert len(memory.system("erp").writes) == 1
    assert (run.read, run.unchanged) == (1, 1)


def test_a_busy_target_is_tried_again_later_and_burns_no_attempt(world):
    inbound, outbound = world
    load(inbound, build.project_row(1))
    memory.system("erp").fail_with = [TransientError("Too many requests.", retry_after=30)]
    run = drain(outbound)
    delivery = Delivery.objects.get()
    assert (run.failed, delivery.state, delivery.attempts) == (1, DeliveryState.PENDING, 0)
    assert Transaction.objects.get(sync_id=outbound.pk).outcome == Outcome.RETRYING


@pytest.mark.parametrize(
    ("error", "state", "outcome"),
    [
        (PermanentError("No such account."), DeliveryState.DEAD, Outcome.DEAD),
        (RecordError("Name too long.", field="description"), DeliveryState.HELD, Outcome.QUARANTINED),
    ],
)
def test_a_refused_record_stops_and_the_others_go_on(world, error, state, outcome):
    inbound, outbound = world
    memory.system("erp").refuse["P-0002"] = error
    load(inbound, build.project_row(1), build.project_row(2), build.project_row(3))
    run = drain(outbound)
    assert (run.created, run.status) == (2, "completed_with_errors")
    assert Delivery.objects.get(state=state).error_detail == str(error)
    assert Transaction.objects.filter(sync_id=outbound.pk, outcome=outcome).count() == 1


@pytest.mark.parametrize(("safety", "state"), [("A", 1), ("B", 1), ("C", 2), ("D", 2)])
def test_a_doubtful_write_is_repeated_only_where_that_is_harmless(world, safety, state, monkeypatch):
    inbound, outbound = world
    monkeypatch.setattr(random, "uniform", lambda low, high: high)  # else it may be due again before we look
    memory.system("erp").safety = safety
    load(inbound, build.project_row(1))
    memory.system("erp").fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    drain(outbound)
    assert Delivery.objects.get().state == state


@pytest.mark.parametrize("safety", ["B", "D"])
def test_a_worker_killed_between_call_and_outcome_loses_nothing_and_doubles_nothing(world, safety, monkeypatch):
    inbound, outbound = world
    system = memory.system("erp")
    system.safety = safety
    load(inbound, build.project_row(1))
    run = runs.claim(Run.objects.get(sync=outbound).pk)
    worker = OutboundRun(run, load_plan(run.sync, run=run))
    monkeypatch.setattr(worker, "settle", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        worker.work(deadline=1e12)
    assert Batch.objects.get(run_id=run.pk).status == Batch.Status.SENDING
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    engine.execute(run.pk)
    assert len(system.targets["jobs"]) == 1
    assert len(system.writes) == (2 if safety == "B" else 1)
    assert Delivery.objects.get().state == (DeliveryState.DELIVERED if safety == "B" else DeliveryState.UNSURE)


def test_an_unsure_delivery_is_not_touched_by_a_newer_version(world):
    inbound, outbound = world
    memory.system("erp").safety = "D"
    load(inbound, build.project_row(1))
    memory.system("erp").fail_with = [UnknownOutcome("Lost answer.")]
    drain(outbound)
    load(inbound, build.project_row(1, title="Newer"))
    drain(outbound)
    assert not memory.system("erp").writes
    assert Delivery.objects.get().state == DeliveryState.UNSURE


def test_a_version_that_arrives_while_the_old_one_is_sent_goes_next(world, monkeypatch):
    inbound, outbound = world
    load(inbound, build.project_row(1, title="old"))
    original = memory.MemoryConnector.write

    def write_and_change(self, stream, items):
        monkeypatch.setattr(memory.MemoryConnector, "write", original)
        load(inbound, build.project_row(1, title="new"))
        return original(self, stream, items)

    monkeypatch.setattr(memory.MemoryConnector, "write", write_and_change)
    drain(outbound)
    assert [w.body["description"] for w in memory.system("erp").writes] == ["old", "new"]


def test_a_worker_that_lost_its_lease_writes_nothing(world):
    inbound, outbound = world
    load(inbound, build.project_row(1))
    run = runs.claim(Run.objects.get(sync=outbound).pk)
    worker = OutboundRun(run, load_plan(run.sync, run=run))
    Run.objects.filter(pk=run.pk).update(epoch=run.epoch + 1)
    with pytest.raises(runs.LostLease):
        worker.work(deadline=1e12)
    assert not memory.system("erp").writes


def test_success_without_a_reference_is_no_success(world, monkeypatch):
    inbound, outbound = world
    original = memory.MemoryConnector.write

    def without_ref(self, stream, items):
        return [dataclasses.replace(outcome, ref=None) for outcome in original(self, stream, items)]

    monkeypatch.setattr(memory.MemoryConnector, "write", without_ref)
    memory.system("erp").safety = "D"
    load(inbound, build.project_row(1))
    drain(outbound)
    assert Delivery.objects.get().state == DeliveryState.UNSURE


def test_the_targets_own_ids_are_remembered(world):
    inbound, outbound = world
    load(inbound, build.project_row(1))
    drain(outbound)
    assert Crosswalk.objects.get(stream=outbound.stream).external_id == "ref-P-0001"


def test_a_sync_that_is_added_later_delivers_what_is_already_there(world):
    inbound, _ = world
    load(inbound, *(build.project_row(n) for n in range(5)))
    entity = inbound.entity
    late = build.sync(
        "bi-projects",
        "out",
        build.stream(build.connection("bi"), "p"),
        entity,
        build.OUT_RULES,
        only_when={"status": ["active"]},
    )
    done = services.run_here(sync=late)
    assert (done.read, done.created) == (5, 5)


def test_a_record_that_no_longer_meets_the_condition_is_not_delivered(world):
    inbound, _ = world
    out = build.sync(
        "bi",
        "out",
        build.stream(build.connection("bi"), "p"),
        inbound.entity,
        build.OUT_RULES,
        only_when={"status": ["active"]},
    )
    load(inbound, build.project_row(1))
    load(inbound, build.project_row(1, status="closed"))
    drain(out)
    assert not memory.system("bi").writes
    assert Delivery.objects.get(sync=out).state == DeliveryState.DISCARDED


class TestReferencesAtTheTarget:
    @pytest.fixture
    def times(self, world):
        inbound, outbound = world
        entity = build.entity("time", build.TIME)
        rules_in = [
            {"target": "number", "source": "id"},
            {"target": "project", "source": "project"},
            {"target": "hours", "source": "hours", "type": "decimal"},
        ]
        times_in = build.sync("psa-times", "in", build.stream(inbound.stream.connection, "times"), entity, rules_in)
        rules_out = [
            {"target": "no", "source": "number"},
            {"target": "job", "source": "project", "kind": "reference", "entity": "project", "via": "erp-jobs"},
        ]
        times_out = build.sync("erp-times", "out", build.stream(outbound.stream.connection, "times"), entity, rules_out)
        return times_in, times_out

    def test_a_target_that_knows_records_by_our_key_needs_no_id_of_its_own(self, world, times, monkeypatch):
        inbound, outbound = world
        times_in, times_out = times
        original = memory.MemoryConnector.write

        def by_our_key(self, stream, items):
            return [dataclasses.replace(outcome, ref=outcome.key) for outcome in original(self, stream, items)]

        monkeypatch.setattr(memory.MemoryConnector, "write", by_our_key)
        load(inbound, build.project_row(1))
        drain(outbound)
        memory.system("psa").sources["times"] = [{"id": "t1", "project": "P-0001", "hours": "8"}]
        services.run_here(sync=times_in)
        drain(times_out)
        assert memory.system("erp").targets["times"]["t1"]["job"] == "P-0001"

    def test_a_child_is_sent_with_the_targets_id_of_its_parent_and_not_before_the_parent(self, world, times):
        inbound, outbound = world
        times_in, times_out = times
        load(inbound, build.project_row(1))
        memory.system("psa").sources["times"] = [{"id": "t1", "project": "P-0001", "hours": "8"}]
        services.run_here(sync=times_in)
        waiting = drain(times_out)
        assert waiting.waiting == 1
        assert Delivery.objects.get(sync=times_out).missing_key == "P-0001"
        drain(outbound)
        drain(times_out)
        assert memory.system("erp").targets["times"]["t1"]["job"] == "ref-P-0001"


class TestATargetThatIsReadToo:
    """The ERP's jobs are read as projects, and projects are delivered to its jobs."""

    @pytest.fixture
    def jobs_in(self, world):
        _, outbound = world
        rules = [
            {"target": "code", "source": "number"},
            {"target": "name", "source": "description"},
            {"target": "budget", "source": "amount", "type": "decimal"},
        ]
        return build.sync("erp-jobs-in", "in", outbound.stream, outbound.entity, rules)

    def read_jobs(self, jobs_in):
        job = {"id": "17", "number": "P-0001", "description": "Project 1", "amount": "900.00"}
        memory.system("erp").sources["jobs"] = [job]
        assert services.run_here(sync=jobs_in).error == ""

    def test_what_it_showed_is_updated_there_by_its_own_id(self, world, jobs_in):
        inbound, outbound = world
        self.read_jobs(jobs_in)
        load(inbound, build.project_row(1))
        drain(outbound)
        assert [(w.key, w.ref) for w in memory.system("erp").writes] == [("P-0001", "17")]

    def test_it_is_not_told_what_it_said_itself(self, world, jobs_in):
        _, outbound = world
        self.read_jobs(jobs_in)
        run = services.run_here(sync=outbound)
        assert (run.read, run.unchanged) == (1, 1)
        assert not memory.system("erp").writes
        assert Delivery.objects.get().target_ref == "17"

    def test_what_another_of_its_streams_says_is_news(self, world, jobs_in):
        _, outbound = world
        self.read_jobs(jobs_in)
        rules = [{"target": "code", "source": "code"}, {"target": "name", "source": "title"}]
        deals = build.sync("erp-deals", "in", build.stream(outbound.stream.connection, "deals"), outbound.entity, rules)
        memory.system("erp").sources["deals"] = [{"id": "1", "code": "P-0001", "title": "Renamed"}]
        services.run_here(sync=deals)
        drain(outbound)
        assert [(w.ref, w.body["description"]) for w in memory.system("erp").writes] == [("17", "Renamed")]


class TestALargeLoad:
    """A batch reads its own rows, however many there are and whatever the planner believes about them."""

    RECORDS = 20_000

    @pytest.fixture
    def sync_id(self, world):
        _, outbound = world
        values = {"entity": outbound.entity.pk, "sync": outbound.pk, "records": self.RECORDS}
        with plain_cursor() as cursor:
            cursor.execute(
                "insert into records_canonicalrecord (id, entity_id, key, version, body, provenance_id, hash, updated_at)"
                " select n, %(entity)s, 'P-' || n, 1, '{}', 1, '', now() from generate_series(1, %(records)s) n",
                values,
            )
            cursor.execute(
                "insert into sync_delivery (sync_id, record_id, version, next_at)"
                " select %(sync)s, n, 1, now() from generate_series(1, %(records)s) n",
                values,
            )
        return outbound.pk

    def rows_read(self, cursor, table):
        """Rows of a table that this transaction has read so far, by scan or by index."""
        statement = "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = %s"
        return cursor.execute(statement, [table]).fetchone()[0]

    @pytest.mark.parametrize("is_analyzed", [False, True])
    def test_a_claim_reads_what_it_returns(self, sync_id, is_analyzed):
        with transaction.atomic(), plain_cursor() as cursor:
            if is_analyzed:
                cursor.execute("analyze records_canonicalrecord, sync_delivery")
            before = self.rows_read(cursor, "records_canonicalrecord")
            due = outbox.due(cursor, sync_id, 100, after=15_000)
            assert [item.record_id for item in due] == list(range(15_001, 15_101))
            assert self.rows_read(cursor, "records_canonicalrecord") - before <= 300
            assert self.rows_read(cursor, "sync_delivery") <= 300 + self.RECORDS * is_analyzed * 2

    def test_outcomes_read_the_rows_of_their_batch(self, sync_id):
        settled = [Settlement(n, 1, DeliveryState.DELIVERED, f"ref-{n}", b"h") for n in range(5_000, 5_100)]
        settled += [Settlement(n, 1, DeliveryState.DEAD, error_code="GONE") for n in range(6_000, 6_100)]
        with transaction.atomic(), plain_cursor() as cursor:
            join_by_key(cursor)
            outbox.settle(cursor, sync_id, settled)
            assert self.rows_read(cursor, "sync_delivery") <= 600
        assert Delivery.objects.filter(state=DeliveryState.DELIVERED).count() == 100
        assert Delivery.objects.filter(state=DeliveryState.DEAD).count() == 100

    def test_a_run_comes_back_to_what_became_due_behind_it(self, sync_id, world):
        run = OutboundRun(runs.claim(services.start_run(sync=world[1])[0].pk), load_plan(world[1]))
        run.passed = self.RECORDS
        assert [parcel.due.record_id for parcel in run._parcels(3)] == [1, 2, 3]
        assert run.passed == 3
