"""A real worker is killed in the middle of a replay, beside a target that would show every double (class D)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from hub.sync import bell, harness, services, sweeper
from hub.sync.chaos import world
from hub.sync.models import Delivery, Replay, Sync
from hub.sync.replays import jobs, letters, outcomes, work
from hub.sync.replays.plan import Wanted
from hub.sync.states import DeliveryState
from tests.worker import eventually, running_worker

RECORDS = 2 * work.CHUNK + 100

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def target(domains: Any, tmp_path: Path) -> Any:
    """The port of the target. Its sync is paused, and every record is a dead letter there."""
    world.Source(tmp_path, RECORDS, 1).write()
    arguments = ["--class", "D", "--mix", "{}"]
    with (
        harness.server("hub.sync.bench.source", str(tmp_path)) as source,
        harness.server("hub.sync.chaos.target", *arguments) as port,
    ):
        harness.apply(world.documents(source, port, "D", records=RECORDS))
        services.set_paused(sync=outbound(), is_paused=True, reason="Test")
        services.run_here(sync=Sync.objects.get(slug="chaos-in"))
        Delivery.objects.update(state=DeliveryState.DEAD, error_code="PERMANENT", next_at=Now())
        yield port


def outbound() -> Sync:
    return Sync.objects.get(slug="chaos-out")


def test_the_next_worker_goes_on_and_nothing_is_put_or_sent_twice(target: int, tmp_path: Path, settings: Any) -> None:
    settings.HUB_REPLAY_AMOUNT = 10**9
    replay, _ = jobs.go(Wanted(letters.parse("state=dead")), by=None)
    assert replay is not None
    blocked = replay.items.order_by("pk")[work.CHUNK].record_id
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select 1 from sync_delivery where record_id = %s for update", [blocked])
        with running_worker(tmp_path / "first.log"):
            bell.send("hub.sync.tasks.replay", replay.pk)  # at once, although this test holds a transaction open
            eventually(lambda: outcomes.counts(replay).get("put") == work.CHUNK)
    assert outcomes.counts(replay) == {"put": work.CHUNK, "planned": RECORDS - work.CHUNK}
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == work.CHUNK

    Replay.objects.update(lease_until=Now())
    services.set_paused(sync=outbound(), is_paused=False)
    with running_worker(tmp_path / "second.log"):
        eventually(lambda: _is_done(replay), lambda: str(outcomes.counts(replay)))
    assert outcomes.counts(replay) == {"done": RECORDS}
    assert jobs.go(Wanted(letters.parse("state=dead")), by=None) == (None, False)
    numbers = Counter(row["number"] for row in world.control(target, "rows"))
    assert len(numbers) == RECORDS
    assert set(numbers.values()) == {1}


def _is_done(replay: Replay) -> bool:
    sweeper.tick()
    replay.refresh_from_db()
    return replay.state == Replay.State.DONE
