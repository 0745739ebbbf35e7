"""The exception queue in a browser: empty, full, and with a source that could not be asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.accounts.models import User
from monitoring.exceptions import services
from monitoring.models import ExceptionGroup, ExceptionItem, ExceptionSweep
from tests.exceptions.world import World, sweep


@pytest.fixture
def world(visit: Any, domains: Any) -> World:
    return World()


@pytest.fixture
def full(world: World, finn: User) -> World:
    now = timezone.now()
    world.rate("EUR", "0.85")
    world.price("RC-1", "Senior Consultant", "145.00", customer="C-1")
    services.save_route({"slug": "finance", "name": "Everything to finance", "team": "Finance operations"}, by=None)
    for number in range(60):
        body = {"amount": None, "role": "Senior Consultant", "hours": "7.50"}
        world.held(detail="Billable time has a bill rate.", body=body, at=now - timedelta(hours=number))
    for number in range(8):
        world.held(body={"amount": f"{number}500.00", "currency": "EUR"}, at=now - timedelta(days=number))
    world.held("UNMAPPED", "'paused' is not in the value map project-status.", body={"currency": "CHF"})
    world.refused("Job P-1 is blocked: Blocked must not be All.", role="Lead")
    sweep()
    ExceptionItem.objects.filter(cause="closed-project").update(assignee=finn)
    return world


def test_an_empty_queue(visit: Any, finn: User, world: World) -> None:
    sweep()
    visit(finn).inspect("/exceptions/", "exceptions_empty")


def test_the_queue(visit: Any, finn: User, full: World) -> None:
    visit(finn).inspect("/exceptions/", "exceptions")
    visit(finn).inspect("/exceptions/?view=items", "exception_items")


def test_a_cause_and_an_item(visit: Any, finn: User, full: World) -> None:
    group = ExceptionGroup.objects.get(cause="missing-rate")
    visit(finn).inspect(group.get_absolute_url(), "exception_group")
    item = ExceptionItem.objects.filter(group=group).first()
    assert item
    visit(finn).inspect(item.get_absolute_url(), "exception_item")
    visit(finn).inspect(ExceptionItem.objects.get(cause="closed-project").get_absolute_url(), "exception_delivery")


def test_what_could_not_be_asked_is_said(visit: Any, finn: User, full: World) -> None:
    ExceptionSweep.objects.update(problems=["gap: the ERP did not answer"])
    page = visit(finn).go("/exceptions/")
    page.wait_for_selector("text=Not everything could be checked")
    visit(finn).inspect("/exceptions/?amount=odd", "exceptions_wrong")


def test_causes_and_routing(visit: Any, ada: User, full: World) -> None:
    for path in ("classifications/", "classifications/missing-rate/", "routing/", "routing/finance/"):
        visit(ada).inspect(f"/exceptions/{path}", f"exception_{path.strip('/').replace('/', '_')}")


def test_a_rule_is_tried_before_it_is_saved(visit: Any, ada: User, full: World) -> None:
    page = visit(ada).go("/exceptions/routing/new/")
    page.fill("#id_name", "Large amounts")
    page.fill("#id_team", "Controller")
    page.fill("#id_position", "1")
    page.fill("#id_amount_from", "5000")
    page.click("button[name=preview]")
    page.wait_for_selector("#preview:has-text('Would route 2 of the 70 open ones')")
    assert page.input_value("#id_team") == "Controller"


def test_the_first_page(visit: Any, finn: User, full: World) -> None:
    visit(finn).inspect("/", "exceptions_home")
