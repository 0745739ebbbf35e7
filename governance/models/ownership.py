"""Systems of record: which system may set which fields of an entity, under which conditions, and what happens else."""

from __future__ import annotations

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from simple_history.models import HistoricalRecords


class OwnershipRule(models.Model):
    """One cell or more of an entity's matrix. Rules of an entity are activated together; see governance.ownership."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"

    class Decide(models.TextChoices):
        OWNER = "owner", "One owner"
        RANKING = "ranking", "Ranking: the most trusted system wins"
        LATEST = "latest", "Latest wins"

    class Policy(models.TextChoices):
        IGNORE = "ignore", "Ignore it, and keep a note"
        QUARANTINE = "quarantine", "Set it aside until somebody decides"
        REVERT = "revert", "Send the hub's value back to where it came from"
        REVIEW = "review", "Ask a person to decide"

    slug = models.SlugField(unique=True, max_length=80)
    entity = models.ForeignKey("governance.Entity", on_delete=models.PROTECT, related_name="ownership_rules")
    # A name for the fields as people see them in the matrix, such as "Billing address".
    group = models.CharField(max_length=80, blank=True)
    # Empty: every field that no rule of the entity names.
    fields = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    decide = models.CharField(max_length=10, choices=Decide, default=Decide.OWNER)
    # Short names of systems: the owner; the ranking, most trusted first; those of which the latest wins (none: all).
    systems = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    policy = models.CharField(max_length=10, choices=Policy, default=Policy.IGNORE)
    # Whether other systems may set a field while the hub holds nothing in it.
    fills_empty = models.BooleanField(default=False)
    # Conditions: all of them must hold. Without any, the rule holds wherever no rule with conditions does.
    legal_entities = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    phase_field = models.CharField(max_length=60, blank=True)
    # The empty text stands for no value.
    phases = ArrayField(models.CharField(max_length=80, blank=True), default=list, blank=True)
    # First and last day.
    from_date = models.DateField(null=True, blank=True)
    to_date = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    # The rule that is retired when this draft is activated.
    replaces = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replaced_by")
    note = models.CharField(max_length=500, blank=True)
    history = HistoricalRecords()

    # Whether the row that is about to be saved was in force before.
    was_in_force = False

    class Meta:
        ordering = ["entity", "slug"]
        indexes = [models.Index(fields=["entity"], condition=Q(status="active"), name="ownership_in_force")]
        constraints = [
            models.CheckConstraint(
                condition=Q(from_date__isnull=True) | Q(to_date__isnull=True) | Q(to_date__gte=F("from_date")),
                name="ownership_ends_after_it_begins",
                violation_error_message="The last day is before the first day.",
            )
        ]

    def __str__(self) -> str:
        return self.group or ", ".join(self.fields) or "All other fields"

    def get_absolute_url(self) -> str:
        return reverse("governance:ownership_rule", args=[self.slug])

    @property
    def is_conditional(self) -> bool:
        return bool(self.legal_entities or self.phases)

    def is_over(self, today: date) -> bool:
        return self.to_date is not None and self.to_date < today
