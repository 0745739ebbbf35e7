"""Values that a system offered and may not set."""

from __future__ import annotations

from django.db import models


class BlockedValue(models.Model):
    """The last value that a system offered for a field of a record, and was not let in. Written by hub.sync.ownership."""

    class State(models.IntegerChoices):
        IGNORED = 1, "Ignored"
        OPEN = 2, "Waits for a decision"
        SENT_BACK = 3, "Sent back"
        STUCK = 4, "Could not be sent back"
        ACCEPTED = 5, "Accepted"
        KEPT = 6, "Kept"
        AGREED = 7, "Agrees now"

    entity = models.ForeignKey(
        "governance.Entity", on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="blocked_values", db_constraint=False
    )
    field = models.TextField()
    system = models.ForeignKey(
        "connectors.System", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    offered = models.JSONField(null=True)
    kept = models.JSONField(null=True)
    # The rule's short name and policy as they were then.
    rule = models.TextField()
    policy = models.TextField()
    state = models.SmallIntegerField(choices=State)
    note = models.TextField(blank=True, db_default="")
    sync_id = models.BigIntegerField()
    run_id = models.BigIntegerField()
    transaction_id = models.BigIntegerField()
    external_id = models.TextField()
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    # How often this value was offered since it was last another one.
    times = models.IntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["record", "field", "system"], name="blocked_cell_once")]
        indexes = [
            models.Index(fields=["-last_at", "-id"], name="blocked_newest"),
            models.Index(fields=["entity", "-id"], condition=models.Q(state=2), name="blocked_open"),
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.record}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN
