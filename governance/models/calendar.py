"""When the firm works: what "in 4 business hours" counts by."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from governance.calendars.holidays import Holidays, holidays_of
from governance.calendars.hours import Week, week_of
from governance.calendars.opening import OpeningHours
from hub.common.times import time_zone


class BusinessCalendar(models.Model):
    """Weekly hours in a time zone, and holidays; what it does not say itself it has from its parent."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    # {"mon": ["09:00-12:30", "13:30-17:30"]}; a day that is left out is the parent's, or closed.
    hours = models.JSONField(default=dict, blank=True)
    # [{"date": "2026-12-25", "name": "Christmas Day"}]; "12-25" comes every year. Those of the parent count as well.
    holidays = models.JSONField(default=list, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("governance:calendar", args=[self.slug])

    @property
    def line(self) -> list[BusinessCalendar]:
        """This calendar and those it inherits from, nearest first; a circle ends where it closes."""
        found: list[BusinessCalendar] = []
        each: BusinessCalendar | None = self
        while each is not None and each not in found:
            found.append(each)
            each = each.parent
        return found

    @property
    def week(self) -> Week:
        week: Week | None = None
        for each in reversed(self.line):
            week = week_of(each.hours, week)
        assert week is not None
        return week

    @property
    def opening_hours(self) -> OpeningHours:
        """What governance.calendars.opening counts by."""
        closed = Holidays()
        for each in self.line:
            closed |= holidays_of(each.holidays)
        return OpeningHours(zone=time_zone(self.time_zone), week=self.week, holidays=closed)
