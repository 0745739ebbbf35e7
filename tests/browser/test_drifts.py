"""Drifts, the watched first hour of a change, removals, and the small acts of approvals in a browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.services import change_stream
from governance import drift
from governance.changes import canary, reviewing, services
from governance.models import ChangeCanary, ChangeRequest, Drift, ReviewGroup, ReviewPolicy
from hub.common import governed
from hub.common.registry import kind, removal
from tests.browser.tools import Visit
from tests.sync import builders as build
from tests.sync import worlds

Open = Callable[..., Visit]
FIELDS = [{"path": name, "type": "string", "required": True} for name in ("id", "code", "title")]


@pytest.fixture
def found(visit: Open, domains: Any, ada: Any) -> Drift:
    """An open drift that breaks the cursor, and one that was accepted."""
    stream = build.stream(build.connection("psa"), "projects", cursor="code")
    change_stream(stream, fields=FIELDS)
    colour = {"path": "colour", "type": "string", "required": False}
    accepted = drift.note(stream, FIELDS, [*FIELDS, colour], seen_in="discovery")
    assert accepted is not None
    drift.accept(accepted, by=ada, reason="The PSA shows colours now.")
    shape = [{**FIELDS[0], "type": "integer"}, FIELDS[2], colour]
    broken = drift.note(stream, [*FIELDS, colour], shape, seen_in="payload")
    assert broken is not None
    assert broken.is_breaking
    return broken


def test_drifts_are_read_and_decided(visit: Open, found: Drift, ada: Any) -> None:
    here = visit(ada)
    here.inspect("/drifts/", "drifts")
    here.inspect(f"/drifts/{found.pk}/", "drift")
    here.page.set_viewport_size({"width": 1440, "height": 1000})
    here.page.get_by_label("Reason").fill("They told us; it is only the number.")
    here.page.get_by_role("button", name="Dismiss").click()
    here.page.get_by_text("Dismissed").first.wait_for()
    here.inspect("/drifts/?status=open", "drifts_none")


def test_a_hub_without_drifts_says_that_all_is_well(visit: Open, domains: Any, ada: Any) -> None:
    here = visit(ada)
    here.inspect("/drifts/", "drifts_empty")
    here.page.get_by_text("Every source looks as it did").wait_for()


def test_the_first_hour_is_watched_on_the_page_of_the_change(visit: Open, domains: Any, ada: Any, grace: Any) -> None:
    firm = worlds.make()
    firm.read(*[build.project_row(n) for n in range(1, 21)])
    document = kind("Mapping").dump("psa-projects")
    assert document is not None
    rules = [
        {**rule, "source": "title" if rule["target"] == "budget" else rule["source"]} for rule in document["rules"]
    ]
    change = services.open_change([{**document, "rules": rules}], by=ada)
    here = visit(ada)
    page = here.go(change.get_absolute_url())
    page.get_by_role("button", name="Watch its first hour").click()
    page.get_by_text("Canary: armed").first.wait_for()
    here.inspect(change.get_absolute_url(), "canary_armed")
    change.refresh_from_db()
    reviewing.approve(change, by=grace, seen=change.content_hash)
    firm.read(*[{**build.project_row(n), "title": f"Other {n}"} for n in range(1, 21)])
    ChangeCanary.objects.update(began_at=timezone.now() - timedelta(minutes=2))
    canary.watch()
    here.inspect(change.get_absolute_url(), "canary_tripped")
    here.page.get_by_text("records of psa-projects fail").first.wait_for()
    here.go("/").get_by_text("was taken back by itself").first.wait_for()


@pytest.fixture
def calendars(domains: Any, ada: Any, grace: Any) -> list[ChangeRequest]:
    """Two new calendars wait, and the removal of one that another one inherits from."""
    hours = {"mon": ["09:00-17:00"], "tue": ["09:00-17:00"]}
    firm = {"kind": "BusinessCalendar", "slug": "firm", "name": "The firm", "hours": hours}
    governed.put([firm, {**firm, "slug": "uk", "name": "London", "parent": "firm"}], by=None)
    group = ReviewGroup.objects.create(slug="pmo", name="PMO", members=[grace.email])
    ReviewPolicy.objects.create(slug="days", name="Calendars", kind="BusinessCalendar", group=group)
    made = [
        services.open_change([{**firm, "slug": slug, "name": name}], by=ada, reason="A new office.")
        for slug, name in (("us", "New York"), ("de", "Munich"))
    ]
    return [*made, services.open_change([removal("BusinessCalendar", "firm")], by=ada, reason="Not used any more.")]


def test_a_removal_says_who_is_left_without_it(visit: Open, calendars: list[ChangeRequest], grace: Any) -> None:
    here = visit(grace)
    here.inspect(calendars[2].get_absolute_url(), "removal")
    here.page.get_by_text("BusinessCalendar uk").first.wait_for()


def test_small_changes_are_ticked_and_approved_together(visit: Open, calendars: Any, grace: Any) -> None:
    here = visit(grace)
    here.inspect("/changes/?view=turn", "approve_several")
    here.page.set_viewport_size({"width": 1440, "height": 1000})
    boxes = here.page.locator("input[name=change]")
    assert boxes.count() == 2
    for number in range(2):
        boxes.nth(number).check()
    here.page.get_by_role("button", name="Approve ticked").click()
    here.page.get_by_text("2 changes approved.").wait_for()


def test_a_proposal_is_edited_on_its_page(visit: Open, calendars: Any, ada: Any) -> None:
    here = visit(ada)
    page = here.go(calendars[0].get_absolute_url())
    page.get_by_role("link", name="Edit BusinessCalendar us").click()
    page.get_by_label("Document (YAML)").wait_for()
    here.inspect(here.path, "proposal_edit")
    here.page.set_viewport_size({"width": 1440, "height": 1000})
    page.get_by_label("Document (YAML)").fill("kind: BusinessCalendar\nslug: other\n")
    page.get_by_label("What you changed").fill("A mistake.")
    page.get_by_role("button", name="Propose this").click()
    page.get_by_text("Leave kind BusinessCalendar and slug us").wait_for()
    here.assert_accessible()
