"""The ledger: what happened. Append-only; written by hub.sync.ledger alone."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from hub.sync.states import TROUBLED, Outcome


class Batch(models.Model):
    """One page read or one batch delivered: counts, pinned versions, unchanged ids and the raw payload (zstd)."""

    class Status(models.IntegerChoices):
        SENDING = 1, "Sending"  # intent: committed before the target is called
        DONE = 2, "Done"

    run_id = models.BigIntegerField()
    sync_id = models.BigIntegerField()
    page_no = models.IntegerField()
    status = models.SmallIntegerField(choices=Status, default=Status.DONE)
    at = models.DateTimeField()
    read = models.IntegerField(default=0)
    mapping_version_id = models.BigIntegerField(null=True)
    contract_version_id = models.BigIntegerField(null=True)
    # Records that had not changed: canonical ids of this page.
    unchanged_ids = ArrayField(models.BigIntegerField(), null=True)
    # Out: the canonical ids that were sent, in order; their outcome is unknown while the batch is SENDING.
    sent_ids = ArrayField(models.BigIntegerField(), null=True)
    # The versions of these, in the same order.
    sent_versions = ArrayField(models.IntegerField(), null=True)
    payload = models.BinaryField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run_id", "page_no"], name="page_once_a_run")]


class Transaction(models.Model):
    """One record through one sync, once: created, updated, quarantined, delivered, …

    Partitioned by month on `at` (see migration 0002), hence the soft references: partitions are dropped by age.
    `correlation_id` is the id of the inbound transaction that started it; deliveries carry their cause.
    """

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    run_id = models.BigIntegerField()
    sync_id = models.BigIntegerField()
    batch_id = models.BigIntegerField()
    # Position of the record in the batch's payload.
    position = models.IntegerField()
    correlation_id = models.BigIntegerField()
    record_id = models.BigIntegerField(null=True)
    external_id = models.TextField(null=True)
    key = models.TextField(null=True)
    outcome = models.SmallIntegerField(choices=Outcome)
    version = models.IntegerField(null=True)
    changed = ArrayField(models.TextField(), null=True)
    refused = ArrayField(models.TextField(), null=True)
    attempt = models.SmallIntegerField(default=1)
    error_code = models.TextField(null=True)
    error_detail = models.TextField(null=True)
    target_ref = models.TextField(null=True)
    http_status = models.SmallIntegerField(null=True)
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    source_updated_at = models.TextField(null=True)
    duration_us = models.IntegerField(null=True)

    class Meta:
        managed = False
        db_table = "sync_transaction"

    def __str__(self) -> str:
        return f"T-{self.pk}"

    @property
    def is_troubled(self) -> bool:
        return self.outcome in TROUBLED
