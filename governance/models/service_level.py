"""What is promised to the business, so that it can be measured."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from governance.models.calendar import BusinessCalendar
from governance.models.contract import Entity
from governance.service_levels.promise import Measure, Promise, Window, minutes_of


class ServiceLevel(models.Model):
    """One promise: "approved time reaches the ERP in 4 business hours, 99 % a month"."""

    MEASURES = (
        (Measure.LATENCY.value, "Latency: a change reaches a system in time"),
        (Measure.FRESHNESS.value, "Freshness: what the hub knows is never older than that"),
        (Measure.COMPLETENESS.value, "Completeness: every record is at a system"),
        (Measure.DURATION.value, "Process duration: a new record is set up everywhere in time"),
        (Measure.AVAILABILITY.value, "Time of availability: the data is there by a time of day"),
    )
    WINDOWS = tuple((window.value, window.capitalize()) for window in Window)

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=120, blank=True)
    measure = models.CharField(max_length=15, choices=MEASURES)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, related_name="+")
    # None: every entity of the domain.
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, null=True, blank=True, related_name="service_levels")
    source = models.ForeignKey("connectors.System", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    target = models.ForeignKey("connectors.System", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Records whose fields hold one of these values, e.g. {"status": ["approved"]}; empty = all.
    condition = models.JSONField(default=dict, blank=True)
    # None: round the clock, in UTC.
    calendar = models.ForeignKey(
        BusinessCalendar, on_delete=models.PROTECT, null=True, blank=True, related_name="service_levels"
    )
    # Of business time. Availability: how long before its time of day a late arrival is a warning.
    warn_seconds = models.PositiveIntegerField(default=0)
    breach_seconds = models.PositiveIntegerField(default=0)
    # Availability alone: HH:MM of the calendar's clock.
    due_time = models.CharField(max_length=5, blank=True)
    objective_percent = models.DecimalField(max_digits=6, decimal_places=3, default=Decimal("99"))
    window = models.CharField(max_length=7, choices=WINDOWS, default=Window.MONTH.value)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("service_levels:service_level", args=[self.slug])

    @property
    def promise(self) -> Promise:
        """What is counted, without any database."""
        given = {"hours": self.calendar.opening_hours} if self.calendar else {}
        return Promise(
            measure=Measure(self.measure),
            warn_seconds=self.warn_seconds,
            breach_seconds=self.breach_seconds,
            due_minute=minutes_of(self.due_time) or 0,
            objective=Decimal(self.objective_percent),
            window=Window(self.window),
            **given,
        )
