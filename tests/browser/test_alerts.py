"""The pages of alerts, the control room and the run grid in a browser: empty, full, and with what fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.calendars.services import save_calendar
from hub.accounts.models import User
from hub.sync.models import Run
from hub.sync.states import RunStatus
from monitoring.alerts import services, shipped
from monitoring.control import rows
from monitoring.models import Alert, AlertNotice, AlertRule, QueueLook
from tests.alerts.builders import World

TIMINGS = {"plan": 0.1, "waiting for source": 2.0, "prepare": 1.0, "store": 1.5}


@pytest.fixture
def world(visit: Any, domains: Any, ada: User) -> World:
    """A connection is down, two syncs fail, money stands still, one queue has no worker, and somebody is told of it."""
    made = World()
    shipped.ensure()
    save_calendar(
        {"slug": "london", "name": "London office", "time_zone": "Europe/London", "hours": {"mon": ["09:00-17:00"]}},
        by=None,
    )
    finance = {"slug": "finance", "name": "Finance operations", "mail": ["finance@firm.example"], "amount_from": "1000"}
    services.save_route({**finance, "digest": "hourly", "calendar": "london", "position": 10}, by=ada)
    webhook = {"webhook": "https://hooks.firm.example/alerts", "goes_on": True, "position": 5}
    services.save_route({"slug": "pager", "name": "Pager", "level": "critical", **webhook}, by=ada)
    for number in range(70):
        status = (
            RunStatus.FAILED if number % 17 == 3 else RunStatus.SUSPECT if number % 23 == 5 else RunStatus.SUCCEEDED
        )
        made.ran(
            status,
            at=timezone.now() - timedelta(minutes=10 * (70 - number)),
            seconds=5 + number % 9,
            timings=TIMINGS,
            read=100,
        )
    made.ran(
        RunStatus.FAILED, sync=made.delivers, error="Oracle Fusion answered 500.", timings={"plan": 0.1, "claim": 2.0}
    )
    Run.objects.create(sync=made.reads, status=RunStatus.QUEUED, trigger="schedule")
    made.circuit(sync=made.reads)
    for amount in ("61262.50", "14070.00", "15481.20"):
        made.dead(amount)
    QueueLook.objects.create(queue="read", workers=2, waiting=4, lengths=[1, 4, 2, 9, 4], looked_at=timezone.now())
    QueueLook.objects.create(
        queue="deliver", workers=0, waiting=1204, lengths=[4, 90, 800, 1204], looked_at=timezone.now()
    )
    made.look()
    AlertNotice.objects.filter(channel="webhook").update(state="dead", attempts=8, error="The receiver answered 503.")
    rule = AlertRule.objects.get(slug="slow-run")
    services.mute(rule=rule, until=timezone.now() + timedelta(days=2), reason="The ERP is being moved.", by=ada)
    return made


def test_the_pages_of_alerts(visit: Any, ada: User, world: World) -> None:
    down = Alert.objects.get(rule__slug="connection-down")
    for path, name in (
        ("", "list"),
        (f"{down.pk}/", "alert"),
        ("history/", "history"),
        ("notices/", "notices"),
        ("mutes/", "mutes"),
        ("rules/", "rules"),
        ("rules/connection-down/", "rule"),
        ("rules/new/", "rule_form"),
        ("routes/", "routes"),
        ("routes/finance/", "route"),
        ("routes/finance/edit/", "route_form"),
    ):
        visit(ada).inspect(f"/alerts/{path}", f"alerts_{name}")


def test_empty_pages(visit: Any, ada: User, domains: Any) -> None:
    for path, name in (
        ("alerts/", "alerts"),
        ("alerts/routes/", "routes"),
        ("monitor/", "room"),
        ("runs/grid/", "grid"),
    ):
        visit(ada).inspect(f"/{path}", f"empty_{name}")


def test_the_control_room(visit: Any, ada: User, world: World, monkeypatch: Any) -> None:
    def broken(view: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setitem(rows._rows, "broken", (45, "Broken row", "monitor.view", broken))
    visit(ada).inspect("/monitor/", "monitor")
    visit(ada).inspect("/monitor/?kiosk=1", "monitor_kiosk")


def test_the_run_grids(visit: Any, ada: User, world: World) -> None:
    visit(ada).inspect("/syncs/psa-time/grid/", "grid_sync")
    visit(ada).inspect("/runs/grid/", "grid_all")


def test_the_grid_is_walked_by_keys(visit: Any, ada: User, world: World) -> None:
    page = visit(ada).go("/runs/grid/")
    assert page.locator(".run-grid td a[tabindex='0']").count() == 1
    page.locator(".run-grid td a[tabindex='0']").focus()
    first = page.evaluate("document.activeElement.href")
    for key in ("ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    second = page.evaluate("document.activeElement.href")
    assert second != first
    page.keyboard.press("Enter")
    page.wait_for_url(second)


def test_the_preview_follows_the_form(visit: Any, ada: User, world: World) -> None:
    page = visit(ada).go("/alerts/routes/")
    page.select_option("#id_level", "critical")
    page.wait_for_selector("#who:has-text('Pager')")
    assert page.locator("#who").get_by_text("It begins at 1000").count() == 1


def test_a_mute_is_given_in_its_box(visit: Any, ada: User, world: World) -> None:
    down = Alert.objects.get(rule__slug="connection-down")
    page = visit(ada).go(f"/alerts/{down.pk}/")
    page.click("[data-open=mute-alert]")
    page.fill("#mute-alert #id_reason", "The vendor works on it.")
    page.click("#mute-alert .btn-primary")
    page.wait_for_selector("text=The vendor works on it.")


def test_the_refresh_can_be_paused_by_a_link(visit: Any, ada: User, world: World) -> None:
    page = visit(ada).go("/monitor/")
    assert page.locator("#room[hx-trigger]").count() == 1
    page.click("text=Pause refresh")
    assert page.locator("#room[hx-trigger]").count() == 0
