"""The pages of service levels: who sees and changes what, the sentence, and the back-test before saving."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from governance.models import AuditEntry, ServiceLevel
from governance.service_levels.services import save_service_level
from hub.common.times import set_business_clock
from monitoring.expectations.services import sweep
from monitoring.models import ExpectationPosition
from tests.service_levels.builders import World, document

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORM = {
    "name": "Approved time to the ERP",
    "slug": "",
    "measure": "latency",
    "domain": "project-wbs",
    "entity": "time_entry",
    "target": "erp",
    "condition": "status: approved",
    "breach": "4",
    "warn": "3",
    "unit": "3600",
    "objective_percent": "99",
    "window": "month",
    "owner": "Finance operations",
}


@pytest.fixture
def world(domains):
    set_business_clock(NOW)
    return World()


@pytest.fixture
def level(world):
    save_service_level(document(world), by=None)
    return ServiceLevel.objects.get()


def text(response):
    return " ".join(response.content.decode().split())


def test_a_level_is_made_by_form_and_says_its_sentence(world, ada, browse):
    answer = browse(ada).post("/service-levels/new/", {**FORM, "do": "save"})
    assert answer["Location"] == "/service-levels/approved-time-to-the-erp/"
    made = ServiceLevel.objects.get()
    assert (made.breach_seconds, made.warn_seconds, made.condition) == (14_400, 10_800, {"status": ["approved"]})
    assert AuditEntry.objects.filter(act="service_level.saved", name=made.slug, actor_id=ada.pk).exists()
    page = text(browse(ada).get(answer["Location"]))
    assert "Every time_Entry with status approved reaches erp in 4 hours, 99 % a month." in page


def test_the_form_tests_on_history_and_saves_nothing(world, ada, browse):
    world.arrived(NOW - DAY, 5 * HOUR)
    page = text(browse(ada).post("/service-levels/new/", {**FORM, "do": "backtest"}))
    assert "On stored history" in page
    assert "0.00" in page
    assert "2026-11" in page
    assert not ServiceLevel.objects.exists()


def test_a_test_without_history_says_so(world, ada, browse):
    page = text(browse(ada).post("/service-levels/new/", {**FORM, "do": "backtest"}))
    assert "No history yet" in page


def test_the_preview_follows_half_a_form(world, ada, browse):
    page = text(browse(ada).post("/service-levels/preview/", {"measure": "latency", "breach": "4", "unit": "3600"}))
    assert "reaches every system that it is delivered to in 4 hours, 99 % a month." in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"breach": "0"}, "Say after how long the promise is broken"),
        ({"warn": "4"}, "The warning comes before the breach."),
        ({"condition": "status"}, "names no values"),
        ({"condition": "colour: red"}, "has no field &#x27;colour&#x27;"),
        ({"target": ""}, "Say which system it has to reach."),
        ({"domain": "billing-gl"}, "Choose that domain."),
        ({"objective_percent": "0"}, "above 0 and up to 100"),
        ({"slug": "new"}, "Give a short name"),
    ],
)
def test_a_wrong_form_is_answered_with_a_sentence(world, ada, browse, change, words):
    answer = browse(ada).post("/service-levels/new/", {**FORM, "do": "save", **change})
    assert answer.status_code == 422
    assert words in text(answer)
    assert not ServiceLevel.objects.exists()


def test_editing_shows_what_is_stored_and_changes_it(level, ada, browse):
    client = browse(ada)
    page = text(client.get(f"/service-levels/{level.slug}/edit/"))
    assert 'value="4"' in page
    client.post(f"/service-levels/{level.slug}/edit/", {**FORM, "breach": "90", "warn": "", "unit": "60", "do": "save"})
    level.refresh_from_db()
    assert (level.breach_seconds, level.warn_seconds, level.slug) == (5_400, 0, "approved-time")
    assert ServiceLevel.history.filter(slug=level.slug).count() == 2


def test_the_list_shows_state_attainment_and_budget(level, world, ada, browse):
    world.arrived(NOW - DAY, 5 * HOUR)
    world.arrived(NOW - DAY, HOUR)
    sweep()
    page = text(browse(ada).get("/service-levels/"))
    assert "Breached" in page
    assert "1 of 2 records in time" in page
    assert "50.00 %" not in page, "two events make no percentage"
    for _ in range(48):
        world.arrived(NOW - DAY, HOUR)
    ExpectationPosition.objects.update(taken_to=F("begun_at"))
    sweep()
    assert "98.00 %" in text(browse(ada).get("/service-levels/"))
    assert "Approved time" not in text(browse(ada).get("/service-levels/?state=met"))


def test_the_list_is_a_file_as_well(level, world, ada, browse):
    world.arrived(NOW - DAY, HOUR)
    sweep()
    rows = json.loads(b"".join(browse(ada).get("/service-levels.json").streaming_content))
    assert rows[0]["attained_percent"] == "100.00"
    assert rows[0]["state"] == "met"


def test_an_empty_list_says_what_would_be_here(world, ada, browse):
    assert "No service levels yet" in text(browse(ada).get("/service-levels/"))


def test_the_worst_lead_to_their_records(level, world, ada, browse):
    record = world.arrived(NOW - DAY, 5 * HOUR)
    sweep()
    page = text(browse(ada).get(f"/service-levels/{level.slug}/"))
    assert f'href="{record.get_absolute_url()}"' in page
    fragment = browse(ada).get(f"/service-levels/{level.slug}/backtest/?days=30", headers={"HX-Request": "true"})
    assert "<html" not in text(fragment)
    assert "The last 30 days." in text(fragment)


def test_who_may_not_change_it_sees_it_only(level, finn, mallory, make_person, browse):
    assert browse(finn).get(f"/service-levels/{level.slug}/").status_code == 200
    assert browse(finn).post(f"/service-levels/{level.slug}/edit/", FORM).status_code == 403
    assert browse(mallory).get("/service-levels/").status_code == 403
    elsewhere = make_person("Otto", ("integration_admin", "billing-gl"))
    assert browse(elsewhere).get(f"/service-levels/{level.slug}/").status_code == 404
    assert browse(elsewhere).post(f"/service-levels/{level.slug}/delete/").status_code == 404


def test_deleting_is_written_down(level, ada, browse):
    browse(ada).post(f"/service-levels/{level.slug}/delete/")
    assert not ServiceLevel.objects.exists()
    assert AuditEntry.objects.filter(act="service_level.deleted", actor_id=ada.pk).exists()
