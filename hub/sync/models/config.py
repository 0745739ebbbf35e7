"""What moves, where to, and when."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from connectors.models import Stream
from governance.models import Entity
from hub.sync.models.removal import RemovalSettings


class Sync(RemovalSettings):
    """One mapping put to work: reads a stream into an entity (in), or delivers an entity to a stream (out)."""

    class Mode(models.TextChoices):
        INCREMENTAL = "incremental", "What changed since the last run"
        FULL = "full", "Everything, every time"
        # Out only; see docs/first-load.md.
        ADOPT = "adopt", "What changed; looked up at the target before it is created there"

    class Criticality(models.TextChoices):
        LOW = "low", "Low: it can wait"
        NORMAL = "normal", "Normal"
        HIGH = "high", "High: money or people wait for it"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    mapping = models.ForeignKey("mappings.Mapping", on_delete=models.PROTECT, related_name="syncs")
    mode = models.CharField(max_length=12, choices=Mode, default=Mode.INCREMENTAL)
    # Runs when that one has finished; several syncs may wait for the same.
    after = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="followers")
    # Out only: deliver records whose fields hold one of these values, e.g. {"status": ["approved"]}; empty = all.
    only_when = models.JSONField(default=dict, blank=True)
    page_size = models.PositiveIntegerField(
        default=0, help_text="Records a page or batch; 0 takes the connector's own."
    )
    # Out only, in place of what the connection's retry policy says; empty = as the connection says.
    max_attempts = models.PositiveSmallIntegerField(null=True, blank=True)
    # What the firm needs of it, see hub.sync.modes: within so many seconds a change has to arrive; so many a day are expected.
    latency_seconds = models.PositiveIntegerField(null=True, blank=True)
    records_a_day = models.PositiveIntegerField(null=True, blank=True)
    criticality = models.CharField(max_length=6, choices=Criticality, default=Criticality.NORMAL)
    is_paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=500, blank=True)
    paused_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def direction(self) -> str:
        return self.mapping.direction

    @property
    def stream(self) -> Stream:
        return self.mapping.stream

    @property
    def entity(self) -> Entity:
        return self.mapping.entity


class Schedule(models.Model):
    """When a sync runs by itself: a cron expression in a time zone, right across daylight saving."""

    slug = models.SlugField(unique=True, max_length=80)
    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="schedules")
    cron = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=60, default="UTC")
    is_active = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords(excluded_fields=["next_at"])

    class Meta:
        ordering = ["slug"]
        indexes = [models.Index(fields=["next_at"], condition=models.Q(is_active=True), name="schedule_due")]

    def __str__(self) -> str:
        return f"{self.cron} ({self.time_zone})"


class Standstill(models.Model):
    """The switch for everything: one row at most, with who turned it and why. Its history stays."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    is_paused = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_standstill")]
