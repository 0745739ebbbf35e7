"""Real workers that die over three records in three hundred: those are set aside, all others arrive, and nothing twice."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from django.db.models.functions import Now

from connectors.models import Connection
from hub.records.models import CanonicalRecord
from hub.sync import poison, services, sweeper
from hub.sync.models import Delivery, HeldRecord, Run, Suspect
from hub.sync.states import ACTIVE, DeliveryState, HeldState, RunStatus
from tests import killer
from tests.sync import builders as build
from tests.sync import worlds
from tests.worker import eventually, running_worker

pytestmark = pytest.mark.django_db(transaction=True)

RECORDS = 300
POISON = {7: "P-0007", 8: "P-0008", 250: "P-0250"}


def rows(title=""):
    return [build.project_row(n, **({"title": title} if title and n in POISON else {})) for n in range(RECORDS)]


@pytest.fixture
def firm(domains):
    return worlds.make()


def at_killer(sync, folder, **config):
    config = {"folder": str(folder), **config}
    Connection.objects.filter(streams=sync.stream).update(protocol=killer.PROTOCOL, config=config)


def work_until(is_done, folder):
    """Workers die and are replaced, and the sweeper rings, until it is done.

    Leases outlast a worker that is slow on a busy machine; that of one which fell is over as soon as its death is seen.
    """
    seen = 0

    def look():
        nonlocal seen
        if (fallen := len(killer.deaths(folder))) > seen:
            seen = fallen
            Run.objects.filter(status=RunStatus.RUNNING).update(lease_until=Now())
        sweeper.tick()
        return is_done() and not Run.objects.filter(status__in=ACTIVE).exists()

    program = ["-m", "tests.killed_worker", str(folder)]
    with running_worker(folder / "worker.log", program=program):
        eventually(look, lambda: f"{killer.deaths(folder)}\n{list(Run.objects.values())}", patience=300)


def died_at_most_thrice(folder):
    fatal = Counter(killer.deaths(folder))
    assert set(fatal) == set(POISON.values())
    assert max(fatal.values()) == poison.MAX_CRASHES


def test_three_records_that_kill_the_reading_worker_are_held_and_the_others_arrive(firm, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps(rows(killer.IN_MAPPING)))
    at_killer(firm.inbound, tmp_path)
    run, _ = services.start_run(sync=firm.inbound)
    work_until(lambda: Run.objects.get(pk=run.pk).finished_at, tmp_path)
    run.refresh_from_db()
    assert (run.status, run.read, run.created, run.rejected) == ("completed_with_errors", 300, 297, 3)
    assert CanonicalRecord.objects.count() == RECORDS - len(POISON)
    held = HeldRecord.objects.order_by("first_at")
    assert {(h.external_id, h.state, h.error_code) for h in held} == {
        (str(number), HeldState.QUARANTINED, poison.CODE) for number in POISON
    }
    assert all("the worker fell" in h.error_detail and h.body["code"] in POISON.values() for h in held)
    died_at_most_thrice(tmp_path)


@pytest.mark.parametrize(("safety", "title"), [("B", killer.IN_MAPPING), ("C", killer.AT_TARGET)])
def test_three_records_that_kill_the_delivering_worker_die_and_the_others_arrive_once(firm, tmp_path, safety, title):
    firm.read(*rows(title))
    Run.objects.filter(status__in=ACTIVE).delete()
    at_killer(firm.outbound, tmp_path, safety=safety)
    open_states = (DeliveryState.PENDING, DeliveryState.UNSURE)
    work_until(lambda: not Delivery.objects.filter(state__in=open_states).exists(), tmp_path)
    dead = Delivery.objects.filter(state=DeliveryState.DEAD)
    assert {(d.record.key, d.error_code) for d in dead} == {(key, poison.CODE) for key in POISON.values()}
    assert all("the worker fell" in d.error_detail for d in dead)
    there = killer.posts(tmp_path)
    assert (len(there), len(set(there))) == (297, 297)
    assert not set(there) & set(POISON.values())
    died_at_most_thrice(tmp_path)
    assert {suspect.crashes for suspect in Suspect.objects.all()} == {1}
