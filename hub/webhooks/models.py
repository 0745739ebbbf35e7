"""Where systems may call, and what they have sent."""

from __future__ import annotations

import secrets as random
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from connectors.models import Stream
from hub.common.encryption import EncryptedJSONField
from hub.sync.models import Sync

PATH_BYTES = 24
SECRET_NAMES = ("current", "previous")


def new_path() -> str:
    """192 random bits: an address that nobody finds by trying."""
    return random.token_urlsafe(PATH_BYTES)


class Endpoint(models.Model):
    """An address that one system calls, how it proves who it is, and what its messages say to one inbound sync."""

    class Scheme(models.TextChoices):
        STANDARD = "standard", "Standard Webhooks"
        HMAC_SHA256 = "hmac_sha256", "HMAC-SHA256 in a header"
        HMAC_SHA1 = "hmac_sha1", "HMAC-SHA1 in a header"
        STATIC_HEADER = "static_header", "The secret itself in a header"
        STATIC_QUERY = "static_query", "The secret itself in the address"

    class Signed(models.TextChoices):
        BODY = "body", "the body"
        BODY_TIME = "body_time", "the body, then the timestamp"
        TIME_BODY = "time_body", "the timestamp, a full stop, the body"
        V0 = "v0", "v0, the timestamp and the body, with colons between"

    class Encoding(models.TextChoices):
        HEX = "hex", "hexadecimal"
        BASE64 = "base64", "Base64"

    class Mode(models.TextChoices):
        RECORD = "record", "The message carries the record"
        HINT = "hint", "The message only says that something changed"

    class Handshake(models.TextChoices):
        NONE = "", "None"
        VALIDATION_TOKEN = "validation_token", "validationToken in the address (Business Central, Graph)"
        CLOUDEVENTS = "cloudevents", "Consent by OPTIONS (CloudEvents)"
        CHALLENGE = "challenge", "A signed challenge (Slack)"
        PLAIN_TOKEN = "plain_token", "A signed token to encrypt (Zoom)"
        HUB_CHALLENGE = "hub_challenge", "hub.challenge with the secret (Meta)"
        INTENT = "intent", "200 to what is signed, 401 to the rest (Xero)"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="endpoints")
    path = models.CharField(max_length=64, unique=True, default=new_path, editable=False)
    # {"current": …, "previous": …}: both are accepted, so that a sender may change over without losing a message.
    secrets = EncryptedJSONField()
    scheme = models.CharField(max_length=20, choices=Scheme, default=Scheme.STANDARD)
    proof_name = models.CharField(max_length=80, blank=True)
    signed_text = models.CharField(max_length=10, choices=Signed, default=Signed.BODY)
    timestamp_name = models.CharField(max_length=80, blank=True)
    encoding = models.CharField(max_length=6, choices=Encoding, default=Encoding.HEX)
    prefix = models.CharField(max_length=20, blank=True)
    tolerance_seconds = models.PositiveIntegerField(default=300)
    handshake = models.CharField(max_length=20, choices=Handshake, default=Handshake.NONE, blank=True)
    event_mode = models.CharField(max_length=6, choices=Mode, default=Mode.RECORD)
    id_path = models.CharField(max_length=120, blank=True)
    record_path = models.CharField(max_length=120, blank=True)
    time_path = models.CharField(max_length=120, blank=True)
    deleted_path = models.CharField(max_length=120, blank=True)
    deleted_values = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    is_active = models.BooleanField(default=True)
    # Runtime: a run that failed gives the source, or a person, some time before the next one.
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    refused_at = models.DateTimeField(null=True, editable=False)
    refused_reason = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    RUNTIME: ClassVar = ("failures", "retry_at", "refused_at", "refused_reason")
    history = HistoricalRecords(excluded_fields=["secrets", "path", *RUNTIME])

    class Meta:
        ordering = ["name"]
        verbose_name = "webhook"

    def __str__(self) -> str:
        return self.name

    @property
    def stream(self) -> Stream:
        return self.sync.stream

    @property
    def live_secrets(self) -> list[str]:
        """The secrets that prove a message, the newest first."""
        return [self.secrets[name] for name in SECRET_NAMES if self.secrets.get(name)]


class Message(models.Model):
    """One message, kept before it was acknowledged; it is worked on by a run of the endpoint's sync."""

    class State(models.TextChoices):
        NEW = "new", "New"
        DONE = "done", "Done"
        REJECTED = "rejected", "Rejected"

    class Outcome(models.TextChoices):
        APPLIED = "applied", "Taken in"
        SUPERSEDED = "superseded", "A newer message came with it"
        STALE = "stale", "The hub held something newer"
        DELETED = "deleted", "Deleted at the source"
        READ = "read", "The source was read"
        TEST = "test", "Test"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="messages", db_index=False)
    message_id = models.CharField(max_length=200)
    content_hash = models.BinaryField(max_length=32)
    received_at = models.DateTimeField(db_default=Now())
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    state = models.CharField(max_length=8, choices=State, default=State.NEW)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    error = models.TextField(blank=True)
    run_id = models.BigIntegerField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "message_id"], name="message_once_an_endpoint")]
        indexes = [
            models.Index(fields=["endpoint", "id"], condition=models.Q(state="new"), name="message_new"),
            models.Index(fields=["endpoint"], condition=models.Q(state="rejected"), name="message_rejected"),
            models.Index(fields=["endpoint", "-id"], name="message_by_endpoint"),
            models.Index(fields=["received_at"], name="message_by_time"),
        ]

    def __str__(self) -> str:
        return self.message_id


class Seen(models.Model):
    """The newest state of a record that messages told of: what an older message is measured against, deletions too."""

    pk = models.CompositePrimaryKey("stream_id", "external_id")
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.TextField(db_collation="C")
    changed_at = models.TextField()
    is_deleted = models.BooleanField()
