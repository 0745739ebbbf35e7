"""The pages of engagements in a browser: a thread in every state, the choice, the list, and the way from the palette."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from hub.accounts.models import User
from hub.sync.states import DeliveryState
from tests.thread.builders import Engagement

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(visit: Any, domains: Any) -> Engagement:
    now = timezone.now()
    made = Engagement()
    project = made.won(now - 60 * DAY)
    made.level()
    made.level(slug="set-up", name="A new project is set up everywhere", measure="duration", entity=project.entity,
               domain=project.entity.domain, target=None, condition={}, breach_seconds=8 * 3600)  # fmt: skip
    made.delivered(project, "project-to-erp", now - 60 * DAY, 2 * HOUR)
    for number in range(24):
        made.delivered(made.time(f"T-{number:04}", now - 9 * DAY), "time_entry-to-erp", now - 9 * DAY, 3 * HOUR)
    bad = made.time("T-0099", now - 9 * DAY)
    made.open(bad, "time_entry-to-erp", now - 9 * DAY, DeliveryState.DEAD, error_detail="The period 2026-10 is closed.")
    made.arrives(
        "psa", "milestone", "M-1", now - 5 * DAY, project="P-1", status="accepted", amount="60000.00", currency="GBP"
    )
    made.invoice("INV-20714", now - 3 * DAY)
    return made


def test_the_pages(visit: Any, ada: User, world: Engagement) -> None:
    visit(ada).inspect("/thread/", "thread_list")
    visit(ada).inspect("/thread/project/P-1/", "thread")
    visit(ada).inspect("/thread/project/P-1/legs/time-erp/?state=missing", "thread_leg")


def test_a_record_explained_and_its_evidence(visit: Any, ada: User, world: Engagement) -> None:
    visit(ada).inspect("/thread/explain/invoice/INV-20714/", "thread_explain")
    visit(ada).inspect("/thread/evidence/invoice/INV-20714.html", "thread_evidence")


def test_transactions_and_the_way_of_one(visit: Any, ada: User, world: Engagement) -> None:
    here = visit(ada)
    here.inspect("/transactions/?system=erp&outcome=passed", "transactions")
    page = here.go("/transactions/?key=T-0001&sync=time_entry-to-erp")
    page.click("th a")
    here.inspect(here.path, "transaction_detail")


def test_empty_and_nothing_found(visit: Any, ada: User, domains: Any) -> None:
    visit(ada).inspect("/thread/", "thread_list_empty")
    page = visit(ada).go("/thread/?q=nothing")
    page.wait_for_selector("text=Nothing is called so")


def test_somebody_of_another_domain(visit: Any, make_person: Any, world: Engagement) -> None:
    fay = make_person("Fay", ("finance", "billing-gl"))
    visit(fay).inspect("/thread/project/P-1/", "thread_hidden")


def test_an_id_pasted_into_the_palette_leads_to_the_thread_in_two_steps(
    visit: Any, ada: User, world: Engagement
) -> None:
    here = visit(ada)
    page = here.go("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("erp:INV-20714")
    expect(page.get_by_role("option").first).to_have_text(re.compile("P-1 Depot modernisation"))
    here.settle()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/thread/project/P-1/$"))
