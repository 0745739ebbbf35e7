"""A message is worked on although the ring was lost, a run was busy, or a run failed; hints make the source be read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from hub.common.errors import TransientError
from hub.sync import runs
from hub.sync.models import Run
from hub.webhooks import waking
from hub.webhooks.models import Endpoint, Message
from tests.webhooks.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_lost_ring_costs_one_tick(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.webhooks.receiving.waking.wake", lambda endpoint: None)
    world.send(world.row(), message_id="m1")
    assert not Run.objects.exists()
    monkeypatch.undo()
    assert len(waking.tick()) == 1
    world.work()
    assert Message.objects.get().state == "done"
    assert waking.tick() == []


def test_many_messages_make_one_run(world: World) -> None:
    for number in range(1, 21):
        world.send(world.row(number), message_id=f"m{number}")
    assert Run.objects.count() == 1
    run = world.work()
    assert run is not None
    assert run.created == 20


def test_a_message_that_comes_while_a_run_ends_gets_the_next_one(world: World) -> None:
    run, _ = runs.create(sync=world.firm.inbound, trigger="manual")
    claimed = runs.claim(run.pk)
    assert claimed is not None
    world.send(world.row(), message_id="m1")
    assert Run.objects.count() == 1
    runs.finish(claimed)
    assert Run.objects.filter(trigger="event", status="queued").count() == 1


@pytest.mark.parametrize("what", ["sync", "connection"])
def test_what_is_paused_keeps_its_messages(world: World, what: str) -> None:
    paused = world.firm.inbound if what == "sync" else world.firm.inbound.stream.connection
    type(paused).objects.filter(pk=paused.pk).update(is_paused=True)
    assert world.send(world.row(), message_id="m1") == 202
    assert waking.tick() == []
    type(paused).objects.filter(pk=paused.pk).update(is_paused=False)
    assert len(waking.tick()) == 1


def test_old_messages_are_forgotten_but_never_unworked_ones(world: World) -> None:
    world.send(world.row(1), message_id="m1")
    world.work()
    world.send(world.row(2), message_id="m2")
    Message.objects.update(received_at=timezone.now() - timedelta(days=36))
    waking.forget_old()
    assert [message.message_id for message in Message.objects.all()] == ["m2"]


class TestHints:
    @pytest.fixture
    def hinted(self, world: World) -> World:
        Endpoint.objects.update(event_mode="hint")
        world.endpoint.refresh_from_db()
        world.firm.psa.sources["projects"] = [world.row(1, 2)]
        return world

    def test_a_hint_reads_the_source_and_believes_nothing_else(self, hinted: World) -> None:
        hinted.send(hinted.row(1, 1, title="forged by a confused sender"), message_id="m1")
        run = hinted.work()
        assert run is not None
        assert (run.trigger, run.created) == ("hint", 1)
        assert hinted.record.body["name"] == "Version 2"
        assert hinted.outcomes() == {"m1": "read"}

    def test_hints_that_come_before_the_run_begins_share_it(self, hinted: World) -> None:
        for number in range(5):
            hinted.send({"id": "1"}, message_id=f"m{number}")
        hinted.work()
        assert Run.objects.filter(sync=hinted.firm.inbound).count() == 1
        assert set(hinted.outcomes().values()) == {"read"}

    def test_a_hint_that_comes_while_a_run_reads_gets_its_own(self, hinted: World) -> None:
        hinted.send({"id": "1"}, message_id="m1")
        claimed = runs.claim(Run.objects.get().pk)
        assert claimed is not None
        hinted.send({"id": "1"}, message_id="m2")
        runs.finish(claimed)
        assert hinted.outcomes() == {"m1": "read", "m2": ""}
        hinted.work()
        assert hinted.outcomes() == {"m1": "read", "m2": "read"}

    def test_a_hint_widens_a_run_that_would_ask_nothing(self, hinted: World) -> None:
        runs.create(sync=hinted.firm.inbound, trigger=Run.Trigger.RELEASE)
        hinted.send({"id": "1"}, message_id="m1")
        hinted.work()
        assert hinted.record.body["name"] == "Version 2"

    def test_a_source_that_is_down_gets_time_and_the_hint_stays(self, hinted: World) -> None:
        hinted.firm.psa.fail_with = [TransientError("down")]
        hinted.send({"id": "1"}, message_id="m1")
        hinted.work()
        endpoint = Endpoint.objects.get()
        assert (endpoint.failures, Message.objects.get().state) == (1, "new")
        assert endpoint.retry_at is not None
        assert waking.tick() == []
        Endpoint.objects.update(retry_at=timezone.now())
        waking.tick()
        hinted.work()
        assert hinted.outcomes() == {"m1": "read"}
        assert Endpoint.objects.get().failures == 0

    def test_a_run_that_asked_the_source_nothing_answers_no_hint(self, hinted: World) -> None:
        Endpoint.objects.update(retry_at=timezone.now() + timedelta(hours=1))
        hinted.send({"id": "1"}, message_id="m1")
        runs.create(sync=hinted.firm.inbound, trigger=Run.Trigger.RELEASE)
        run = hinted.work()
        assert run is not None
        assert (run.trigger, run.status) == ("release", "succeeded")
        assert hinted.outcomes() == {"m1": ""}

    def test_a_run_that_was_cancelled_gives_its_hints_back(self, hinted: World) -> None:
        hinted.send({"id": "1"}, message_id="m1")
        runs.cancel(Run.objects.get())
        assert len(waking.tick()) == 1
        hinted.work()
        assert hinted.outcomes() == {"m1": "read"}
