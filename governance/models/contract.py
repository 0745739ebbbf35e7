"""Canonical entities and the versioned contracts that say what a record of them looks like."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from governance.ordered_json import OrderedJSONField


class Entity(models.Model):
    """A business object that the hub keeps: customer, project, time entry, …"""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, related_name="entities")
    # First loads run parents before children; smaller comes first.
    load_order = models.PositiveSmallIntegerField(default=50)
    # A record that waits longer for its parent becomes an exception.
    max_wait_seconds = models.PositiveIntegerField(default=86_400)
    history = HistoricalRecords()

    class Meta:
        ordering = ["load_order", "name"]
        verbose_name_plural = "entities"

    def __str__(self) -> str:
        return self.name


class Contract(models.Model):
    """The agreement on one entity; its versions carry the schema."""

    class Mode(models.TextChoices):
        EVOLVE = "evolve", "Evolve: keep unknown fields"
        FREEZE = "freeze", "Freeze: unknown fields stop the record"
        DISCARD_ROW = "discard_row", "Discard row: a record that breaks the contract is dropped and logged"
        DISCARD_VALUE = "discard_value", "Discard value: unknown fields are dropped"

    class Compatibility(models.TextChoices):
        BACKWARD = "BACKWARD", "Backward: records of the version before stay valid"
        BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE", "Backward, with all versions before"
        FORWARD = "FORWARD", "Forward: consumers of the version before can read new records"
        FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE", "Forward, with all versions before"
        FULL = "FULL", "Full: both"
        FULL_TRANSITIVE = "FULL_TRANSITIVE", "Full, with all versions before"
        NONE = "NONE", "None: nothing is promised"

    class ValueMode(models.TextChoices):
        EVOLVE = "evolve", "Evolve: keep the value and note it"
        FREEZE = "freeze", "Freeze: a breach of the contract"
        DISCARD_ROW = "discard_row", "Discard row: drop the record and note it"
        DISCARD_VALUE = "discard_value", "Discard value: leave the field out and note it"

    class OnBreach(models.TextChoices):
        BLOCK = "block", "Block: the run stops before anything of the page is stored"
        QUARANTINE = "quarantine", "Quarantine: the record is set aside"
        WARN = "warn", "Warn: the record passes, and the breach is noted"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    entity = models.OneToOneField(Entity, on_delete=models.PROTECT, related_name="contract")
    mode = models.CharField(max_length=15, choices=Mode, default=Mode.DISCARD_VALUE)
    # The same for a value of the wrong type, and for one that the contract does not list; a field may say otherwise (x-mode).
    type_mode = models.CharField(max_length=15, choices=ValueMode, default=ValueMode.FREEZE)
    value_mode = models.CharField(max_length=15, choices=ValueMode, default=ValueMode.FREEZE)
    on_breach = models.CharField(max_length=10, choices=OnBreach, default=OnBreach.QUARANTINE)
    # What a change may not break; see governance.compatibility.
    compatibility = models.CharField(max_length=20, choices=Compatibility, default=Compatibility.BACKWARD)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ContractVersion(models.Model):
    """One version of a contract. Its schema never changes once it has left the draft; the database sees to it.

    A version begins as a draft and walks through its states in order; which steps there are is in governance.lifecycle.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        APPROVED = "approved", "Approved"
        ACTIVE = "active", "Active"
        DEPRECATED = "deprecated", "Deprecated"
        RETIRED = "retired", "Retired"

    contract = models.ForeignKey(Contract, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    # By semantic versioning, as the difference from the version before suggests.
    semver = models.CharField(max_length=20, default="1.0.0")
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    # Fields stand in the order of their author; the parts of a key are joined in that order.
    schema = OrderedJSONField()
    note = models.TextField(blank=True)
    # Why somebody put it in force although it breaks what the contract promises.
    accepted_break = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    deprecated_at = models.DateTimeField(null=True, blank=True)
    # Until then it is served, after that it may be retired.
    sunset_date = models.DateField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["contract", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["contract", "number"], name="contract_version_once"),
            models.UniqueConstraint(
                fields=["contract"], condition=models.Q(status="active"), name="one_active_contract_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contract.name} v{self.number}"

    @property
    def label(self) -> str:
        return f"Version {self.number}"

    @property
    def ref(self) -> str:
        """As commands and sentences name it: "project@2"."""
        return f"{self.contract.slug}@{self.number}"
