"""Billing rules as governed decision tables. A version never changes: an edit is a new one."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from governance.ordered_json import OrderedJSONField


class BillingRule(models.Model):
    """What one table decides, and which people keep it."""

    class Purpose(models.TextChoices):
        MILESTONE = "milestone", "Milestone billing"
        THRESHOLD = "threshold", "Approved-time threshold"
        RATE = "rate", "Rate card precedence"
        OTHER = "other", "Another decision"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.OTHER)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, related_name="+")
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("governance:billing_rule", args=[self.slug])

    @property
    def active(self) -> BillingRuleVersion | None:
        return self.versions.filter(status=BillingRuleVersion.Status.ACTIVE).first()


class BillingRuleVersion(models.Model):
    """One version of a table; the database refuses to change or delete it. Only its status moves on."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"

    rule = models.ForeignKey(BillingRule, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=8, choices=Status, default=Status.DRAFT)
    # See governance.billing.table.
    table = OrderedJSONField()
    note = models.TextField(blank=True)
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["rule", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="billing_rule_version_once"),
            models.UniqueConstraint(
                fields=["rule"], condition=models.Q(status="active"), name="one_active_billing_rule_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule.name} v{self.number}"

    @property
    def label(self) -> str:
        return f"Version {self.number}"
