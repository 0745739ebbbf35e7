"""Work in progress: runs, where reading resumes, the outbox, and records that may not pass yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import models

from hub.sync.models.config import Schedule, Sync
from hub.sync.states import ACTIVE, DeliveryState, HeldState, RunStatus


class Run(models.Model):
    """One execution of a sync. It is also the lease: one active run a sync, one worker a run, fenced by `epoch`.

    A backfill is a run beside that one.
    """

    class Trigger(models.TextChoices):
        MANUAL = "manual", "By hand"
        SCHEDULE = "schedule", "Schedule"
        AFTER = "after", "After another sync"
        CHANGE = "change", "Records changed"
        RELEASE = "release", "Waiting records released"
        EVENT = "event", "Webhook"
        HINT = "hint", "Hint of a webhook"
        REMOVAL = "removal", "Removals confirmed"
        BACKFILL = "backfill", "Backfill"
        ADOPT = "adopt", "First load"
        UPLOAD = "upload", "Uploaded spreadsheet"

    # Inbound runs that ask the source nothing: what they work on is in the hub already.
    NARROW = (Trigger.RELEASE, Trigger.EVENT, Trigger.REMOVAL, Trigger.ADOPT, Trigger.UPLOAD)

    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=24, choices=RunStatus, default=RunStatus.QUEUED)
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    mapping_version = models.ForeignKey(
        "mappings.MappingVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )
    contract_version = models.ForeignKey(
        "governance.ContractVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    # Claims since the last thing that was stored; more than one tells that the worker before has fallen.
    claims = models.SmallIntegerField(default=0)
    # Outages of the database since then.
    setbacks = models.SmallIntegerField(default=0)
    stage = models.CharField(max_length=40, blank=True)
    page_no = models.IntegerField(default=0)
    resume = models.JSONField(null=True)
    cursor_from = models.TextField(null=True)
    cursor_to = models.TextField(null=True)
    is_complete = models.BooleanField(default=False)
    read = models.BigIntegerField(default=0)
    created = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    waiting = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True)
    error = models.TextField(blank=True)
    # Seconds spent in each stage, summed over pages: {"fetch": 1.2, …}.
    timings = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sync"],
                condition=models.Q(status__in=[s.value for s in ACTIVE]) & ~models.Q(trigger="backfill"),
                name="one_active_run_a_sync",
            ),
            models.UniqueConstraint(
                fields=["sync"],
                condition=models.Q(status__in=[s.value for s in ACTIVE], trigger="backfill"),
                name="one_active_backfill_a_sync",
            ),
        ]
        indexes = [
            models.Index(fields=["sync", "-id"], name="run_by_sync"),
            models.Index(
                fields=["lease_until"], condition=models.Q(status__in=[s.value for s in ACTIVE]), name="run_to_sweep"
            ),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    def timings_with(self, more: Mapping[str, float]) -> dict[str, float]:
        """Seconds by stage with those of another slice of the run."""
        names = dict.fromkeys((*self.timings, *more))
        return {name: round(self.timings.get(name, 0.0) + more.get(name, 0.0), 4) for name in names}

    @property
    def counts(self) -> dict[str, int]:
        names = ("read", "created", "updated", "unchanged", "rejected", "waiting", "failed")
        return {name: getattr(self, name) for name in names}

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE


class SyncState(models.Model):
    """Where an inbound sync resumes: the source's own cursor string, kept in the transaction of the page it came with."""

    sync = models.OneToOneField(Sync, on_delete=models.CASCADE, primary_key=True, related_name="state")
    cursor = models.TextField(null=True)
    run_id = models.BigIntegerField(null=True)
    updated_at = models.DateTimeField(auto_now=True)


class Delivery(models.Model):
    """The outbox: the newest version of a record for one outbound sync, and what the target holds of it.

    Hot and unpartitioned. Written by hub.sync.outbox alone.
    """

    pk = models.CompositePrimaryKey("sync_id", "record_id")
    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    record = models.ForeignKey(
        "records.CanonicalRecord",
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    version = models.IntegerField()
    state = models.SmallIntegerField(choices=DeliveryState, db_default=1)
    next_at = models.DateTimeField()
    attempts = models.SmallIntegerField(db_default=0)
    # Since when this version fails; its age ends there where the connection's retry policy says.
    failing_since = models.DateTimeField(null=True)
    # The inbound transaction that asked for this delivery: the correlation id of its ledger rows.
    cause_id = models.BigIntegerField(null=True)
    target_ref = models.TextField(null=True)
    delivered_version = models.IntegerField(null=True)
    delivered_hash = models.BinaryField(max_length=16, null=True)
    # Class A: the batch with which it was sent to be made, while nobody knows whether it was.
    doubted_batch_id = models.BigIntegerField(null=True)
    # A write whose answer was lost may be carried out until then: a newer version that went sooner could be overwritten.
    late_until = models.DateTimeField(null=True)
    missing_entity_id = models.IntegerField(null=True)
    missing_key = models.TextField(null=True)
    error_code = models.TextField(null=True)
    error_detail = models.TextField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["sync", "record"],
                condition=models.Q(state=DeliveryState.PENDING.value),
                name="delivery_due",
            ),
            models.Index(
                fields=["sync", "state"],
                condition=models.Q(state__in=[2, 3, 4, 5]),
                name="delivery_troubled",
            ),
            models.Index(
                fields=["missing_entity_id", "missing_key"],
                condition=models.Q(state=DeliveryState.WAITING.value),
                name="delivery_waiting_for",
            ),
        ]

    @property
    def acts_at(self) -> datetime | None:
        """When the hub itself goes on: sends again, or asks the target what became of it; None where a person has to."""
        is_asking = self.state == DeliveryState.UNSURE and self.next_at.year < 9999
        return self.next_at if is_asking or self.state == DeliveryState.PENDING else None


class HeldRecord(models.Model):
    """A source record that may not pass now: it broke the contract, or its parent has not arrived."""

    pk = models.CompositePrimaryKey("sync_id", "external_id")
    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.TextField(db_collation="C")
    state = models.SmallIntegerField(choices=HeldState)
    error_code = models.TextField()
    error_detail = models.TextField()
    field = models.TextField(blank=True, default="")
    missing_entity_id = models.IntegerField(null=True)
    missing_stream_id = models.IntegerField(null=True)
    missing_key = models.TextField(null=True)
    body = models.JSONField()
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    transaction_id = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["missing_entity_id", "missing_key"],
                condition=models.Q(state=HeldState.WAITING.value),
                name="held_waiting_for",
            ),
            models.Index(fields=["external_id"], name="held_by_external_id"),
        ]


class ScheduleSlot(models.Model):
    """A slot of a schedule that was claimed: any number of schedulers may run, each slot fires once."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="slots")
    slot_at = models.DateTimeField()
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "slot_at"], name="slot_claimed_once")]
