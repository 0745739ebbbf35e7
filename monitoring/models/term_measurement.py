"""What terms measured, and since when their numbers part."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.urls import reverse

NUMBER = {"max_digits": 30, "decimal_places": 6}


class TermMeasurement(models.Model):
    """One term measured once, in the hub and in every system that has a probe. Rows are only ever added."""

    class State(models.TextChoices):
        EQUAL = "equal", "Equal"
        APART = "apart", "Apart"
        UNMEASURED = "unmeasured", "Not measured"

    term = models.ForeignKey("governance.Term", on_delete=models.CASCADE, related_name="measurements")
    measured_at = models.DateTimeField()
    # The days that were measured; empty for all time.
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    hub = models.DecimalField(null=True, **NUMBER)  # type: ignore[arg-type]
    # Why there is no number of the hub.
    hub_note = models.TextField(blank=True)
    # [{system, name, connection, value, difference, state, note}]: slugs, numbers as text or None, a State, a sentence.
    systems = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State)

    class Meta:
        indexes = [models.Index(fields=["term", "-id"], name="measurements_of_term")]

    def __str__(self) -> str:
        return f"{self.term} at {self.measured_at:%Y-%m-%d %H:%M}"

    @property
    def apart(self) -> list[dict[str, Any]]:
        """The systems whose number parts from the hub's."""
        return [each for each in self.systems if each["state"] == self.State.APART]

    @property
    def largest(self) -> Decimal | None:
        """By how much the farthest system differs; None where nothing could be compared."""
        found = [Decimal(each["difference"]) for each in self.systems if each["difference"] is not None]
        return max(found, key=abs, default=None)


class SemanticDrift(models.Model):
    """The numbers of a term part by more than its tolerance: open until they have met again in every such system."""

    term = models.ForeignKey("governance.Term", on_delete=models.CASCADE, related_name="drifts")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    # As last measured: the systems that part, as TermMeasurement has them, and the largest difference of one.
    systems = models.JSONField(default=list)
    difference = models.DecimalField(**NUMBER)  # type: ignore[arg-type]
    # The same as money, where the term is money.
    amount = models.DecimalField(null=True, **NUMBER)  # type: ignore[arg-type]
    currency = models.CharField(max_length=3, blank=True)
    last_measured_at = models.DateTimeField()
    measurements = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["term"], condition=models.Q(closed_at__isnull=True), name="one_open_drift_of_a_term"
            )
        ]

    def __str__(self) -> str:
        return f"{self.term}: numbers part since {self.opened_at:%Y-%m-%d}"

    def get_absolute_url(self) -> str:
        return reverse("monitoring:term", args=[self.term.slug])

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
