"""What the hub is worth: measures with a formula, and what each came to in each month."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

NUMBER = {"max_digits": 30, "decimal_places": 6}


class Measure(models.Model):
    """A figure of the value page, in words that two people would count by. `formula` names one of monitoring.value.formulas."""

    class Direction(models.TextChoices):
        DOWN = "down", "Less is better"
        UP = "up", "More is better"

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    definition = models.TextField(max_length=2000)
    formula = models.SlugField(max_length=60)
    # What the formula asks for: {"target": "erp"}; each formula declares its parameters.
    parameters = models.JSONField(default=dict, blank=True)
    owner = models.CharField(max_length=120, blank=True, default="")
    direction = models.CharField(max_length=4, choices=Direction, default=Direction.DOWN)
    # Decimal as text, in the formula's unit; empty: none is set.
    target = models.CharField(max_length=30, blank=True, default="")
    # {"value": "9.5", "period": "2026-03", "source": "Survey of the PMO"}: how it was before the hub.
    baseline = models.JSONField(default=dict, blank=True)
    # Key patterns and conditions that are left out: {"project": ["INT-*"]}.
    exclusions = models.JSONField(default=dict, blank=True)
    position = models.PositiveSmallIntegerField(default=100)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("value:measure", args=[self.slug])


class MeasureValue(models.Model):
    """What a measure came to in one month, as last computed; the rows behind it are read again when they are asked for."""

    class State(models.TextChoices):
        MEASURED = "measured", "Measured"
        TOO_LITTLE = "too_little", "Too little data"
        NOT_CONNECTED = "not_connected", "Not connected"
        FAILED = "failed", "Could not be computed"

    measure = models.ForeignKey(Measure, on_delete=models.CASCADE, related_name="values")
    month = models.CharField(max_length=7)
    state = models.CharField(max_length=14, choices=State)
    value = models.DecimalField(null=True, **NUMBER)  # type: ignore[arg-type]
    # A second figure where the formula has one: the 90th percentile beside the median.
    second = models.DecimalField(null=True, **NUMBER)  # type: ignore[arg-type]
    currency = models.CharField(max_length=3, blank=True)
    # The rows that count, their sum of numerators and denominators, and rows in a currency that has no rate.
    rows = models.PositiveIntegerField(default=0)
    numerator = models.DecimalField(default=Decimal(0), **NUMBER)  # type: ignore[arg-type]
    denominator = models.DecimalField(default=Decimal(0), **NUMBER)  # type: ignore[arg-type]
    unconverted = models.JSONField(default=dict)
    # [[cause, rows, numerator]], largest first: the drivers of the figure.
    causes = models.JSONField(default=list)
    note = models.TextField(blank=True)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["measure", "month"], name="measure_value_once_a_month")]
        ordering = ["month"]

    def __str__(self) -> str:
        return f"{self.measure} {self.month}: {self.value}"

    @property
    def shown(self) -> Any:
        return self.value if self.state == self.State.MEASURED else None
