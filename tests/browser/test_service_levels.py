"""The pages of service levels and business calendars in a browser: sentence and back-test without a reload of the form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.calendars.services import save_calendar
from governance.service_levels.services import save_service_level
from hub.accounts.models import User
from tests.service_levels.builders import World, document

HOUR = timedelta(hours=1)


@pytest.fixture
def world(visit: Any, domains: Any) -> World:
    made = World()
    now = timezone.now()
    for number in range(1, 60):
        made.arrived(now - number * 24 * HOUR, (5 if number % 20 == 0 else 1 + number % 3) * HOUR)
    week = {day: ["09:00-12:30", "13:30-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")}
    holidays = [{"date": "12-25", "name": "Christmas Day"}, {"date": "2026-12-28", "name": "Boxing Day (substitute)"}]
    save_calendar(
        {"slug": "london", "name": "London office", "time_zone": "Europe/London", "hours": week, "holidays": holidays},
        by=None,
    )
    save_service_level(document(made, owner="Finance operations"), by=None)
    save_service_level(
        document(
            made, slug="time-by-7", name="Time is there by 7", measure="availability", due_time="07:00", source="psa"
        ),
        by=None,
    )
    return made


def test_the_pages(visit: Any, ada: User, world: World) -> None:
    for path, name in (("", "list"), ("approved-time/", "detail"), ("approved-time/edit/", "form")):
        visit(ada).inspect(f"/service-levels/{path}", f"service_level_{name}")


def test_the_sentence_follows_the_form_and_the_test_saves_nothing(visit: Any, ada: User, world: World) -> None:
    page = visit(ada).go("/service-levels/approved-time/edit/")
    page.fill("#id_breach", "8")
    page.wait_for_selector("#sentence:has-text('in 8 hours')")
    page.click("button[value=backtest]")
    page.wait_for_selector("#backtest:has-text('Attained')")
    assert page.input_value("#id_breach") == "8"
    page = visit(ada).go("/service-levels/approved-time/")
    page.wait_for_selector("text=in 4 hours")


def test_calendars(visit: Any, ada: User, world: World) -> None:
    for path, name in (("", "list"), ("london/", "detail"), ("london/edit/", "form")):
        visit(ada).inspect(f"/calendars/{path}", f"calendar_{name}")
