"""The pages of business calendars: hours by day, pasted holidays, and who may change them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from governance.calendars.services import save_calendar
from governance.models import BusinessCalendar
from hub.common.times import set_business_clock

pytestmark = pytest.mark.django_db
FORM = {
    "name": "London office",
    "time_zone": "Europe/London",
    "mon": "9:00-12:30, 13:30-17:30",
    "tue": "09:00-17:30",
    "wed": "closed",
    "holidays": "2026-12-28 Boxing Day\n12-25 Christmas Day\n",
}


def text(response):
    return " ".join(response.content.decode().split())


def test_a_calendar_is_made_by_form(ada, browse):
    answer = browse(ada).post("/calendars/new/", FORM)
    assert answer["Location"] == "/calendars/london-office/"
    made = BusinessCalendar.objects.get()
    assert made.hours == {"mon": ["09:00-12:30", "13:30-17:30"], "tue": ["09:00-17:30"], "wed": []}
    assert made.holidays == [
        {"date": "12-25", "name": "Christmas Day"},
        {"date": "2026-12-28", "name": "Boxing Day"},
    ]


def test_editing_shows_and_keeps_what_is_stored(ada, browse):
    browse(ada).post("/calendars/new/", FORM)
    page = text(browse(ada).get("/calendars/london-office/edit/"))
    assert 'value="09:00-12:30, 13:30-17:30"' in page
    assert 'value="closed"' in page
    assert "12-25 Christmas Day 2026-12-28 Boxing Day" in page


def test_the_page_counts_from_now_over_the_holidays(ada, browse):
    set_business_clock(datetime(2026, 12, 24, 17, tzinfo=UTC))
    week = {day: ["09:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")}
    holidays = [{"date": "12-25", "name": "Christmas Day"}, {"date": "2026-12-28"}]
    save_calendar({"slug": "office", "name": "Office", "hours": week, "holidays": holidays}, by=None)
    page = text(browse(ada).get("/calendars/office/"))
    assert "Open now" in page
    assert "Christmas Day" in page
    assert "2026-12-29T09:30:00Z" in page


def test_an_icalendar_file_is_added_and_what_it_lacks_is_said(ada, browse):
    ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nSUMMARY:New Year\nEND:VEVENT\n"
    ics += "BEGIN:VEVENT\nDTSTART:20270102T100000Z\nSUMMARY:Meeting\nEND:VEVENT\nEND:VCALENDAR\n"
    file = SimpleUploadedFile("holidays.ics", ics.encode())
    answer = browse(ada).post("/calendars/new/", {**FORM, "file": file}, follow=True)
    assert "“Meeting” is not a whole day" in text(answer)
    assert {"date": "2027-01-01", "name": "New Year"} in BusinessCalendar.objects.get().holidays


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mon": "9-5"}, "is not a span of a day"),
        ({"mon": "", "tue": "", "wed": ""}, "closed on every day of the week"),
        ({"holidays": "Christmas"}, "Line 1:"),
        ({"time_zone": "Mars"}, "Select a valid choice"),
        ({"slug": "new"}, "Give a short name"),
    ],
)
def test_a_wrong_form_is_answered_with_a_sentence(ada, browse, change, words):
    answer = browse(ada).post("/calendars/new/", {**FORM, **change})
    assert answer.status_code == 422
    assert words in text(answer)
    assert not BusinessCalendar.objects.exists()


def test_only_who_may_change_all_domains_changes_a_calendar(make_person, finn, browse):
    otto = make_person("Otto", ("integration_admin", "billing-gl"))
    assert browse(otto).get("/calendars/").status_code == 200
    assert browse(otto).post("/calendars/new/", FORM).status_code == 403
    assert browse(finn).post("/calendars/new/", FORM).status_code == 403


def test_the_list_is_found_and_exported(ada, browse):
    assert "No business calendars yet" in text(browse(ada).get("/calendars/"))
    browse(ada).post("/calendars/new/", FORM)
    assert "No calendar matches" in text(browse(ada).get("/calendars/?q=Berlin"))
    assert b"Monday 09:00-12:30" in b"".join(browse(ada).get("/calendars.csv").streaming_content)
