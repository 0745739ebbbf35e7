"""Reading a part of a source once more, beside the runs that follow it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from hub.sync.models.config import Sync
from hub.sync.models.work import Run


class Backfill(models.Model):
    """What is read again, for whom and how fast. Its runs do the work; the newest one knows how far it has come."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"  # how it goes is the run's status
        PAUSED = "paused", "Paused"
        CANCELLED = "cancelled", "Cancelled"

    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="backfills")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="backfill")
    state = models.CharField(max_length=9, choices=State, default=State.ACTIVE)
    # Both ends belong to the window, each as the source writes its cursor; empty is open.
    from_value = models.CharField(max_length=200, blank=True)
    to_value = models.CharField(max_length=200, blank=True)
    # External ids; empty for a window. What has not been found yet is in `not_found`, in the end for good.
    keys = ArrayField(models.TextField(), default=list)
    not_found = ArrayField(models.TextField(), default=list)
    per_second = models.FloatField()
    expected = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["sync", "-id"], name="backfill_by_sync")]

    def __str__(self) -> str:
        if self.keys:
            return f"{len(self.keys):,} keys"
        return f"{self.from_value or 'the beginning'} to {self.to_value or 'now'}"

    @property
    def shown_state(self) -> str:
        """The word of hub.common.states."""
        return str(self.run.status if self.state == self.State.ACTIVE else self.state)

    @property
    def is_at_work(self) -> bool:
        return self.state == self.State.ACTIVE and self.run.is_active

    @property
    def may_go_on(self) -> bool:
        """Whether it was stopped before its end: paused, failed, or its run was cancelled on the run's own page."""
        was_stopped = self.run.status in ("failed", "cancelled")
        return self.state == self.State.PAUSED or (self.state == self.State.ACTIVE and was_stopped)

    @property
    def is_complete(self) -> bool:
        return self.run.status in ("succeeded", "completed_with_errors")
