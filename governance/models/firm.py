"""What holds for the whole firm: its name, and the currency in which money at risk is added up."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

SLUG = "firm"


class Firm(models.Model):
    """One row, if any. Without it amounts are listed in their own currencies and never added across them."""

    class RateType(models.TextChoices):
        SPOT = "spot", "Spot"
        MONTH_AVERAGE = "month_average", "Average of the month"
        MONTH_END = "month_end", "End of the month"
        BUDGET = "budget", "Budget"

    slug = models.SlugField(unique=True, default=SLUG, max_length=20)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    rate_type = models.CharField(max_length=16, choices=RateType, default=RateType.SPOT)
    # An older rate is no rate: amounts in that currency are listed unconverted.
    rate_max_age_days = models.PositiveSmallIntegerField(default=45)
    time_zone = models.CharField(max_length=60, default="UTC")
    history = HistoricalRecords()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(slug=SLUG), name="one_firm")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("governance:firm")
