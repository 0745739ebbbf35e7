"""Who is told what, what is to be told, and how telling it went."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from simple_history.models import HistoricalRecords

from governance.models import Entity
from hub.accounts.models import Domain
from hub.common.encryption import EncryptedJSONField


class Subscription(models.Model):
    """An address of another system that is told of events, and which. Its lease is that of its notifications too."""

    class Payload(models.TextChoices):
        FULL = "full", "The record as it is then"
        IDS = "ids", "Only what identifies it"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    url = models.CharField(max_length=500)
    event_types = ArrayField(models.CharField(max_length=40), default=list)
    # Both empty = everything; an entity brings its domain along.
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Only records whose fields hold one of these values, as `Sync.only_when`.
    only_when = models.JSONField(default=dict, blank=True)
    payload = models.CharField(max_length=4, choices=Payload, default=Payload.FULL)
    # {"current": …, "previous": …}: every request is signed with both, so that a receiver may change over in its own time.
    secrets = EncryptedJSONField()
    # {"Authorization": …}: sent along, never shown again.
    headers = EncryptedJSONField()
    allowed_networks = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    # Runtime, written by hub.events.sending alone: the sender's lease, and how the receiver has answered lately.
    epoch = models.IntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    failures = models.IntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    rest_until = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=500, blank=True, editable=False)
    RUNTIME: ClassVar = (
        "epoch", "lease_until", "failures", "failing_since", "rest_until", "delivered_at", "disabled_at",
        "disabled_reason",
    )  # fmt: skip
    history = HistoricalRecords(excluded_fields=["secrets", "headers", *RUNTIME])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_on(self) -> bool:
        """Whether events are collected for it."""
        return self.is_active and self.disabled_at is None

    @property
    def live_secrets(self) -> list[str]:
        """The secrets that sign, the newest first."""
        return [self.secrets[name] for name in ("current", "previous") if self.secrets.get(name)]


class EventType(models.Model):
    """What the firm calls an event: a transition of an entity's records, told as a fact each time it happens."""

    class Moment(models.TextChoices):
        BEGINS = "begins", "Its condition comes to hold"
        ENDS = "ends", "Its condition holds no longer"
        CHANGES = "changes", "Certain fields change while its condition holds"

    slug = models.SlugField(unique=True, max_length=80)
    # As others hear it: noun.verb, such as time.approved.
    name = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=2_000)
    owner = models.CharField(max_length=120, blank=True)
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="+")
    moment = models.CharField(max_length=7, choices=Moment, default=Moment.BEGINS)
    # As `Sync.only_when`: every field holds one of its values; empty holds for every record.
    condition = models.JSONField(default=dict, blank=True)
    # For CHANGES: the fields that are watched.
    watched = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    # The fields of the record that are told; empty for all that may be told.
    carries = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    # Of what is told: a receiver of version 1 is never told less under that number.
    version = models.PositiveSmallIntegerField(default=1)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("events:event_type", args=[self.slug])


class Event(models.Model):
    """Something that happened, as it is told; written in the transaction in which it happened, and never changed.

    `data` is what everybody is told, `record` the canonical record that only full notifications carry.
    """

    uid = models.UUIDField(default=uuid.uuid4)
    type = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField(default=1, db_default=1)
    subject = models.TextField()
    at = models.DateTimeField(default=timezone.now)
    data = models.JSONField()
    record = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="event_by_time"),
            models.Index(fields=["type", "id"], name="event_by_type"),
            models.Index(fields=["subject", "id"], name="event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"evt_{self.uid.hex}"


class Notification(models.Model):
    """One event for one subscription: the outbox of the senders."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="notifications")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="notifications", db_index=False
    )
    # The event's own, so that what concerns one subject can be kept in order by an index.
    subject = models.TextField()
    state = models.CharField(max_length=9, choices=State, default=State.PENDING, db_default=State.PENDING.value)
    next_at = models.DateTimeField(null=True, db_default=Now())
    # Since it was last put in line: where it stands on the ladder.
    attempts = models.SmallIntegerField(default=0, db_default=0)
    done_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="", db_default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subscription", "-id"], name="notification_by_subscription"),
            models.Index(
                fields=["subscription", "subject", "id"], condition=models.Q(state="pending"), name="notification_order"
            ),
            models.Index(fields=["next_at"], condition=models.Q(state="pending"), name="notification_due"),
            models.Index(
                fields=["subscription", "-id"], condition=models.Q(state="failed"), name="notification_failed"
            ),
        ]

    @property
    def shown_state(self) -> str:
        """The word of hub.common.states."""
        return "retrying" if self.state == self.State.PENDING and self.attempts else self.state


class Attempt(models.Model):
    """One request, noted before it is sent: without an answer and an error, its sender fell before it could note them."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField(db_default=Now())
    http_status = models.SmallIntegerField(null=True)
    milliseconds = models.IntegerField(null=True)
    error = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]

    @property
    def state(self) -> str:
        """The word of hub.common.states."""
        if self.milliseconds is None:
            return "unsure"
        return "failed" if self.error else "delivered"
