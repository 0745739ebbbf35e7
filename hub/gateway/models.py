"""What the hub offers to other programs: APIs in three layers, who may call them, and how much they do."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from simple_history.models import HistoricalRecords

from hub.accounts.models import Domain


class Layer(models.TextChoices):
    SYSTEM = "system", "System: records of one entity, as a system holds them"
    PROCESS = "process", "Process: start one, ask how it stands, tell it something"
    EXPERIENCE = "experience", "Experience: what a page of another program needs, in one answer"


class State(models.TextChoices):
    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    DEPRECATED = "deprecated", "Deprecated"
    RETIRED = "retired", "Retired"


SERVED = (State.ACTIVE, State.DEPRECATED)


class Api(models.Model):
    """One version of one API. Versions of a path stand side by side, each a row of its own."""

    layer = models.CharField(max_length=10, choices=Layer)
    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=2_000)
    owner = models.CharField(max_length=120, blank=True)
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    path = models.SlugField(max_length=80)
    version = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # Days as 2026-11-30: since when it is deprecated, and when it ends. Empty while nobody has said so.
    deprecated_on = models.CharField(max_length=10, blank=True)
    sunset_on = models.CharField(max_length=10, blank=True)
    # What it serves, see hub.gateway.definition.
    definition = models.JSONField(default=dict)
    history = HistoricalRecords()

    class Meta:
        ordering = ["layer", "path", "-version"]
        constraints = [models.UniqueConstraint(fields=["layer", "path", "version"], name="api_version_once")]
        verbose_name = "API"

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def get_absolute_url(self) -> str:
        return reverse("gateway:api", args=[self.slug])

    @property
    def grant(self) -> str:
        """What a consumer is granted: every version of the path."""
        return f"{self.layer}/{self.path}"

    @property
    def address(self) -> str:
        return f"/gateway/{self.layer}/{self.path}/v{self.version}/"

    @property
    def is_served(self) -> bool:
        return self.state in SERVED and not self.is_over

    @property
    def is_over(self) -> bool:
        """Its last day has passed."""
        return bool(self.sunset_on) and date.fromisoformat(self.sunset_on) < date.today()


class Consumer(models.Model):
    """A program that calls APIs: whose it is, what it may call, and how often."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    owner = models.CharField(max_length=120)
    contact = models.CharField(max_length=200, blank=True)
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # {"experience/project-360": ["read"], …}
    grants = models.JSONField(default=dict, blank=True)
    per_minute = models.PositiveIntegerField(default=600)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("gateway:consumer", args=[self.slug])


class ConsumerToken(models.Model):
    """What a consumer proves itself by; only its SHA-512 is kept."""

    consumer = models.ForeignKey(Consumer, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=128, unique=True)
    # The beginning, so that people tell tokens apart.
    begins = models.CharField(max_length=16)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.begins}…"


class Traffic(models.Model):
    """What a consumer asked of one version of an API in one hour."""

    id = models.BigAutoField(primary_key=True)
    consumer = models.ForeignKey(Consumer, on_delete=models.CASCADE, related_name="traffic", db_index=False)
    api = models.ForeignKey(Api, on_delete=models.CASCADE, related_name="traffic", db_index=False)
    hour = models.DateTimeField()
    requests = models.IntegerField(default=0, db_default=0)
    failed = models.IntegerField(default=0, db_default=0)
    seconds = models.FloatField(default=0.0, db_default=0.0)
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api", "consumer", "hour"], name="traffic_once_an_hour")]
        indexes = [models.Index(fields=["consumer", "-hour"], name="traffic_of_consumer")]

    def __str__(self) -> str:
        return f"{self.consumer_id} {self.api_id} {self.hour:%Y-%m-%d %H}"


class Window(models.Model):
    """Requests of a consumer in the current minute, counted by the database for all web processes."""

    consumer = models.OneToOneField(Consumer, on_delete=models.CASCADE, primary_key=True, related_name="+")
    minute = models.BigIntegerField()
    requests = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.consumer_id}: {self.requests}"


class KeptAnswer(models.Model):
    """The answer to a request with an Idempotency-Key; none yet while the request is at work."""

    consumer = models.ForeignKey(Consumer, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    body: Any = models.JSONField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consumer", "key"], name="answer_once_a_key")]
        indexes = [models.Index(fields=["at"], name="kept_answers_by_age")]

    def __str__(self) -> str:
        return self.key
