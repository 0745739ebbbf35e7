"""Which side a record goes to, whatever happens while a legal entity is switched: nothing is lost, nothing is posted twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from hub.common.db import plain_cursor
from hub.common.errors import ConfigError, PermanentError, UnknownOutcome
from hub.processes import engine
from hub.processes import services as processes
from hub.processes.models import Process
from hub.records.models import CanonicalRecord
from hub.sync import outbound, outbox, services
from hub.sync.models import Delivery
from hub.sync.plan import load_plan
from hub.sync.states import DeliveryState
from tests import memory
from tests.cutover.conftest import World
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
ONE, TWO = ("P-0001", "Project 1"), ("P-0002", "Project 2")


@pytest.mark.parametrize(
    ("state", "legacy", "new"),
    [("legacy", 1, 0), ("shadow", 1, 0), ("dual", 1, 1), ("new", 0, 1), ("retired", 0, 1)],
)
def test_each_state_delivers_to_its_sides(world: World, state: str, legacy: int, new: int) -> None:
    world.make()
    world.forward(state)
    world.change(1)
    world.deliver()
    assert (world.sent("sql"), world.sent("bc")) == ([ONE] * legacy, [ONE] * new)


def test_each_legal_entity_goes_its_own_way_and_the_rest_together(world: World) -> None:
    world.make()
    world.forward("new")
    world.change(1)
    world.change(2, company="DE")
    world.change(3, company=None)
    world.deliver()
    assert [key for key, _ in world.sent("bc")] == ["P-0001"]
    assert [key for key, _ in world.sent("sql")] == ["P-0002", "P-0003"]
    assert not Delivery.objects.filter(sync=world.new, state=DeliveryState.PENDING).exists()


def test_what_was_queued_before_the_switch_goes_to_the_side_that_delivers_since(world: World) -> None:
    world.make()
    world.forward("dual")
    world.change(1)
    world.forward("new")
    world.deliver()
    assert (world.sent("sql"), world.sent("bc")) == ([], [ONE])


def test_a_batch_claimed_before_the_switch_and_not_sent_is_turned_away(world: World, monkeypatch: Any) -> None:
    world.make()
    world.forward("new")
    world.change(1)
    real = outbound.OutboundRun.intend

    def switched(self: Any, parcels: Any, sending: Any) -> int:
        if world.route().state == "new":
            world.back("legacy")
        return real(self, parcels, sending)

    monkeypatch.setattr(outbound.OutboundRun, "intend", switched)
    world.deliver()
    assert (world.sent("bc"), world.sent("sql")) == ([], [ONE])


def test_what_a_page_queued_by_old_routes_reaches_the_right_side(world: World) -> None:
    """A run that compiled before the cut-over was made queues at both."""
    world.change(1)
    world.make()
    world.deliver()
    assert (world.sent("sql"), world.sent("bc")) == ([ONE], [])


def test_a_record_in_flight_during_the_switch_is_sent_by_one_side_only(world: World, monkeypatch: Any) -> None:
    world.make()
    world.forward("dual")
    world.deliver()
    world.back("shadow")
    world.change(1)
    real = memory.MemoryConnector.write

    def switching(self: Any, stream: Any, items: Any) -> Any:
        if self.config["name"] == "sql" and world.route().state == "shadow":
            world.forward("new")
        return real(self, stream, items)

    monkeypatch.setattr(memory.MemoryConnector, "write", switching)
    world.deliver()
    assert world.sent("sql") == [ONE]
    assert world.sent("bc") == [ONE]  # dual came in between: both sides hold what they were sent there


def test_what_a_closed_side_lost_sight_of_stays_with_it_until_it_is_known(world: World) -> None:
    world.make()
    world.forward("new")
    memory.system("bc").safety = "D"
    world.change(1)
    memory.system("bc").fail_with = [UnknownOutcome("The connection broke.")]
    world.deliver()
    world.back("legacy")
    world.deliver()
    assert Delivery.objects.get(sync=world.new).state == DeliveryState.UNSURE
    assert world.sent("sql") == []
    # A person says that it is not there.
    Delivery.objects.filter(sync=world.new).update(state=DeliveryState.PENDING, next_at=Now())
    world.deliver()
    assert (world.sent("bc"), world.sent("sql")) == ([], [ONE])


def test_going_back_sends_nothing_that_the_new_side_has_confirmed(world: World) -> None:
    world.make()
    world.forward("new")
    world.change(1)
    world.deliver()
    world.back("legacy")
    world.deliver()
    assert world.sent("sql") == []
    services.run_here(sync=world.legacy)  # nor does a run that looks for what this side has never seen
    assert world.sent("sql") == []
    world.change(1, title="Changed")
    world.deliver()
    assert (world.sent("sql"), world.sent("bc")) == ([("P-0001", "Changed")], [ONE])


def test_going_back_and_forward_again_sends_nothing_a_second_time(world: World) -> None:
    world.make()
    world.forward("new")
    world.change(1)
    world.deliver()
    world.back("shadow")
    world.deliver()
    world.forward("new")
    world.deliver()
    assert (world.sent("bc"), world.sent("sql")) == ([ONE], [])


def test_where_everything_is_carried_over_a_side_that_begins_gets_what_it_does_not_hold(world: World) -> None:
    world.make(carry="all")
    world.change(1)
    world.change(2, company="DE")
    world.deliver()
    world.forward("dual")
    world.deliver()
    assert world.sent("bc") == [ONE]  # not that of the other legal entity
    world.forward("new")
    world.change(1, title="Changed")
    world.deliver()
    world.back("legacy")
    world.deliver()
    assert world.sent("sql") == [ONE, TWO, ("P-0001", "Changed")]
    assert world.sent("bc") == [ONE, ("P-0001", "Changed")]


def test_a_condition_of_a_side_is_kept_when_it_takes_over(world: World) -> None:
    world.new.only_when = {"status": ["active"]}
    world.new.save()
    world.make(carry="all")
    world.change(1)
    world.change(2, status="draft")
    world.deliver()
    world.forward("dual")
    world.deliver()
    assert world.sent("bc") == [ONE]


def test_a_record_that_changes_its_legal_entity_follows_the_route_of_the_new_one(world: World) -> None:
    world.make()
    world.forward("new")
    world.change(1)
    world.deliver()
    world.change(1, company="DE", title="Moved")
    world.deliver()
    assert (world.sent("bc"), world.sent("sql")) == ([ONE], [("P-0001", "Moved")])


def test_a_run_by_hand_of_a_side_that_does_not_deliver_sends_nothing(world: World) -> None:
    world.make()
    world.change(1)
    run = services.run_here(sync=world.new)
    assert (run.status, run.read, world.sent("bc")) == ("succeeded", 0, [])


def test_a_plan_knows_whether_its_sync_has_routes(world: World) -> None:
    plan = load_plan(world.inbound)
    assert [one.routed_by for one in plan.subscribers] == [None, None]
    world.make()
    assert [one.routed_by for one in load_plan(world.inbound).subscribers] == ["company", "company"]
    assert load_plan(world.new).routed_by == "company"


def test_retiring_waits_for_what_the_legacy_side_has_not_finished(world: World) -> None:
    memory.system("sql").refuse["P-0001"] = PermanentError("No such account.")
    world.make()
    world.change(1)
    world.deliver()
    world.forward("new")
    assert moved(world) == {"legacy": "discarded", "new": "delivered"}
    Delivery.objects.filter(sync=world.legacy).update(state=DeliveryState.UNSURE)
    with pytest.raises(ConfigError, match="1 deliveries to the legacy side are not finished"):
        world.forward("retired")
    Delivery.objects.filter(sync=world.legacy).update(state=DeliveryState.DISCARDED)
    world.forward("retired")
    assert world.route().state == "retired"


def moved(world: World) -> dict[str, str]:
    world.deliver()
    rows = {name: Delivery.objects.get(sync=sync) for name, sync in (("legacy", world.legacy), ("new", world.new))}
    return {name: DeliveryState(row.state).name.lower() for name, row in rows.items()}


def test_a_process_that_ensures_a_record_follows_it_to_the_side_that_has_it(world: World) -> None:
    world.make()
    world.forward("new")
    world.change(1)
    step = {"name": "job", "kind": "ensure", "sync": "to-legacy", "key": "key"}
    document = {"slug": "set-up", "name": "Set up", "domain": "project-wbs", "entity": "project", "steps": [step]}
    processes.save_process(document, by=None)
    made = processes.start(Process.objects.get(), "P-0001", by=None)
    engine.advance(made.pk)
    assert (made.steps.get().state, world.sent("sql")) == ("waiting", [])
    world.deliver()
    engine.advance(made.pk)
    assert (made.steps.get().state, made.steps.get().result["ref"]) == ("done", "ref-P-0001")
    world.back("legacy")
    again = processes.start(Process.objects.get(), "P-0001", by=None)
    engine.advance(again.pk)
    assert (again.steps.get().state, world.sent("sql")) == ("done", [])


def test_a_switch_waits_for_the_page_that_queues_by_the_old_routes_and_takes_its_records_along(world: World) -> None:
    world.make()
    world.forward("dual")
    world.change(1)
    world.deliver()
    record = CanonicalRecord.objects.get()
    plan, ended = load_plan(world.inbound), threading.Event()

    def switch() -> None:
        try:
            world.forward("new")
            ended.set()
        finally:
            connection.close()

    thread = threading.Thread(target=switch)
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute("update records_canonicalrecord set version = 2, body = body || %s", ['{"name": "Changed"}'])
        outbox.enqueue_changed(cursor, plan.subscribers, [(record.pk, 2, record.body, 0)])
        thread.start()
        assert not ended.wait(0.5)
    thread.join(20)
    assert ended.is_set()
    world.deliver()
    assert world.sent("sql") == [ONE]
    assert world.sent("bc") == [ONE, ("P-0001", "Changed")]


def test_many_records_are_switched_by_a_handful_of_statements(world: World) -> None:
    world.make(carry="all")
    for number in range(1, 4):
        world.change(number)
    world.deliver()
    world.forward("shadow")
    with CaptureQueriesContext(connection) as few:
        world.forward("dual")
    for number in range(4, 40):
        world.rows[str(number)] = build.project_row(number, company="UK")
    world.change(40)
    world.deliver()
    world.back("shadow")
    with CaptureQueriesContext(connection) as many:
        world.forward("dual")
    assert len(many) <= len(few) + 2
