"""What a sync does about records that are gone: its settings, and what each crawl of a source has shown."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models


class RemovalSettings(models.Model):
    """The settings of a sync about removals: the first ones are for syncs that read, `on_removal` for those that deliver."""

    class Removals(models.TextChoices):
        OFF = "off", "Records are never taken for gone"
        DETECT = "detect", "What a complete crawl does not show any more is gone"

    class VolumeCheck(models.TextChoices):
        OFF = "off", "Never"
        WHOLE = "whole", "Runs that read everything"
        ALL = "all", "Every run, also those that read changes only"

    class OnRemoval(models.TextChoices):
        DEFAULT = "", "Deactivate it where the target can, else leave it"
        IGNORE = "ignore", "Leave it at the target"
        DEACTIVATE = "deactivate", "Deactivate it, as the target's declaration says"
        CLOSE = "close", "Send it once more with closing values"
        DELETE = "delete", "Delete it at the target"

    removals = models.CharField(max_length=6, choices=Removals, default=Removals.OFF)
    max_removed_percent = models.PositiveSmallIntegerField(default=20, validators=[MaxValueValidator(100)])
    # So many may go whatever share they are.
    removed_unasked = models.PositiveIntegerField(default=1)
    # Where a record itself says that it is gone: a path, and the values that say so; none = any value that is not false.
    deleted_path = models.CharField(max_length=120, blank=True)
    deleted_values = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    # Where a record says into which other one of the same stream it was merged: the path of that one's id.
    merged_path = models.CharField(max_length=120, blank=True)
    volume_check = models.CharField(max_length=5, choices=VolumeCheck, default=VolumeCheck.WHOLE)
    usual_runs = models.PositiveSmallIntegerField(default=10)
    usual_min_percent = models.PositiveSmallIntegerField(default=50, validators=[MaxValueValidator(100)])
    usual_max_percent = models.PositiveSmallIntegerField(default=300)
    on_removal = models.CharField(max_length=10, choices=OnRemoval, default=OnRemoval.DEFAULT, blank=True)
    # Canonical fields that close a record, e.g. {"status": "closed"}.
    closing_values = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True


class Crawl(models.Model):
    """What one inbound run read from its source, and what follows for records that the source did not show.

    Written in the transaction of each page, so that a run that was interrupted goes on counting where it was.
    """

    run = models.OneToOneField("sync.Run", on_delete=models.CASCADE, primary_key=True, related_name="crawl")
    # Everything was read, not only changes.
    is_whole = models.BooleanField()
    read = models.BigIntegerField(default=0)
    pages = models.IntegerField(default=0)
    # The first page held a record, and one of them passed the contract.
    first_passed = models.BooleanField(default=False)
    # Records without an id: each may be one of those that are missed.
    nameless = models.IntegerField(default=0)
    # Fields of the source contract: those that most records of the first page filled, and those that any record filled.
    usual_fields = ArrayField(models.TextField(), default=list)
    seen_fields = ArrayField(models.TextField(), default=list)
    # Digest of what says which source is read, and how; another one at the end means that the crawl is none.
    source = models.CharField(max_length=32)
    judged_at = models.DateTimeField(null=True)
    # [{"code": …, "sentence": …}]
    doubts = models.JSONField(default=list)
    # Records that the hub knew of the source when the crawl was judged; how many it did not show; how many were removed.
    known = models.BigIntegerField(default=0)
    missing = models.BigIntegerField(default=0)
    removed = models.BigIntegerField(default=0)
    # The first of the missing records, to be shown.
    sample = ArrayField(models.BigIntegerField(), default=list)
    confirmed_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    # Everything that may be removed has been.
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Crawl of run {self.pk}"

    @property
    def is_waiting(self) -> bool:
        """Whether records are missing, and a person has to say whether they are gone."""
        return bool(self.missing and self.doubts and self.confirmed_at is None)
