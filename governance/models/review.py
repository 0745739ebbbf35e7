"""The seats of a change and the decisions that people made on it."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from governance.models.change import ChangeRequest
from governance.models.review_policy import ReviewGroup


class ReviewSeat(models.Model):
    """What a change needs of one group: how many people, for which paths."""

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="seats")
    group = models.ForeignKey(ReviewGroup, on_delete=models.PROTECT, related_name="+")
    needed = models.PositiveSmallIntegerField()
    # "kind key: path" of everything that the group has to look at.
    paths = ArrayField(models.TextField(), default=list)
    # SHA-256 of what these paths say: an edit elsewhere leaves approvals of this seat standing.
    touched_hash = models.CharField(max_length=64)
    # Whom of the group it waits for; empty for anybody of it.
    asked = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    # The content that the seat was worked out for.
    content_hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["group__name"]
        constraints = [models.UniqueConstraint(fields=["change", "group"], name="one_seat_per_group")]

    def __str__(self) -> str:
        return f"{self.needed} of {self.group}"


class ReviewQuerySet(models.QuerySet["Review"]):
    def standing(self) -> Self:
        return self.filter(voided_at__isnull=True)

    def approvals(self) -> Self:
        return self.standing().filter(decision=Review.Decision.APPROVE)


class Review(models.Model):
    """One decision on exactly one content. Rows are added and voided, never changed."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "Approved"
        REQUEST_CHANGES = "request_changes", "Asked for changes"
        REJECT = "reject", "Rejected"

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    # The delegator, where the reviewer decides in somebody's place.
    on_behalf_of = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Empty for whoever put the second name under an emergency.
    group = models.ForeignKey(ReviewGroup, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.CharField(max_length=16, choices=Decision)
    content_hash = models.CharField(max_length=64)
    touched_hash = models.CharField(max_length=64, blank=True)
    comment = models.TextField(blank=True)
    at = models.DateTimeField(auto_now_add=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.CharField(max_length=200, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["change", "reviewer"],
                condition=models.Q(decision="approve", voided_at__isnull=True),
                name="one_standing_approval_per_person",
            ),
            models.CheckConstraint(
                condition=models.Q(on_behalf_of__isnull=True) | ~models.Q(on_behalf_of=models.F("reviewer")),
                name="nobody_decides_in_their_own_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} by {self.reviewer}"
