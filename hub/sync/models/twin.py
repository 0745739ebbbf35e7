"""Source records that turned out to be one that the same stream had shown under another id."""

from __future__ import annotations

from django.db import models

from hub.sync.models.config import Sync


class Twin(models.Model):
    """`external_id` came with the key of a record that the stream already has as `other_id`: both lead to it, and the last
    one that is read counts. Written by hub.sync.twins alone."""

    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.TextField(db_collation="C")
    other_id = models.TextField(db_collation="C")
    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sync", "external_id"], name="twin_once")]

    def __str__(self) -> str:
        return f"{self.external_id} is {self.other_id} once more"
