"""What ended without success, and the jobs that put it again."""

from __future__ import annotations

from typing import Any

from django.db import models

from hub.sync.models.config import Sync


class DeadLetter(models.Model):
    """One row for each record that has not passed, of both legs: a delivery in trouble, or a held record.

    A view of the database (migration 0008). `state` is a word: retrying, unsure, waiting, held, dead or quarantined.
    `failed_at` is when it was left; `ran_…` are the versions of its last attempt, null where that is not kept.
    """

    class Leg(models.TextChoices):
        IN = "in", "Read"
        OUT = "out", "Delivered"

    id = models.TextField(primary_key=True)
    leg = models.TextField(choices=Leg)
    sync = models.ForeignKey(Sync, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    external_id = models.TextField(null=True)
    name = models.TextField()
    state = models.TextField()
    error_code = models.TextField()
    error_detail = models.TextField()
    field = models.TextField()
    version = models.IntegerField(null=True)
    attempts = models.IntegerField(null=True)
    acts_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField()
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    customer = models.TextField(null=True)
    project = models.TextField(null=True)
    missing_key = models.TextField(null=True)
    is_known = models.BooleanField()
    is_kept = models.BooleanField()
    ran_version = models.IntegerField(null=True)
    ran_mapping_id = models.BigIntegerField(null=True)
    ran_contract_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "sync_dead_letter"

    def __str__(self) -> str:
        return self.name


class Replay(models.Model):
    """A job that puts dead letters again, or discards them. Its items are fixed when it is made."""

    class Action(models.TextChoices):
        RETRY = "retry", "Put again"
        RECOVER = "recover", "Recover"
        DISCARD = "discard", "Discard"

    class Versions(models.TextChoices):
        CURRENT = "current", "The current versions"
        AS_RAN = "as_ran", "The versions it ran with"

    class Scope(models.TextChoices):
        FAILED = "failed", "Only what failed"
        START = "start", "From the start"

    class State(models.TextChoices):
        NEEDS_APPROVAL = "needs_approval", "Needs approval"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.NEEDS_APPROVAL, State.RUNNING)

    action = models.CharField(max_length=8, choices=Action, default=Action.RETRY)
    # The filter as it was asked for, {"state": "dead", …}, and the syncs that its items belong to.
    filter = models.JSONField(default=dict)
    sync_ids = models.JSONField(default=list)
    fingerprint = models.CharField(max_length=32)
    # Chosen by who asks, so that the same request sent twice is one job.
    token = models.CharField(max_length=64, null=True, unique=True)
    versions = models.CharField(max_length=8, choices=Versions, default=Versions.CURRENT)
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.FAILED)
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    # What was planned: numbers by state and by sync, amounts by currency as decimal texts.
    plan = models.JSONField(default=dict)
    planned = models.IntegerField(default=0)
    left = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    # The last item whose outcome was looked at; the next look goes on behind it.
    looked_at = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"],
                condition=models.Q(state__in=["needs_approval", "running"]),
                name="one_open_replay_a_filter",
            )
        ]

    def __str__(self) -> str:
        return f"Replay {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def words(self) -> str:
        """The filter as it is typed: `state=dead sync=psa-out`."""
        return filter_words(self.filter)


class ReplayItem(models.Model):
    """One dead letter of a replay, in the order in which they are put. Of runs to be started, `record_id` is the run."""

    class Act(models.TextChoices):
        SEND = "send", "Sent again"
        TRY = "try", "Tried again"
        ASK = "ask", "The target is asked"
        DISCARD = "discard", "Discarded"
        START = "start", "The sync is started"
        LEAVE = "leave", "Left to a person"

    class Status(models.IntegerChoices):
        PLANNED = 1, "Planned"
        READING = 2, "Taken through its source's mapping"
        PUT = 3, "Put again"
        DONE = 4, "Done"
        FAILED = 5, "Failed again"
        SKIPPED = 6, "Skipped"
        LEFT = 7, "Left to a person"

    UNDER_WAY = (Status.PLANNED, Status.READING, Status.PUT)

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="items")
    leg = models.CharField(max_length=3)
    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="+", db_index=False)
    record_id = models.BigIntegerField(null=True)
    external_id = models.TextField(null=True, db_collation="C")
    name = models.TextField()
    was = models.CharField(max_length=12)
    version = models.IntegerField(null=True)
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    act = models.CharField(max_length=8, choices=Act)
    status = models.SmallIntegerField(choices=Status)
    # Pinned: the versions that it is mapped with; null takes the current ones.
    mapping_version_id = models.BigIntegerField(null=True)
    contract_version_id = models.BigIntegerField(null=True)
    # While READING: the inbound sync that takes the record's source through again, under `external_id`.
    through_id = models.BigIntegerField(null=True)
    note = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["replay", "status", "id"], name="replayitem_next"),
            models.Index(
                fields=["sync", "record_id"],
                condition=models.Q(mapping_version_id__isnull=False, status__in=[2, 3], leg="out"),
                name="replayitem_pinned_out",
            ),
            models.Index(
                fields=["sync", "external_id"],
                condition=models.Q(mapping_version_id__isnull=False, status__in=[2, 3], leg="in"),
                name="replayitem_pinned_in",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["sync", "record_id"],
                condition=models.Q(status__in=[1, 2], leg="out"),
                name="delivery_in_one_replay",
            ),
            models.UniqueConstraint(
                fields=["sync", "external_id"],
                condition=models.Q(status=1, leg="in"),
                name="held_in_one_replay",
            ),
        ]


def filter_words(asked: dict[str, Any]) -> str:
    """`state=dead q="two words"`: how a filter is written on the command line."""
    return " ".join(f'{key}="{value}"' if " " in value else f"{key}={value}" for key, value in sorted(asked.items()))
