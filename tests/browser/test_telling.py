"""Events for other systems, and reading a part of a source again: the pages as people see them, empty, full and failing."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from hub.events import sending
from hub.events.models import Notification, Subscription
from hub.sync import backfills, engine
from hub.sync.backfills import Asked
from hub.sync.models import Backfill
from tests.events.conftest import World, nothing_outlives_its_database, receiver, world
from tests.fakes import http
from tests.sync import builders as build
from tests.sync import worlds
from tests.sync.test_backfill import by_key, firm

__all__ = ["by_key", "firm", "nothing_outlives_its_database", "receiver", "world"]


def test_subscriptions_empty(visit: Any, ada: Any, domains: Any) -> None:
    here = visit(ada)
    here.inspect("/subscriptions/", "subscriptions_empty")
    here.inspect("/subscriptions/new/", "subscription_new")


def test_subscriptions_full_and_failing(visit: Any, ada: Any, world: World) -> None:
    here = visit(ada)
    here.inspect("/subscriptions/data-team/", "subscription_unused")
    world.receiver.answers = [http.Answer({"error": "The field status is not known."}, status=422)]
    world.firm.read(*(build.project_row(number) for number in range(1, 7)))
    world.send()
    world.due_now()
    world.send()
    here.inspect("/subscriptions/data-team/", "subscription_full")
    here.inspect("/subscriptions/data-team/events/", "subscription_events")
    here.inspect("/subscriptions/data-team/settings/", "subscription_settings")
    tried = Notification.objects.filter(attempts=2).first()
    assert tried
    here.inspect(f"/subscriptions/data-team/events/{tried.pk}/", "subscription_event")
    Notification.objects.filter(pk=tried.pk).update(state="failed", error="The receiver answered 422.")
    Subscription.objects.update(
        disabled_at=timezone.now(),
        disabled_reason="It has failed for 5 days. The last time: The receiver answered 500.",
    )
    here.inspect("/subscriptions/data-team/", "subscription_off")
    here.inspect("/subscriptions/", "subscriptions_full")


def test_a_test_event_shows_its_answer_by_itself(visit: Any, ada: Any, world: World) -> None:
    here = visit(ada)
    here.go("/subscriptions/data-team/")
    here.page.get_by_role("button", name="Send a test event").click()
    here.page.get_by_text("Waits for its sender.").wait_for()
    sending.send_due(world.subscription.pk)
    here.page.get_by_role("cell", name="204").wait_for()


def test_backfills(visit: Any, ada: Any, firm: worlds.Firm, by_key: None) -> None:
    here = visit(ada)
    here.inspect("/syncs/psa-projects/backfills/", "backfills_empty")
    here.page.get_by_label("Or keys").fill("3\n4\nnobody")
    here.page.get_by_role("button", name="Plan").click()
    here.page.get_by_text("This would be read.").wait_for()
    here.shoot("backfill_plan")
    here.page.get_by_label("Or keys").fill("3\n4\nnobody")
    here.page.get_by_role("button", name="Start").click()
    here.page.get_by_role("heading", name="Backfill of 3 keys").wait_for()
    found = Backfill.objects.get()
    here.inspect(f"/syncs/psa-projects/backfills/{found.pk}/", "backfill_queued")
    engine.execute(found.run_id)
    here.inspect(f"/syncs/psa-projects/backfills/{found.pk}/", "backfill_done")
    paused = backfills.start(firm.inbound, Asked(from_value="2026-11-01", reason="lost in the move"), by=ada)
    backfills.pause(paused, by=ada)
    here.inspect(f"/syncs/psa-projects/backfills/{paused.pk}/", "backfill_paused")
    here.inspect("/syncs/psa-projects/backfills/", "backfills_full")


pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
