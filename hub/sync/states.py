"""What can become of a record, a delivery and a run: number in the database → word on screen → counter of the run."""

from __future__ import annotations

from django.db import models


class Outcome(models.IntegerChoices):
    """State of a ledger row. Words of hub.common.states; `COUNTER` says where a run counts it."""

    CREATED = 1, "Created"
    UPDATED = 2, "Updated"
    UNCHANGED = 3, "Unchanged"
    ECHO = 4, "Echo"
    QUARANTINED = 5, "Quarantined"
    WAITING = 6, "Waiting"
    HELD = 7, "Held"
    RETRYING = 8, "Retrying"
    UNSURE = 9, "Unsure"
    DEAD = 10, "Dead letter"
    DISCARDED = 11, "Discarded"
    REFUSED = 12, "Refused"
    REMOVED = 21, "Removed"
    DEACTIVATED = 22, "Deactivated"
    CLOSED = 23, "Closed"
    MERGED = 24, "Merged"


COUNTER = {
    Outcome.CREATED: "created",
    Outcome.UPDATED: "updated",
    Outcome.UNCHANGED: "unchanged",
    Outcome.ECHO: "unchanged",
    Outcome.REFUSED: "unchanged",
    Outcome.QUARANTINED: "rejected",
    Outcome.HELD: "rejected",
    Outcome.DISCARDED: "rejected",
    Outcome.WAITING: "waiting",
    Outcome.RETRYING: "failed",
    Outcome.UNSURE: "failed",
    Outcome.DEAD: "failed",
    Outcome.REMOVED: "updated",
    Outcome.DEACTIVATED: "updated",
    Outcome.CLOSED: "updated",
    Outcome.MERGED: "updated",
}
COUNTERS = ("read", "created", "updated", "unchanged", "rejected", "waiting", "failed")
# Everything from here on wants a person or another attempt.
TROUBLED = (
    Outcome.QUARANTINED,
    Outcome.WAITING,
    Outcome.HELD,
    Outcome.RETRYING,
    Outcome.UNSURE,
    Outcome.DEAD,
)


class DeliveryState(models.IntegerChoices):
    """State of an outbox row. PENDING also covers a retry, whose time is `next_at`."""

    PENDING = 1, "Pending"
    UNSURE = 2, "Unsure"
    WAITING = 3, "Waiting"
    HELD = 4, "Held"
    DEAD = 5, "Dead letter"
    DELIVERED = 6, "Delivered"
    DISCARDED = 7, "Discarded"


class HeldState(models.IntegerChoices):
    QUARANTINED = 1, "Quarantined"
    WAITING = 2, "Waiting"
    HELD = 3, "Held"
    RELEASED = 4, "Released"


class RunStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    COMPLETED_WITH_ERRORS = "completed_with_errors", "Completed with errors"
    # It went through, but what the source showed is so unusual that a person should look at it.
    SUSPECT = "suspect", "Suspect"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)
WENT_THROUGH = (RunStatus.SUCCEEDED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.SUSPECT)
