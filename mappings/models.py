"""Mappings between a stream and an entity, and the value maps that finance keeps."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from hub.common.encryption import EncryptedJSONField


class Mapping(models.Model):
    """How records of a stream become records of an entity (in), or the other way round (out)."""

    class Direction(models.TextChoices):
        IN = "in", "In: from the system to the hub"
        OUT = "out", "Out: from the hub to the system"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    direction = models.CharField(max_length=3, choices=Direction)
    stream = models.ForeignKey("connectors.Stream", on_delete=models.PROTECT, related_name="mappings")
    entity = models.ForeignKey("governance.Entity", on_delete=models.PROTECT, related_name="mappings")
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MappingVersion(models.Model):
    """One version of a mapping. `rules` is a list of FieldRule dicts (mappings/rules.py); active ones never change."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        SUPERSEDED = "superseded", "Superseded"

    mapping = models.ForeignKey(Mapping, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    rules = models.JSONField(default=list)
    note = models.TextField(blank=True)
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["mapping", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["mapping", "number"], name="mapping_version_once"),
            models.UniqueConstraint(
                fields=["mapping"], condition=models.Q(status="active"), name="one_active_mapping_version"
            ),
            models.UniqueConstraint(
                fields=["mapping"], condition=models.Q(status="draft"), name="one_draft_mapping_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mapping.name} v{self.number}"


class DraftEdit(models.Model):
    """One change of a draft: who changed which fields, and the rules before it, which `Undo` puts back."""

    version = models.ForeignKey(MappingVersion, on_delete=models.CASCADE, related_name="edits")
    before = models.JSONField()
    targets = models.JSONField(default=list)
    summary = models.CharField(max_length=300)
    made_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.summary


class SampleSet(models.Model):
    """A few source records that one person's editor works with: read once, encrypted, forgotten after an hour.

    `content` is {"records": [{"label", "why", "body"}], "sentence": why they are not real ones, or empty}.
    """

    mapping = models.ForeignKey(Mapping, on_delete=models.CASCADE, related_name="+")
    reader = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    content = EncryptedJSONField()
    read_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mapping", "reader"], name="one_sample_set_per_reader")]


class ValueMap(models.Model):
    """A table "value there → value here", with effective dates, kept by the people who know the business."""

    class Unmapped(models.TextChoices):
        FAIL = "fail", "Stop the record"
        KEEP = "keep", "Keep the value as it is"
        NULL = "null", "Leave empty"
        DEFAULT = "default", "Use the default value"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    on_unmapped = models.CharField(max_length=8, choices=Unmapped, default=Unmapped.FAIL)
    default = models.CharField(max_length=200, blank=True)
    # Raised on every change, so that a run can tell which state of the table it used.
    revision = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ValueMapEntry(models.Model):
    value_map = models.ForeignKey(ValueMap, on_delete=models.CASCADE, related_name="entries")
    source = models.CharField(max_length=200)
    target = models.CharField(max_length=200, blank=True)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["source", "valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["value_map", "source", "valid_from"], nulls_distinct=False, name="value_map_entry_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"
