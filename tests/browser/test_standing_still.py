"""What stands still, what is in doubt, and what comes by itself: the pages as people see them, empty, full and failing."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import circuits
from hub.common.errors import UnknownOutcome
from hub.sync import services
from hub.sync.keys import delivery_key
from hub.sync.models import Delivery
from hub.webhooks.models import Message
from tests.sync import builders as build
from tests.sync import worlds
from tests.webhooks.conftest import World, world

__all__ = ["world"]


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    found = worlds.make()
    found.read(*(build.project_row(number) for number in range(3)))
    return found


def test_a_connection_that_does_not_answer(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    circuits.note_failure(
        firm.outbound.stream.connection_id, "The system answers 503: down for maintenance.", trip=True
    )
    here = visit(ada)
    here.inspect("/connections/erp/", "connection_down")
    here.inspect("/syncs/", "syncs_one_down")
    here.inspect("/syncs/erp-jobs/", "sync_down")


def test_a_connection_that_refuses_the_sign_in(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    circuits.pause_for_sign_in(firm.outbound.stream.connection_id, "The system answers 401: unknown key.")
    visit(ada).inspect("/connections/erp/", "connection_sign_in")


def test_everything_is_paused_and_a_queue_is_purged(visit: Any, olga: Any, firm: worlds.Firm) -> None:
    here = visit(olga)
    here.inspect("/syncs/standstill/", "standstill_free")
    services.set_standstill(is_paused=True, reason="Month end: nothing may move until finance says so.", by=olga)
    here.inspect("/syncs/standstill/", "standstill_paused")
    here.inspect("/syncs/", "syncs_paused")
    here.inspect("/syncs/erp-jobs/purge/", "purge_full")
    here.inspect("/syncs/connection/erp/purge/", "purge_connection")
    Delivery.objects.all().delete()
    here.inspect("/syncs/erp-jobs/purge/", "purge_empty")


def test_a_doubt_that_the_target_is_asked_about(visit: Any, olga: Any, domains: Any) -> None:
    firm = worlds.make()
    firm.erp.safety, firm.erp.settle_seconds = "C", 600.0
    firm.read(build.project_row(1))
    firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    firm.deliver()
    here = visit(olga)
    here.inspect(f"/deliveries/{delivery_key(Delivery.objects.get())}/", "delivery_asked")
    here.inspect("/deliveries/", "deliveries_asked")


def test_webhooks_empty(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    here = visit(ada)
    here.inspect("/webhooks/", "webhooks_empty")
    here.inspect("/webhooks/new/", "webhook_new")


def test_webhooks_full_and_failing(visit: Any, ada: Any, world: World) -> None:
    here = visit(ada)
    here.inspect("/webhooks/psa/", "webhook_unused")
    for number in range(4):
        world.send(world.row(number + 1), message_id=f"m{number}")
    world.post(b'{"type": "project.updated"}', message_id="without-record")
    world.work()
    world.endpoint.refresh_from_db()
    here.inspect("/webhooks/", "webhooks_full")
    here.inspect("/webhooks/psa/", "webhook_full")
    here.inspect("/webhooks/psa/settings/", "webhook_settings")
    for state in (Message.State.DONE, Message.State.REJECTED):
        message = Message.objects.filter(state=state).latest("pk")
        here.inspect(f"/webhooks/psa/messages/{message.pk}/", f"webhook_message_{state}")
