"""What people do about exceptions: tracked jobs over many of them, corrected payloads, snoozes, and write-offs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.urls import reverse

from monitoring.models.exception import MONEY, ExceptionItem


class ExceptionJob(models.Model):
    """One act over many exceptions. Its items are fixed when it is made; a worker carries them out in chunks.

    `selection` is what was asked for, `arguments` what is done with each ({"assignee": 7}), `plan` what a retry was planned to
    do. A retry or a discard is carried out by the replay with this token (`exception-job-<id>`) and followed here.
    """

    class Action(models.TextChoices):
        ASSIGN = "assign", "Assign"
        COMMENT = "comment", "Comment"
        TAG = "tag", "Tag"
        SNOOZE = "snooze", "Snooze"
        WAKE = "wake", "Wake"
        RECLASSIFY = "reclassify", "Reclassify"
        SETTLE = "settle", "Settle by hand"
        RETRY = "retry", "Retry"
        WRITE_OFF = "write_off", "Write off"
        UNDO = "undo", "Undo"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    # What can be taken back; the others leave something behind in another system, or in the ledger.
    REVERSIBLE = (Action.ASSIGN, Action.TAG, Action.SNOOZE, Action.WAKE, Action.RECLASSIFY)
    # What is carried out by a replay.
    SENDING = (Action.RETRY, Action.SETTLE, Action.WRITE_OFF)

    action = models.CharField(max_length=12, choices=Action)
    selection = models.JSONField(default=dict)
    arguments = models.JSONField(default=dict)
    plan = models.JSONField(default=dict)
    # Open jobs of the same act on the same choice are one; a token makes a request that was sent twice one job for ever.
    fingerprint = models.CharField(max_length=32)
    token = models.CharField(max_length=64, null=True, unique=True)
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    planned = models.IntegerField(default=0)
    # The job that this one takes back.
    undoes = models.OneToOneField("self", on_delete=models.CASCADE, null=True, related_name="undone_by")
    write_off = models.ForeignKey("WriteOff", on_delete=models.CASCADE, null=True, related_name="jobs")
    # The replay that carries it out; soft, because replays are forgotten by age.
    replay_id = models.BigIntegerField(null=True)
    error = models.TextField(blank=True)
    setbacks = models.SmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    # Domains of its items; null stands for the firm's own.
    domain_ids = models.JSONField(default=list)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=Q(state="running"), name="one_open_exception_job_a_choice"
            )
        ]
        indexes = [models.Index(fields=["lease_until"], condition=Q(state="running"), name="exception_jobs_open")]

    def __str__(self) -> str:
        return f"Job {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("exceptions:job", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.state == self.State.RUNNING

    @property
    def is_reversible(self) -> bool:
        return self.action in self.REVERSIBLE


class ExceptionJobItem(models.Model):
    """One exception of a job, and what became of it. `before` is what an undo puts back, `version` what it must still be."""

    class Status(models.IntegerChoices):
        PLANNED = 1, "Planned"
        UNDER_WAY = 2, "Under way"
        DONE = 3, "Done"
        FAILED = 4, "Failed again"
        SKIPPED = 5, "Skipped"
        LEFT = 6, "Left to a person"

    OPEN = (Status.PLANNED, Status.UNDER_WAY)

    job = models.ForeignKey(ExceptionJob, on_delete=models.CASCADE, related_name="items", db_index=False)
    item = models.ForeignKey(ExceptionItem, on_delete=models.CASCADE, related_name="job_items")
    status = models.SmallIntegerField(choices=Status, default=Status.PLANNED)
    note = models.TextField(blank=True)
    # "in-12-TE-90112" or "out-7-4711": the dead letter behind it, where there is one.
    letter_id = models.TextField(null=True)
    before = models.JSONField(null=True)
    version = models.PositiveIntegerField(null=True)
    transaction_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "item"], name="exception_once_a_job")]
        indexes = [
            models.Index(fields=["job", "status", "id"], name="exception_job_next"),
            models.Index(fields=["letter_id"], condition=Q(status__in=[1, 2]), name="exception_job_letter"),
        ]

    @property
    def state(self) -> str:
        """The name of a state that looks as this result does."""
        names = {1: "planned", 2: "running", 3: "done", 4: "failed", 5: "skipped", 6: "review"}
        return names.get(self.status, "muted")


class Snooze(models.Model):
    """Until when an item sleeps, where that is no date: until its group has grown, or until a period opens."""

    class Until(models.TextChoices):
        DATE = "date", "Until a date"
        GROWTH = "growth", "Until there are twice as many"
        PERIOD = "period", "Until the period opens"

    item = models.OneToOneField(ExceptionItem, on_delete=models.CASCADE, related_name="snooze")
    until = models.CharField(max_length=8, choices=Until)
    # GROWTH: the number of open items of the group at which it wakes. PERIOD: which one.
    threshold = models.PositiveIntegerField(null=True)
    period = models.CharField(max_length=10, blank=True)

    class Meta:
        indexes = [models.Index(fields=["until"], name="snoozes_by_kind")]


class PayloadOverride(models.Model):
    """A held record that a person corrected in the hub: used for one try, shown as such, and listed for good.

    `changes` is {path: [before, after]} of the source's own fields. Whatever the source sends next replaces it.
    """

    class State(models.TextChoices):
        READY = "ready", "Ready"
        USED = "used", "Used"
        REFUSED = "refused", "Refused again"
        EXPIRED = "expired", "Expired"

    item = models.ForeignKey(ExceptionItem, on_delete=models.CASCADE, related_name="overrides")
    sync_id = models.BigIntegerField()
    external_id = models.TextField()
    changes = models.JSONField()
    reason = models.CharField(max_length=500)
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.READY)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    transaction_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sync_id", "external_id"], condition=Q(state="ready"), name="one_override_a_record"
            )
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(state="ready"), name="overrides_ready")]

    def __str__(self) -> str:
        return f"Corrected payload of {self.external_id}"

    @property
    def look(self) -> str:
        """The name of a state that looks as this one does."""
        return {"ready": "pending", "used": "done", "refused": "refused", "expired": "expired"}.get(self.state, "muted")


class WriteOff(models.Model):
    """Money that is given up, with a reason; above a limit a second person agrees first.

    `amount_firm` adds up the absolute amounts in the firm's currency; `unconverted` is {currency: amount} without a rate.
    """

    class ReasonCode(models.TextChoices):
        GOODWILL = "goodwill", "Goodwill to the client"
        NOT_BILLABLE = "not_billable", "Not billable after all"
        DUPLICATE = "duplicate", "Booked elsewhere already"
        IMMATERIAL = "immaterial", "Too small to pursue"
        PERIOD_CLOSED = "period_closed", "The period is closed"
        OTHER = "other", "Another reason"

    class State(models.TextChoices):
        WAITING = "waiting", "Needs approval"
        APPROVED = "approved", "Approved"
        BOOKED = "booked", "Written off"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

    # What counts towards the limit.
    COUNTING = (State.WAITING, State.APPROVED, State.BOOKED)

    reason_code = models.CharField(max_length=16, choices=ReasonCode)
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    # Why a second person has to agree; empty where nobody has to.
    approval = models.CharField(max_length=500, blank=True)
    token = models.CharField(max_length=64, null=True, unique=True)
    number = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=8, blank=True)
    amount_firm = models.DecimalField(default=0, **MONEY)  # type: ignore[arg-type]
    unconverted = models.JSONField(default=dict)
    domain_ids = models.JSONField(default=list)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["requested_by", "created_at"], name="write_offs_of_person"),
            models.Index(fields=["-created_at"], condition=Q(state="waiting"), name="write_offs_waiting"),
        ]

    def __str__(self) -> str:
        return f"Write-off {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("exceptions:write_off", args=[self.pk])

    @property
    def look(self) -> str:
        """The name of a state that looks as this one does."""
        names = {"waiting": "needs_approval", "approved": "approved", "booked": "done", "declined": "rejected"}
        return names.get(self.state, "withdrawn")

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.WAITING


class WriteOffItem(models.Model):
    """One exception of a write-off, with its amounts as they were when it was asked for."""

    write_off = models.ForeignKey(WriteOff, on_delete=models.CASCADE, related_name="items", db_index=False)
    item = models.ForeignKey(ExceptionItem, on_delete=models.CASCADE, related_name="write_off_items")
    group_id = models.BigIntegerField()
    client = models.TextField(blank=True)
    amount = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    currency = models.CharField(max_length=8, blank=True)
    amount_firm = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["write_off", "item"], name="exception_once_a_write_off")]
        indexes = [
            models.Index(fields=["group_id"], name="written_off_of_group"),
            models.Index(fields=["client"], condition=~Q(client=""), name="written_off_of_client"),
        ]


class Mention(models.Model):
    """Somebody was named in a comment and has not looked yet."""

    event = models.ForeignKey("ExceptionEvent", on_delete=models.CASCADE, related_name="mentions")
    person = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+", db_index=False)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "person"], name="mentioned_once")]
        indexes = [models.Index(fields=["person"], condition=Q(seen_at__isnull=True), name="mentions_unseen")]
