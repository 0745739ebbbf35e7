"""A write whose answer was lost: asked about after the settling time, never sent again before."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from hub.common.errors import TransientError, UnknownOutcome
from hub.sync import engine, runs, services, sweeper
from hub.sync.models import Delivery, Run, Transaction
from hub.sync.outbound import OutboundRun
from hub.sync.plan import load_plan
from hub.sync.states import DeliveryState, Outcome
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)
SENT = {"number": "P-0001", "description": "Project 1", "amount": "1000.00"}


@pytest.fixture
def firm(domains):
    found = worlds.make()
    found.erp.safety, found.erp.settle_seconds = "C", 600.0
    return found


def lose_the_answer(firm, *, arrived: bool) -> Delivery:
    firm.read(build.project_row(1))
    firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    firm.deliver()
    if arrived:
        firm.erp.targets["jobs"] = {"P-0001": dict(SENT)}
    return Delivery.objects.get()


def settle(firm) -> Run:
    """The settling time is over."""
    Delivery.objects.filter(state=DeliveryState.UNSURE).update(next_at=Now())
    return services.run_here(sync=firm.outbound)


def test_a_target_that_may_still_be_at_work_is_neither_asked_nor_sent_to(firm):
    lose_the_answer(firm, arrived=False)
    services.run_here(sync=firm.outbound)
    assert not firm.erp.writes
    assert Delivery.objects.get().state == DeliveryState.UNSURE
    assert sweeper.start_due_deliveries() == []


def test_what_arrived_counts_as_delivered_and_is_not_sent_again(firm):
    lose_the_answer(firm, arrived=True)
    run = settle(firm)
    assert (run.status, run.created, run.failed) == ("succeeded", 1, 0)
    assert not firm.erp.writes
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.target_ref) == (DeliveryState.DELIVERED, "ref-P-0001")
    outcomes = Transaction.objects.filter(sync_id=firm.outbound.pk).order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == [Outcome.UNSURE, Outcome.CREATED]


def test_what_did_not_arrive_is_sent_once_more(firm):
    lose_the_answer(firm, arrived=False)
    settle(firm)
    assert [write.key for write in firm.erp.writes] == ["P-0001"]
    assert Delivery.objects.get().state == DeliveryState.DELIVERED


def test_what_is_there_with_other_values_is_updated_under_its_own_id(firm):
    lose_the_answer(firm, arrived=True)
    firm.erp.targets["jobs"]["P-0001"]["description"] = "Older"
    settle(firm)
    assert [(write.ref, write.body["description"]) for write in firm.erp.writes] == [("ref-P-0001", "Project 1")]


def test_a_stream_that_only_creates_never_makes_what_it_found_a_second_time(firm):
    firm.outbound.stream.options = {"operation": "create"}
    firm.outbound.stream.save()
    lose_the_answer(firm, arrived=True)
    firm.erp.targets["jobs"]["P-0001"]["description"] = "Older"
    settle(firm)
    assert not firm.erp.writes


def test_a_newer_version_does_not_make_the_target_settle_sooner(firm):
    due_at = lose_the_answer(firm, arrived=True).next_at
    firm.read(build.project_row(1, title="Newer"))
    firm.deliver()
    assert not firm.erp.writes
    assert Delivery.objects.get().next_at == due_at
    settle(firm)
    assert [write.body["description"] for write in firm.erp.writes] == ["Newer"]


def test_a_target_that_cannot_be_asked_now_is_asked_later(firm):
    lose_the_answer(firm, arrived=True)
    firm.erp.fail_with = [TransientError("Down for maintenance.")]
    settle(firm)
    delivery = Delivery.objects.annotate(now=Now()).get()
    assert delivery.state == DeliveryState.UNSURE
    assert delivery.next_at > delivery.now
    assert not firm.erp.writes


def test_the_tick_starts_the_asking_when_the_time_has_come(firm):
    lose_the_answer(firm, arrived=True)
    Delivery.objects.update(next_at=Now())
    (run,) = sweeper.start_due_deliveries()
    engine.execute(run.pk)
    assert Delivery.objects.get().state == DeliveryState.DELIVERED


def test_a_target_that_cannot_be_searched_leaves_the_doubt_to_a_person(firm):
    firm.erp.safety = "D"
    lose_the_answer(firm, arrived=False)
    assert not Delivery.objects.filter(next_at__lte=Now()).exists()
    assert sweeper.start_due_deliveries() == []
    services.run_here(sync=firm.outbound)
    assert not firm.erp.writes
    assert Delivery.objects.get().state == DeliveryState.UNSURE


@pytest.mark.parametrize(("safety", "writes"), [("B", 2), ("C", 1)])
def test_a_worker_that_was_killed_while_it_called_leaves_doubt_only_where_sending_again_could_double(
    firm, monkeypatch, safety, writes
):
    firm.erp.safety, firm.erp.settle_seconds = safety, 0.0
    firm.read(build.project_row(1))
    run = runs.claim(Run.objects.get(sync=firm.outbound).pk)
    worker = OutboundRun(run, load_plan(run.sync, run=run))
    monkeypatch.setattr(worker, "settle", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        worker.work(deadline=1e12)
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    engine.execute(run.pk)
    assert len(firm.erp.writes) == writes
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    run.refresh_from_db()
    assert run.read == run.created + run.updated + run.failed


def test_an_update_of_what_is_known_is_simply_repeated(firm):
    firm.erp.update_safety = "B"
    firm.read(build.project_row(1))
    firm.deliver()
    firm.read(build.project_row(1, title="Newer"))
    firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    firm.deliver()
    assert Delivery.objects.get().state == DeliveryState.PENDING
    assert memory.system("erp").targets["jobs"]["P-0001"]["description"] == "Project 1"


def test_who_looks_at_a_doubt_is_told_that_the_hub_asks_by_itself(firm, browse, olga):
    delivery = lose_the_answer(firm, arrived=False)
    address = f"/deliveries/{delivery.sync_id}-{delivery.record_id}/"
    assert "The hub asks Erp itself" in browse(olga).get(address).content.decode().replace("erp", "Erp")
    assert browse(olga).get("/").context["needs"] == []


def test_a_doubt_that_only_a_person_can_settle_needs_one(firm, browse, olga):
    firm.erp.safety = "D"
    delivery = lose_the_answer(firm, arrived=False)
    address = f"/deliveries/{delivery.sync_id}-{delivery.record_id}/"
    assert "itself</b>" not in browse(olga).get(address).content.decode()
    assert [need.title for need in browse(olga).get("/").context["needs"]] == ["1 delivery has an unknown outcome"]
