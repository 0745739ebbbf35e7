"""Rules by which a record that a system shows for the first time is recognised as one that the hub has."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from governance.matching import rules
from governance.models.contract import Entity


class MatchRule(models.Model):
    """One rule of an entity; the first one, by `position`, that agrees with anything decides. See governance.matching.rules."""

    class Outcome(models.TextChoices):
        LINK = "link", "Link it"
        HOLD = "hold", "Hold it as a possible duplicate"

    slug = models.SlugField(unique=True, max_length=80)
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="match_rules")
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(default=10, validators=[MinValueValidator(1)])
    # [{"field", "compare", "form", "threshold"}], all of which have to agree.
    fields = models.JSONField(default=list)
    outcome = models.CharField(max_length=4, choices=Outcome, default=Outcome.HOLD)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["entity", "position", "slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("governance:match_rule_edit", args=[self.slug])

    @property
    def rule(self) -> rules.Rule:
        return rules.load(self.slug, self.name, self.fields, self.outcome)
