"""Records that broke their contract, and what was done with them."""

from __future__ import annotations

from django.db import models

from governance.models.contract import ContractVersion


class ContractBreach(models.Model):
    """One field of one record that breaks one rule. Syncs and runs are named without foreign keys: they may go first."""

    class Action(models.TextChoices):
        KEPT = "kept", "Value kept"
        VALUE_DROPPED = "value_dropped", "Value dropped"
        ROW_DROPPED = "row_dropped", "Record dropped"
        QUARANTINED = "quarantined", "Record set aside"
        WARNED = "warned", "Passed with a warning"
        BLOCKED = "blocked", "Run stopped"

    version = models.ForeignKey(ContractVersion, on_delete=models.CASCADE, related_name="breaches")
    at = models.DateTimeField(auto_now_add=True)
    sync = models.CharField(max_length=80)
    run_id = models.BigIntegerField()
    external_id = models.TextField()
    # Dotted; empty for the record as a whole.
    field = models.TextField(blank=True)
    # The keyword of the schema that is broken: type, enum, required, pattern, …
    rule = models.CharField(max_length=40)
    # As JSON, cut off; empty where the field is masked.
    value = models.TextField(blank=True)
    sentence = models.TextField()
    action = models.CharField(max_length=15, choices=Action)
    is_at_source = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "contract breaches"
        indexes = [
            models.Index(fields=["version", "-id"], name="breach_by_version"),
            models.Index(fields=["run_id"], name="breach_by_run"),
            models.Index(fields=["at"], name="breach_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.field or 'record'}: {self.rule}"
