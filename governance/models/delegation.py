"""Who decides in whose place, and for how long."""

from __future__ import annotations

from datetime import date
from typing import Self

from django.db import models


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def in_force(self, on: date) -> Self:
        return self.filter(from_date__lte=on, to_date__gte=on, ended_at__isnull=True)


class Delegation(models.Model):
    """`delegate` may fill the seat of `delegator` from the first day to the last, both included."""

    delegator = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="delegations_given")
    delegate = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="delegations_held")
    from_date = models.DateField()
    to_date = models.DateField()
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = DelegationQuerySet.as_manager()

    class Meta:
        ordering = ["-from_date", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(delegator=models.F("delegate")), name="nobody_delegates_to_themselves"
            ),
            models.CheckConstraint(
                condition=models.Q(from_date__lte=models.F("to_date")), name="delegation_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delegate} for {self.delegator}, {self.from_date} to {self.to_date}"
