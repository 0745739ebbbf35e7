"""Calendars as they are kept: inherited hours, refusals, the audit, and the way through files and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from governance.calendars.opening import add_business_time
from governance.calendars.services import delete_calendar, save_calendar
from governance.models import AuditEntry, BusinessCalendar
from hub.common.errors import ConfigError
from hub.config import documents
from hub.config import services as config

pytestmark = pytest.mark.django_db

WEEK = {day: ["9:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
FIRM = {"slug": "firm", "name": "Firm", "hours": WEEK, "holidays": [{"date": "12-25", "name": "Christmas Day"}]}
BERLIN = {
    "slug": "berlin",
    "name": "Berlin",
    "time_zone": "Europe/Berlin",
    "parent": "firm",
    "hours": {"fri": ["09:00-15:00"]},
}


@pytest.fixture
def two(db):
    save_calendar(FIRM, by=None)
    save_calendar({**BERLIN, "holidays": [{"date": "2026-10-03"}]}, by=None)
    return BusinessCalendar.objects.get(slug="berlin")


def test_a_calendar_has_from_its_parent_what_it_does_not_say(two):
    hours = two.opening_hours
    thursday, friday = datetime(2026, 12, 24, 15, tzinfo=UTC), datetime(2026, 12, 28, 8, tzinfo=UTC)
    assert add_business_time(hours, thursday, timedelta(hours=1)) == thursday + timedelta(hours=1)
    assert add_business_time(hours, thursday, timedelta(minutes=61)) == friday + timedelta(minutes=1)


def test_a_circle_is_refused_with_its_members(two):
    with pytest.raises(ConfigError, match="Firm → Berlin → Firm"):
        save_calendar({**FIRM, "parent": "berlin"}, by=None)
    assert BusinessCalendar.objects.get(slug="firm").parent is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hours": {}}, "closed on every day"),
        ({"hours": {"mon": ["9-5"]}}, "'9-5' is not a span"),
        ({"time_zone": "Berlin"}, "not a time zone"),
        ({"holidays": [{"date": "2026-02-30"}]}, "is no holiday"),
        ({"holidays": "Christmas"}, "a list of"),
        ({"parent": "firm"}, "from itself"),
        ({"parent": "nowhere"}, "nowhere"),
    ],
)
def test_a_wrong_calendar_is_refused_with_a_sentence(db, change, words):
    with pytest.raises(ConfigError, match=words):
        save_calendar({**FIRM, **change}, by=None)
    assert not BusinessCalendar.objects.exists()


def test_saving_is_written_down_with_who_and_why(two, ada):
    save_calendar({**FIRM, "name": "The firm"}, by=ada, reason="New name")
    entry = AuditEntry.objects.get(act="business_calendar.saved", actor_id=ada.pk)
    assert (entry.kind, entry.name, entry.reason) == ("BusinessCalendar", "firm", "New name")
    assert entry.before_hash != entry.after_hash
    assert BusinessCalendar.history.filter(slug="firm").count() == 2


def test_a_calendar_that_is_used_is_not_deleted(two, ada):
    with pytest.raises(ConfigError, match="used by BusinessCalendar berlin"):
        delete_calendar(two.parent, by=ada)
    delete_calendar(two, by=ada)
    assert AuditEntry.objects.filter(act="business_calendar.deleted", name="berlin").exists()


def test_export_then_apply_to_an_empty_hub_then_plan_is_empty(two, tmp_path):
    documents.write(tmp_path, config.export())
    assert config.plan(tmp_path).steps == []
    BusinessCalendar.objects.filter(slug="berlin").delete()
    BusinessCalendar.objects.all().delete()
    config.apply(tmp_path)
    assert config.plan(tmp_path).steps == []
    assert BusinessCalendar.objects.get(slug="berlin").parent.slug == "firm"
