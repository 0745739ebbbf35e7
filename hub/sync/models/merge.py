"""Two records that turned out to be one."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse


class Merge(models.Model):
    """`loser` was merged into `winner`. What was changed for it is kept, so that it can be undone.

    While a merge is in force its loser is deleted, and its key and its ids mean the winner.
    """

    entity = models.ForeignKey("governance.Entity", on_delete=models.PROTECT, related_name="+")
    loser = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="merges", db_constraint=False
    )
    winner = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="merged", db_constraint=False
    )
    # The run whose source said so, or the person who did.
    run_id = models.BigIntegerField(null=True)
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_default=Now())
    # [[record id, field]]: what referred to the loser and refers to the winner now.
    children = models.JSONField(default=list)
    # [[stream id, external id]]: ids that led to the loser and lead to the winner now.
    links = models.JSONField(default=list)
    undone_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)
    undone_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["loser"], condition=models.Q(undone_at__isnull=True), name="merged_into_one_record"
            )
        ]
        indexes = [models.Index(fields=["entity"], condition=models.Q(undone_at__isnull=True), name="merge_in_force")]

    def __str__(self) -> str:
        return f"{self.loser} into {self.winner}"

    def get_absolute_url(self) -> str:
        return reverse("sync:merge_detail", args=[self.pk])

    @property
    def in_force(self) -> bool:
        return self.undone_at is None
