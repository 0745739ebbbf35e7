"""A change that waits for its reviewers: what is proposed, who wrote it, and what people say about it.

The database guards these tables with triggers (migration 0007_changes): steps that the life cycle does not know, and
approvals by whoever wrote or edited the change, are refused for everybody.
"""

from __future__ import annotations

from django.db import models
from django.urls import reverse

from governance.ordered_json import OrderedJSONField
from hub.common.encryption import EncryptedJSONField


class ChangeRequest(models.Model):
    """Documents that are proposed together. Nothing of it is live before it is applied."""

    class State(models.TextChoices):
        OPEN = "open", "Waits for reviewers"
        CHANGES_REQUESTED = "changes_requested", "Changes asked for"
        APPROVED = "approved", "Approved"
        SCHEDULED = "scheduled", "Scheduled"
        APPLIED = "applied", "Applied"
        ROLLED_BACK = "rolled_back", "Rolled back"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    UNDER_REVIEW = (State.OPEN, State.CHANGES_REQUESTED)
    WAITING = (*UNDER_REVIEW, State.APPROVED, State.SCHEDULED)

    title = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.OPEN)
    # Empty when the hub itself proposes something.
    author = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # SHA-256 over the items, kept by a trigger: what a decision was made on.
    content_hash = models.CharField(max_length=64, blank=True, editable=False)
    is_breaking = models.BooleanField(default=False)
    # Applied with two names and without its reviewers, who look at it afterwards.
    is_emergency = models.BooleanField(default=False)
    reviewed_after_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    reviewed_after_at = models.DateTimeField(null=True, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True)
    # When it shall take effect; empty for as soon as it is approved.
    effective_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    # Why it could not be applied.
    problem = models.TextField(blank=True)
    reverts = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="reverted_by")

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "effective_at"], name="changes_by_state")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(author__isnull=True)
                | models.Q(reviewed_after_by__isnull=True)
                | ~models.Q(author=models.F("reviewed_after_by")),
                name="no_review_of_an_own_emergency",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("governance:change", args=[self.pk])


class ChangeItem(models.Model):
    """One document of a change: as it was live when the change was made, and as it shall become (null: gone)."""

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="items")
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Empty when the object is new.
    base = OrderedJSONField(null=True, blank=True)
    base_hash = models.CharField(max_length=64, blank=True)
    # Empty when the object shall be removed.
    proposed = OrderedJSONField(null=True, blank=True)
    # SHA-256 of `proposed` as stored, kept by a trigger; empty for a removal.
    proposed_hash = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["change", "kind", "key"], name="change_item_once"),
            models.CheckConstraint(
                condition=models.Q(base__isnull=False) | models.Q(proposed__isnull=False),
                name="only_what_is_there_is_removed",
            ),
        ]
        indexes = [models.Index(fields=["kind", "key"], name="change_items_by_object")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def is_removal(self) -> bool:
        return self.proposed is None


class SealedSecrets(models.Model):
    """Secrets that were typed with an edit that waits, by the column that will hold them; gone when the change ends."""

    item = models.OneToOneField(ChangeItem, on_delete=models.CASCADE, related_name="sealed")
    values = EncryptedJSONField()

    def __str__(self) -> str:
        return f"Secrets of {self.item}"


class ChangeEdit(models.Model):
    """Who wrote or edited a change; the first row is its author's. Rows are only ever added."""

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="edits")
    by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    content_hash = models.CharField(max_length=64)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]


class ChangeComment(models.Model):
    """A remark on one field path of one item, or (both empty) on the change as a whole; answers share its thread."""

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="comments")
    by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=40, blank=True)
    key = models.CharField(max_length=200, blank=True)
    path = models.CharField(max_length=300, blank=True)
    text = models.TextField()
    answers = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="replies")
    resolved_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text[:80]


class ChangePacket(models.Model):
    """What stored payloads become under the proposal, worked out in the background for one state of the change."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waits for a worker"
        RUNNING = "running", "Runs"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="packets")
    content_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=list)
    problem = models.TextField(blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["change", "content_hash"], name="packet_once_per_content")]
