"""The first hour of a change that takes effect: what flows through it is watched, and it is taken back when more fails."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from governance.models.change import ChangeRequest


class ChangeCanary(models.Model):
    """Armed while the change waits, watching once it is applied; ends passed, tripped, or stopped by a person."""

    class State(models.TextChoices):
        ARMED = "armed", "Armed"
        WATCHING = "watching", "Watching"
        PASSED = "passed", "Passed"
        TRIPPED = "tripped", "Taken back by itself"
        STOPPED = "stopped", "Stopped"

    change = models.OneToOneField(ChangeRequest, on_delete=models.CASCADE, related_name="canary")
    state = models.CharField(max_length=10, choices=State, default=State.ARMED)
    minutes = models.PositiveSmallIntegerField(default=60, validators=[MinValueValidator(5), MaxValueValidator(1440)])
    # How many percentage points more of the records may fail than in the day before.
    tolerance = models.PositiveSmallIntegerField(default=5, validators=[MaxValueValidator(100)])
    armed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    began_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    # One part a sync: {"sync", "before": {"read", "failed"}, "after": {"read", "failed"}, "failed_runs"}.
    result = models.JSONField(default=list)
    said = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "change canaries"
        indexes = [models.Index(fields=["ends_at"], condition=models.Q(state="watching"), name="canaries_watching")]

    def __str__(self) -> str:
        return f"Canary of {self.change}"
