"""Which engagements a person looked at last."""

from __future__ import annotations

from django.db import models


class ThreadVisit(models.Model):
    """One engagement on a person's list of recent ones; written by monitoring.thread.services."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "record"], name="thread_visited_once")]
        indexes = [models.Index(fields=["user", "-at"], name="threads_of_person")]
