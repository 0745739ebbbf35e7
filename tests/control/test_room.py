"""The control room: every row leads somewhere, and what cannot be known is said."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from hub.sync.models import Transaction
from hub.sync.states import Outcome, RunStatus
from monitoring.control import queues, rows, timerange
from monitoring.models import QueueLook, Reconciliation, ReconciliationGap, ReconciliationRun
from tests.alerts.builders import HOUR, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def page(browse: Any, user: Any, query: str = "") -> str:
    answer = browse(user).get(f"/monitor/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_empty_hub_is_all_good(browse: Any, olga: Any, domains: Any) -> None:
    found = page(browse, olga)
    for words in ("Nothing is parked.", "Everything passed in this time.", "All data is as fresh as promised."):
        assert words in found


def test_dead_letters_stand_with_their_money_and_lead_to_their_list(browse: Any, olga: Any, world: World) -> None:
    world.dead("80000.00")
    world.dead("4200.00")
    found = page(browse, olga)
    assert "84,200.00" in found
    assert "/dead-letters/?connection=erp" in found


def test_failures_count_only_in_the_time_that_is_looked_at(browse: Any, olga: Any, world: World) -> None:
    record = world.record(timezone.now())
    world.ledger(world.delivers, record, timezone.now() - 2 * HOUR, Outcome.DEAD)
    world.ledger(world.delivers, record, timezone.now() - 30 * HOUR, Outcome.DEAD)
    assert Transaction.objects.count() == 2
    for text, number in (("now-1h", 0), ("now-6h", 1), ("now-7d", 2)):
        assert f'<span class="k">Failed</span><span class="v">{number}</span>' in page(browse, olga, f"?from={text}")


def test_people_of_another_domain_see_neither_money_nor_names(browse: Any, make_person: Any, world: World) -> None:
    world.dead("80000.00")
    bob = make_person("Bob", ("operator", "billing-gl"))
    found = page(browse, bob)
    assert "80,000.00" not in found
    assert "/dead-letters/?connection=erp" not in found


def test_nobody_without_the_permission_enters(browse: Any, mallory: Any) -> None:
    assert browse(mallory).get("/monitor/").status_code == 403


def seen(name: str, **fields: Any) -> None:
    QueueLook.objects.create(queue=name, **{"workers": 1, "waiting": 0, "looked_at": timezone.now(), **fields})


def test_a_queue_that_no_worker_answers_is_an_error(browse: Any, olga: Any, domains: Any) -> None:
    seen("deliver", workers=0, waiting=12, empty_since=timezone.now())
    seen("read")
    found = page(browse, olga)
    assert "No worker answers deliver" in found
    assert "No worker answers read" not in found


def test_a_look_that_is_old_counts_as_no_worker(domains: Any) -> None:
    seen("read", looked_at=timezone.now() - timedelta(seconds=queues.OLD_SECONDS + 1))
    assert [queue.name for queue in queues.deserted()] == ["read"]


def test_asking_the_workers_keeps_what_they_say(domains: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(queues, "_workers", lambda: ["read", "read", "tell"])
    monkeypatch.setattr(queues, "_waiting", lambda name: 3)
    queues.look()
    queues.look()
    known = {queue.name: queue for queue in queues.seen()}
    assert (known["read"].workers, known["deliver"].workers, known["read"].lengths) == (2, 0, [3, 3])
    assert known["deliver"].is_deserted
    assert known["deliver"].empty_since is not None


def test_a_broker_that_is_away_leaves_workers_unknown(domains: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(queues, "_workers", lambda: None)
    monkeypatch.setattr(queues, "_waiting", lambda name: None)
    queues.look()
    assert queues.deserted() == []
    assert {queue.workers for queue in queues.seen()} == {None}


def test_a_row_that_fails_takes_no_other_with_it(browse: Any, olga: Any, world: World, monkeypatch: Any) -> None:
    def broken(view: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setitem(rows._rows, "broken", (1, "Broken row", "monitor.view", broken))
    found = page(browse, olga)
    assert "Broken row" in found
    assert "Nothing is parked." in found


def test_what_is_critical_stands_on_top(browse: Any, olga: Any, world: World) -> None:
    world.rule("failed_run", "", "1")
    world.ran(RunStatus.FAILED, error="The system does not answer.")
    world.look()
    assert "psa-time: It failed: The system does not answer." in page(browse, olga)


def test_changes_of_the_configuration_are_marked(browse: Any, ada: Any, olga: Any, world: World) -> None:
    given = {"name": "Slow", "what": "slow_run", "warning": "2", "critical": "5", "evaluations": "1"}
    browse(ada).post("/alerts/rules/new/", given)
    assert "Changed in this time" in page(browse, olga)
    assert "Changed in this time" not in page(browse, olga, "?from=2026-01-01&to=2026-01-02")


def test_the_wall_screen_has_no_navigation_and_can_stand_still(browse: Any, olga: Any, domains: Any) -> None:
    wall = page(browse, olga, "?kiosk=1&from=now-24h")
    assert 'aria-label="Main"' not in wall
    assert "/monitor/?from=now-24h&amp;kiosk=1" in wall
    assert "hx-trigger" in wall
    assert "every 30s" not in page(browse, olga, "?kiosk=1&paused=1")


@pytest.mark.parametrize(
    "query", ["from=nonsense", "from=now&to=now-6h", "from=now-9999w", "from=2026-13-01", "to=%00"]
)
def test_a_time_that_cannot_be_read_is_the_last_six_hours(rf: Any, query: str) -> None:
    found = timerange.of_request(rf.get(f"/monitor/?{query}"))
    assert round(found.seconds) == 6 * 3600


def test_htmx_gets_the_rows_alone(browse: Any, olga: Any, domains: Any) -> None:
    answer = browse(olga).get("/monitor/", headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="room"')


def test_promises_and_gaps_have_their_rows(browse: Any, ada: Any, world: World) -> None:
    world.level().save()
    found = page(browse, ada)
    assert "Approved time to the ERP" in found
    assert '<span class="k">SLAs burning</span><span class="v">0</span>' in found
    assert "All data is as fresh as promised." in found


def test_gaps_stand_with_what_nobody_can_explain(browse: Any, ada: Any, world: World) -> None:
    of = Reconciliation.objects.create(
        slug="time", name="Time, UK", domain=world.entity.domain, entity=world.entity, left={}, right={}, key=[]
    )
    run = ReconciliationRun.objects.create(
        reconciliation=of, status="done", trigger="manual", matched=983, only_left=17, finished_at=timezone.now()
    )
    now = timezone.now()
    given = {"kind": "only_left", "key": "T-1", "period": "2026-11", "content": "x", "opened_at": now, "seen_at": now}
    ReconciliationGap.objects.create(
        reconciliation=of, run=run, identity="1", left_amount=Decimal("1236"), currency="GBP", **given
    )
    found = page(browse, ada)
    assert "98.3 %" in found
    assert "1,236.00" in found
    assert "/reconciliation/time/" in found
