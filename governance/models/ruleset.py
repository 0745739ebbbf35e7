"""Rulesets: what the firm wants of its contracts, beyond that their records can be checked."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords


class Ruleset(models.Model):
    """Rules for the contracts that its selector names. What they mean is told in governance.rulesets.rules."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    # {"domains": […], "entities": […], "tags": […]}: a contract has to meet each that is there; none = every contract.
    selector = models.JSONField(default=dict, blank=True)
    # [{"rule": "has_owner", "severity": "error", …}]
    rules = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("governance:ruleset", args=[self.slug])
