"""Processes as they are configured, and what became of each time one ran."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from simple_history.models import HistoricalRecords

from governance.models import Entity
from hub.accounts.models import Domain
from hub.accounts.roles import ROLE_CHOICES


class Process(models.Model):
    """Steps that lead a business object through several systems; what they are stands in its versions."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    purpose = models.TextField(blank=True, max_length=2_000)
    # The role whose people answer for it and are asked when nobody else is named.
    owner = models.CharField(max_length=32, choices=ROLE_CHOICES, default="integration_admin")
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    # The entity whose records it is about; none for what a schedule or a program starts by itself.
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_active = models.BooleanField(default=True)
    # When a schedule starts it next; see hub.processes.scheduling.
    slot_at = models.DateTimeField(null=True, editable=False)
    RUNTIME: ClassVar = ("slot_at",)
    history = HistoricalRecords(excluded_fields=list(RUNTIME))

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("processes:process", args=[self.slug])

    @property
    def newest(self) -> ProcessVersion:
        return self.versions.latest("number")


class ProcessVersion(models.Model):
    """What the steps are; never changed. An instance keeps the version that it began with."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    # {"triggers": […], "lookups": {…}, "steps": […]}, see hub.processes.definition
    definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["process", "number"], name="process_version_once")]

    def __str__(self) -> str:
        return f"version {self.number}"


class State(models.TextChoices):
    """Of an instance. FAILED waits for a person, or for what it waits for to become right by itself."""

    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    FAILED = "failed", "Failed"
    UNDOING = "undoing", "Undoing"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


LIVE = (State.RUNNING, State.WAITING, State.FAILED, State.UNDOING)


class ProcessInstance(models.Model):
    """One time that a process runs. PostgreSQL is its queue: `next_at` says when somebody should look at it."""

    process = models.ForeignKey(Process, on_delete=models.PROTECT, related_name="instances")
    version = models.ForeignKey(ProcessVersion, on_delete=models.PROTECT, related_name="+")
    # What it is about, in the firm's words; one live instance of a process at a time.
    key = models.TextField()
    record_id = models.BigIntegerField(null=True)
    # What it was started by, so that the same cause starts it once: an event's id, a caller's idempotency key, a slot.
    cause = models.CharField(max_length=120)
    trigger = models.CharField(max_length=40)
    given = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State, default=State.RUNNING, db_default="running")
    note = models.CharField(max_length=500, blank=True, default="", db_default="")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    next_at = models.DateTimeField(null=True, db_default=Now())
    # Times in a row that somebody looked and nothing had moved.
    looks = models.IntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["process", "cause"], name="process_started_once_by_a_cause"),
            models.UniqueConstraint(
                fields=["process", "key"], condition=models.Q(state__in=LIVE), name="process_live_once_for_a_key"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state__in=LIVE), name="process_due"),
            models.Index(fields=["process", "-id"], name="process_instances"),
            models.Index(fields=["record_id"], name="process_by_record"),
        ]

    def __str__(self) -> str:
        return f"{self.process.name}: {self.key}"

    def get_absolute_url(self) -> str:
        return reverse("processes:instance", args=[self.process.slug, self.pk])

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class StepState(models.TextChoices):
    PENDING = "pending", "Not begun"
    CALLING = "calling", "In flight"
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    UNSURE = "unsure", "Outcome unknown"
    SKIPPED = "skipped", "Skipped"
    CANCELLED = "cancelled", "Cancelled"
    UNDONE = "undone", "Undone"


SETTLED = (StepState.DONE, StepState.SKIPPED)
OPEN = (StepState.PENDING, StepState.WAITING, StepState.FAILED)


class StepRun(models.Model):
    """One step of one instance. `uid` is its idempotency key at a target and stays the same in every attempt."""

    instance = models.ForeignKey(ProcessInstance, on_delete=models.CASCADE, related_name="steps")
    step = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, default="", db_default="")
    state = models.CharField(max_length=9, choices=StepState, default=StepState.PENDING)
    uid = models.UUIDField(default=uuid.uuid4)
    attempts = models.IntegerField(default=0)
    begun_at = models.DateTimeField(null=True)
    # Business time by which it is to be done; business clock, as `begun_at` and `ended_at`.
    due_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # Database clock: until then a worker is taken to be at work on the call.
    lease_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    # Whether its call is the one that takes back what it did.
    is_undo = models.BooleanField(default=False, db_default=False)
    retry_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error = models.TextField(blank=True, default="")
    fix = models.TextField(blank=True, default="")
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["instance", "step"], name="process_step_once")]
        indexes = [
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["failed", "unsure", "waiting"]),
                name="process_open_steps",
            )
        ]

    def __str__(self) -> str:
        return self.step

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED


class ProcessNote(models.Model):
    """What happened to an instance, in order; rows are only ever added."""

    instance = models.ForeignKey(ProcessInstance, on_delete=models.CASCADE, related_name="notes")
    step = models.CharField(max_length=60, blank=True, default="")
    what = models.CharField(max_length=40)
    detail = models.TextField(blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.what} {self.step}".strip()


class ProcessMessage(models.Model):
    """What a step tells the people of a role, until one of them has seen it."""

    instance = models.ForeignKey(ProcessInstance, on_delete=models.CASCADE, related_name="messages")
    step = models.CharField(max_length=60)
    role = models.CharField(max_length=32, choices=ROLE_CHOICES)
    text = models.TextField()
    at = models.DateTimeField()
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["role"], condition=models.Q(seen_at__isnull=True), name="process_messages_unseen")
        ]

    def __str__(self) -> str:
        return self.text


def as_text(value: Any) -> str:
    """A value of a context as part of a key; nothing is the empty text."""
    return "" if value is None else str(value)
