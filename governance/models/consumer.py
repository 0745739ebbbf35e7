"""Who uses which version of a contract, as the traffic shows it, and what they were told of its end."""

from __future__ import annotations

from django.db import models

from governance.models.contract import ContractVersion


class ContractUse(models.Model):
    """How often one consumer used a version on one day (UTC). Written by governance.traffic alone."""

    version = models.ForeignKey(ContractVersion, on_delete=models.CASCADE, related_name="uses")
    # As in governance.consumers: Sync, ApiToken, … and its slug or id.
    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    day = models.DateField()
    uses = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "kind", "name", "day"], name="contract_use_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.uses} on {self.day}"


class ConsumerNotice(models.Model):
    """That one consumer was told of the end of a version, and what its people answered."""

    version = models.ForeignKey(ContractVersion, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    notified_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "kind", "name"], name="one_notice_a_consumer")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class SunsetNotice(models.Model):
    """That a notice went out so many days before a sunset; each goes out once."""

    version = models.ForeignKey(ContractVersion, on_delete=models.CASCADE, related_name="+")
    sunset_date = models.DateField()
    days = models.PositiveSmallIntegerField()
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "sunset_date", "days"], name="sunset_notice_once")]

    def __str__(self) -> str:
        return f"{self.days} days before {self.sunset_date}"
