"""Records of the hub that may be one: found among those that are here, where nothing was held when they came."""

from __future__ import annotations

from django.db import models


class LikenessPosition(models.Model):
    """Up to which canonical id the records of an entity were compared, and by which rules."""

    entity = models.OneToOneField("governance.Entity", on_delete=models.CASCADE, primary_key=True, related_name="+")
    digest = models.CharField(max_length=32)
    record_id = models.BigIntegerField(default=0)


class Likeness(models.Model):
    """Two records that a match rule takes for one; `other` was here first. Written by hub.sync.duplicates.likeness alone."""

    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    other = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    rule = models.CharField(max_length=120)
    score = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["record", "other"], name="likeness_once")]

    def __str__(self) -> str:
        return f"{self.record} may be {self.other}"
