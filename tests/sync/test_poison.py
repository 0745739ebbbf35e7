"""Records over which workers fall: found one by one, set aside at the third crash, and then left alone until something changes.

A worker's death is a BaseException here, which nothing may catch; `tests/sync/test_poison_worker.py` kills real processes.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from hub.common.errors import ConfigError
from hub.records.models import CanonicalRecord
from hub.sync import engine, poison, services, sweeper, trouble
from hub.sync.models import Batch, Delivery, HeldRecord, Run, Suspect
from hub.sync.states import ACTIVE, DeliveryState, HeldState
from mappings.compile import Mapper
from mappings.services import activate_rules
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The end of a worker."""


class Reaper:
    """Kills whoever maps, or writes to the target, one of these codes."""

    def __init__(self, monkeypatch):
        self.in_mapping, self.at_target, self.deaths = set(), set(), Counter()
        apply_all, write = Mapper.apply_all, memory.MemoryConnector.write

        def deadly_mapping(mapper, records):
            for record in records:
                self.look(record["code"], self.in_mapping)
            return apply_all(mapper, records)

        def deadly_write(connector, stream, items):
            done = []
            for item in items:
                self.look(item.key, self.at_target)
                done += write(connector, stream, [item])
            return done

        monkeypatch.setattr(Mapper, "apply_all", deadly_mapping)
        monkeypatch.setattr(memory.MemoryConnector, "write", deadly_write)

    def look(self, code, deadly):
        if code in deadly:
            self.deaths[code] += 1
            raise Killed


@pytest.fixture
def reaper(monkeypatch):
    return Reaper(monkeypatch)


@pytest.fixture
def firm(domains):
    return worlds.make()


def work(sync):
    """Workers take the sync's run up until it is over; returns it, and how many fell."""
    fallen = 0
    while (run := Run.objects.filter(sync=sync, status__in=ACTIVE).first()) is not None:
        try:
            engine.execute(run.pk)
        except Killed:
            fallen += 1
        Run.objects.filter(pk=run.pk).update(lease_until=None)
        assert fallen < 50
    return Run.objects.filter(sync=sync).latest("pk"), fallen


def read(firm, *rows, page_size=100):
    firm.psa.sources["projects"], firm.psa.page_size = list(rows), page_size
    services.start_run(sync=firm.inbound)
    return work(firm.inbound)


def rows(number, **changes):
    return [build.project_row(n, **changes) for n in range(number)]


def code(number):
    return f"P-{number:04d}"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_kills_workers_while_they_read_the_rest_arrives_once_and_the_account_adds_up(firm, reaper, seed):
    pick = random.Random(seed)
    number, size = pick.randrange(20, 60), pick.randrange(1, 30)
    reaper.in_mapping = {code(n) for n in pick.sample(range(number), 4)}
    run, _ = read(firm, *rows(number), page_size=size)
    assert (run.read, run.created, run.rejected) == (number, number - 4, 4), seed
    assert set(HeldRecord.objects.values_list("body__code", flat=True)) == reaper.in_mapping
    assert (
        set(CanonicalRecord.objects.values_list("key", flat=True))
        == {code(n) for n in range(number)} - reaper.in_mapping
    )
    assert max(reaper.deaths.values()) <= poison.MAX_CRASHES


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("safety", ["B", "C"])
def test_whatever_kills_workers_while_they_deliver_the_rest_arrives_once(firm, reaper, safety, seed):
    pick = random.Random(seed)
    number = pick.randrange(20, 60)
    firm.erp.safety = safety
    read(firm, *rows(number))
    firm.outbound.stream.page_size = pick.randrange(1, 30)
    firm.outbound.stream.save()
    deadly = [code(n) for n in pick.sample(range(number), 4)]
    reaper.in_mapping, reaper.at_target = set(deadly[:2]), set(deadly[2:])
    open_states = (DeliveryState.PENDING, DeliveryState.UNSURE)
    while Delivery.objects.filter(state__in=open_states).exists():
        sweeper.start_due_deliveries()
        work(firm.outbound)
    dead = Delivery.objects.filter(state=DeliveryState.DEAD, error_code=poison.CODE)
    assert set(dead.values_list("record__key", flat=True)) == set(deadly), seed
    assert set(firm.erp.targets["jobs"]) == {code(n) for n in range(number)} - set(deadly)
    assert max(reaper.deaths.values()) <= poison.MAX_CRASHES
    written = Counter(item.key for item in firm.erp.writes)
    assert safety == "B" or max(written.values()) == 1


def test_a_worker_that_was_killed_for_no_fault_of_a_record_sets_nothing_aside(firm, reaper):
    reaper.in_mapping = {code(3)}
    firm.psa.sources["projects"] = rows(10)
    run, _ = services.start_run(sync=firm.inbound)
    for _ in range(2):  # in the page, then alone
        with pytest.raises(Killed):
            engine.execute(run.pk)
        Run.objects.filter(pk=run.pk).update(lease_until=None)
    reaper.in_mapping = set()
    run, _ = work(firm.inbound)
    assert (run.status, run.read, run.created) == ("succeeded", 10, 10)
    assert not Suspect.objects.exists()


def test_a_worker_that_stopped_without_falling_leaves_no_count(firm, monkeypatch):
    read(firm, *rows(1))
    run = Run.objects.get(sync=firm.outbound)
    record_id = CanonicalRecord.objects.get().pk
    Suspect.objects.create(sync=firm.outbound, key=str(record_id), crashes=2)
    firm.erp.fail_with = [ConfigError("The stream has gone.")]
    engine.execute(run.pk)
    assert Suspect.objects.get().crashes == 3  # counted before it was touched
    services.start_run(sync=firm.outbound)
    work(firm.outbound)
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    assert not Suspect.objects.exists()


class TestARecordThatWasSetAside:
    @pytest.fixture
    def fatal(self, firm, reaper):
        reaper.in_mapping = {code(1)}
        read(firm, *rows(3))
        reaper.deaths.clear()
        return reaper

    def test_it_is_not_touched_again_however_often_it_is_read(self, firm, fatal):
        run, fallen = read(firm, *rows(3))
        assert (fallen, run.read, run.rejected) == (0, 3, 1)
        assert not fatal.deaths
        assert HeldRecord.objects.get().error_code == poison.CODE

    def test_it_is_tried_again_when_it_says_something_else(self, firm, fatal):
        fatal.in_mapping = set()
        read(firm, *rows(3, title="Harmless"))
        assert CanonicalRecord.objects.filter(key=code(1)).exists()
        assert not HeldRecord.objects.exists()

    def test_it_is_tried_again_with_another_version_of_the_mapping(self, firm, fatal):
        fatal.in_mapping = set()
        activate_rules(mapping=firm.inbound.mapping, rules=[*build.PROJECT_RULES[:4]], by=None)
        read(firm, *rows(3))
        assert CanonicalRecord.objects.filter(key=code(1)).exists()

    def test_a_person_lets_it_be_tried_again(self, firm, fatal):
        fatal.in_mapping = set()
        assert trouble.retry_held(held=HeldRecord.objects.get(), by=None)
        work(firm.inbound)
        assert CanonicalRecord.objects.filter(key=code(1)).exists()
        assert not Suspect.objects.exists()

    def test_one_that_a_person_lets_through_and_that_kills_again_is_set_aside_at_once(self, firm, fatal):
        trouble.retry_held(held=HeldRecord.objects.get(), by=None)
        _, fallen = work(firm.inbound)
        assert fallen == 1
        assert HeldRecord.objects.get().state == HeldState.QUARANTINED

    def test_a_delivery_that_is_sent_again_harms_nobody_else(self, firm, reaper):
        read(firm, *rows(3))
        reaper.at_target = {code(0)}
        work(firm.outbound)
        assert Delivery.objects.get(state=DeliveryState.DEAD).record.key == code(0)
        trouble.retry_deliveries(Delivery.objects.filter(state=DeliveryState.DEAD), by=None)
        read(firm, *rows(3, title="New"))
        before = Batch.objects.latest("pk").pk
        work(firm.outbound)
        assert firm.erp.targets["jobs"][code(2)]["description"] == "New"
        sent = Batch.objects.filter(sync_id=firm.outbound.pk, pk__gt=before).values_list("sent_ids", flat=True)
        doomed = CanonicalRecord.objects.get(key=code(0)).pk
        assert [ids for ids in sent if doomed in ids] == [[doomed]] * (poison.MAX_CRASHES - 1)


class TestWhatIsNoRecordsFault:
    def test_a_run_that_falls_before_it_has_a_record_in_hand_is_given_up_with_a_sentence(self, firm, monkeypatch):
        def fall(*args, **kwargs):
            raise Killed

        monkeypatch.setattr(memory.MemoryConnector, "read", fall)
        services.start_run(sync=firm.inbound)
        run, fallen = work(firm.inbound)
        assert (run.status, run.error_code, fallen) == ("failed", "CRASHED", 3)
        assert "before it had any record in hand" in run.error


@pytest.mark.parametrize("end", [SoftTimeLimitExceeded, MemoryError])
def test_a_computation_without_end_or_bound_is_set_aside_like_a_crash(firm, monkeypatch, end):
    apply_all = Mapper.apply_all

    def endless(mapper, records):
        if any(record["code"] == code(1) for record in records):
            raise end
        return apply_all(mapper, records)

    monkeypatch.setattr(Mapper, "apply_all", endless)
    run, fallen = read(firm, *rows(3))
    assert (run.status, run.created, run.rejected, fallen) == ("completed_with_errors", 2, 1, 0)
    assert HeldRecord.objects.get().error_code == poison.CODE
