"""A source whose records do not look as they did when its object was chosen."""

from __future__ import annotations

from django.db import models


class Drift(models.Model):
    """One change of a stream's shape, with the shape that is proposed in place of the recorded one."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        DISMISSED = "dismissed", "Dismissed"

    stream = models.ForeignKey("connectors.Stream", on_delete=models.CASCADE, related_name="drifts")
    # What differs, so that the same drift is not told twice.
    fingerprint = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    seen_in = models.CharField(max_length=20, choices=[("discovery", "Discovery"), ("payload", "Payload")])
    # [{path, type, title, required, example}] as on Stream.fields, and the verdict of governance.compatibility.
    proposed = models.JSONField(default=list)
    verdict = models.JSONField(default=dict)
    is_breaking = models.BooleanField(default=False)
    # Paths that a mapping, the key or the cursor uses and that no longer hold what they held.
    broken_paths = models.JSONField(default=list)
    reason = models.CharField(max_length=500, blank=True)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["stream", "fingerprint"], name="drift_once_a_stream")]

    def __str__(self) -> str:
        return f"Drift {self.pk} of {self.stream}"


class SeenShape(models.Model):
    """Fields that a stream's records carry beside the recorded ones: seen at the first look, or dismissed since.

    A declaration names what is used of an object, not all that it holds; only what comes later is news.
    """

    stream = models.OneToOneField("connectors.Stream", on_delete=models.CASCADE, primary_key=True, related_name="+")
    paths = models.JSONField(default=list)
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{len(self.paths)} more fields of {self.stream}"
