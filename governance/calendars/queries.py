"""Reads of business calendars, which belong to the whole firm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q, QuerySet

from governance.calendars.holidays import holidays_of
from governance.calendars.hours import week_words
from governance.calendars.opening import OpeningHours, add_business_time, is_open, next_open
from governance.models import BusinessCalendar
from hub.accounts.models import User
from hub.common.times import business_now

SEE, EDIT = "monitor.view", "monitor.edit"
SHOWN = 12


def calendars(text: str = "") -> QuerySet[BusinessCalendar]:
    rows = BusinessCalendar.objects.select_related("parent__parent").annotate(users=Count("service_levels"))
    for word in text.split():
        rows = rows.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(time_zone__icontains=word))
    return rows


def may_edit(user: User) -> bool:
    """A calendar counts for every domain, so changing one needs the permission for all."""
    return user.has_hub_perm(EDIT) and user.domain_ids_for(EDIT) is None


def hours_words(calendar: BusinessCalendar) -> list[tuple[str, str]]:
    return week_words(calendar.week)


@dataclass(frozen=True, slots=True)
class ComingHoliday:
    day: date
    name: str
    owner: BusinessCalendar


def coming_holidays(calendar: BusinessCalendar, *, days: int = 400) -> list[ComingHoliday]:
    """The next holidays, its own and inherited ones, by day."""
    hours = calendar.opening_hours
    start = business_now().astimezone(hours.zone).date()
    wanted = [start + timedelta(days=offset) for offset in range(days)]
    found = [_named(calendar, day) for day in wanted if day in hours.holidays]
    return found[:SHOWN]


def _named(calendar: BusinessCalendar, day: date) -> ComingHoliday:
    for owner in calendar.line:
        if day in holidays_of(owner.holidays):
            names = {row["date"]: row.get("name", "") for row in owner.holidays}
            return ComingHoliday(day, names.get(day.isoformat()) or names.get(f"{day:%m-%d}", ""), owner)
    raise AssertionError(day)


@dataclass(frozen=True, slots=True)
class Trial:
    """What becomes of some business hours from an instant on: shown on the page, so that the hours can be believed."""

    hours: int
    start: datetime
    end: datetime


def trials(hours: OpeningHours, spans: Sequence[int] = (1, 4, 8, 40)) -> list[Trial]:
    now = business_now()
    return [Trial(span, now, add_business_time(hours, now, timedelta(hours=span))) for span in spans]


def standing(hours: OpeningHours) -> tuple[bool, datetime]:
    """Whether the firm works now, and when it next does."""
    now = business_now()
    return is_open(hours, now), next_open(hours, now)
