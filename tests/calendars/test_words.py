"""Hours and holidays as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from governance.calendars.holidays import holiday_problems, holidays_of, list_text, normal_holidays, parse_list
from governance.calendars.hours import day_problem, normal_hours, week_of, week_problems, week_words


@pytest.mark.parametrize("text", ["9-17", "17:00-09:00", "09:00-24:01", "09:60-10:00", "", "09:00-09:00"])
def test_what_is_no_span_is_named(text):
    assert repr(text) in day_problem([text])


def test_spans_that_overlap_are_named():
    assert "'12:00-15:00'" in day_problem(["09:00-13:00", "12:00-15:00"])
    assert not day_problem(["09:00-13:00", "13:00-15:00"])


def test_a_day_that_is_none_is_named():
    assert week_problems({"mo": []}) == [("hours.mo", "'mo' is not a day. Use mon, tue, wed, thu, fri, sat, sun.")]


def test_a_day_that_is_not_named_is_inherited_and_an_empty_one_is_closed():
    base = week_of({"mon": ["09:00-17:00"], "tue": ["09:00-17:00"]})
    assert week_of({"tue": []}, base)[:3] == (((540, 1020),), (), ())


def test_days_with_the_same_hours_are_said_together():
    week = week_of({day: ["9:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")})
    assert week_words(week) == [("Monday to Friday", "09:00-17:30"), ("Saturday, Sunday", "closed")]


def test_hours_have_one_spelling():
    assert normal_hours({"tue": ["9:00 – 17:00"], "mon": []}) == {"mon": [], "tue": ["09:00-17:00"]}


LIST = """# England
2026-12-25, Christmas Day
2026-12-28\tBoxing Day (substitute)
12-26 Boxing Day
*-01-01 New Year
"""


def test_a_pasted_list_is_read_and_written_back():
    rows, problems = parse_list(LIST)
    assert problems == []
    assert [row["date"] for row in rows] == ["2026-12-25", "2026-12-28", "12-26", "01-01"]
    assert rows[0]["name"] == "Christmas Day"
    assert parse_list(list_text(rows)) == (rows, [])


def test_a_wrong_line_is_named_with_its_number():
    _, problems = parse_list("2026-12-25 x\n2026-02-30 none\n")
    assert problems[0].startswith("Line 2: '2026-02-30' is not a day.")


def test_the_29th_of_february_may_come_every_year():
    assert date(2028, 2, 29) in holidays_of([{"date": "02-29"}])
    assert holiday_problems([{"date": "02-30"}])


def test_a_day_stands_once_and_in_order():
    rows = [{"date": "2026-12-25", "name": "A"}, {"date": "01-01"}, {"date": "2026-12-25", "name": "B"}]
    assert normal_holidays(rows) == [{"date": "01-01"}, {"date": "2026-12-25", "name": "A"}]


ICS = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20261224\r
DTEND;VALUE=DATE:20261227\r
SUMMARY:Office\\, close\r
 d\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260501\r
RRULE:FREQ=YEARLY\r
SUMMARY:Labour Day\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART:20260501T090000Z\r
SUMMARY:Meeting\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260501\r
RRULE:FREQ=YEARLY;BYDAY=1MO;BYMONTH=5\r
SUMMARY:Early May\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_an_icalendar_file_gives_its_whole_days():
    rows, problems = parse_list(ICS)
    assert rows == [
        *({"date": f"2026-12-{day}", "name": "Office, closed"} for day in (24, 25, 26)),
        {"date": "05-01", "name": "Labour Day"},
    ]
    assert problems == [
        "“Meeting” is not a whole day, and is left out.",
        "“Early May” repeats by a rule other than every year, and is left out.",
    ]
