"""Who is told of what: rules, routes, the state of each thing that is watched, and the notices that go out."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import EmailValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from simple_history.models import HistoricalRecords

from hub.common.encryption import EncryptedJSONField

MONEY = {"max_digits": 19, "decimal_places": 4}


class Level(models.TextChoices):
    """How bad it is; in this order."""

    OK = "ok", "OK"
    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"


BAD = (Level.WARNING, Level.CRITICAL)


class AlertRule(models.Model):
    """When something is a warning, and when it is critical. `what` names a condition of monitoring.alerts.conditions."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    what = models.CharField(max_length=40)
    # Empty: everywhere.
    domain = models.ForeignKey("accounts.Domain", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    system = models.ForeignKey("connectors.System", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    sync = models.ForeignKey("sync.Sync", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    # In the unit of the condition; None: never on that level.
    warning = models.DecimalField(null=True, blank=True, **MONEY)  # type: ignore[arg-type]
    critical = models.DecimalField(null=True, blank=True, **MONEY)  # type: ignore[arg-type]
    # So many evaluations in a row have to agree before the state changes.
    evaluations = models.PositiveSmallIntegerField(default=1)
    owner = models.CharField(max_length=120, blank=True)
    evaluated_at = models.DateTimeField(null=True, blank=True)
    # Why it could not be evaluated the last time; empty when it could.
    problem = models.TextField(blank=True)
    history = HistoricalRecords(excluded_fields=["evaluated_at", "problem"])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("alerts:rule", args=[self.slug])


class AlertRoute(models.Model):
    """Who is told, by which channel, and when. Routes are asked in order of their position until one ends the search."""

    class Digest(models.TextChoices):
        IMMEDIATELY = "immediately", "At once"
        HOURLY = "hourly", "Every hour, together"
        DAILY = "daily", "Once a day, together"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(default=100)
    # What it is for; empty matches everything.
    domain = models.ForeignKey("accounts.Domain", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    system = models.ForeignKey("connectors.System", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    level = models.CharField(max_length=8, choices=Level, default=Level.WARNING)
    # In the currency of the firm.
    amount_from = models.DecimalField(null=True, blank=True, **MONEY)  # type: ignore[arg-type]
    goes_on = models.BooleanField(default=False)
    # Where to.
    mail = ArrayField(models.CharField(max_length=254, validators=[EmailValidator()]), default=list, blank=True)
    webhook = models.URLField(max_length=500, blank=True)
    allowed_networks = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    # {"webhook": signs what is posted, "chat": the address of the chat room, which is a key to it}
    secrets = EncryptedJSONField()
    # When.
    digest = models.CharField(max_length=12, choices=Digest, default=Digest.IMMEDIATELY)
    # HH:MM of the calendar's clock, else of the firm's.
    digest_at = models.CharField(max_length=5, default="08:00", blank=True)
    # Outside its opening hours nobody is told before it opens again.
    calendar = models.ForeignKey(
        "governance.BusinessCalendar", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Critical notices do not wait for the morning.
    critical_at_once = models.BooleanField(default=True)
    history = HistoricalRecords(excluded_fields=["secrets"])

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("alerts:route", args=[self.slug])

    @property
    def channels(self) -> list[str]:
        found = {"mail": bool(self.mail), "webhook": bool(self.webhook), "chat": bool(self.secrets.get("chat"))}
        return [name for name, is_there in found.items() if is_there]


class Alert(models.Model):
    """The state of one rule for one subject ("sync:12", "connection:3"). Written by monitoring.alerts alone.

    `state` is what counts; `confirmed` what the last evaluations agree on, and it differs while a flapping subject is held
    at its worse state. `told` is what people were last told of: a notice is due when it differs from `state`.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    subject = models.CharField(max_length=120)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=Level, default=Level.OK)
    told = models.CharField(max_length=8, choices=Level, default=Level.OK)
    confirmed = models.CharField(max_length=8, choices=Level, default=Level.OK)
    recent = ArrayField(models.CharField(max_length=8), default=list)
    flips = ArrayField(models.DateTimeField(), default=list)
    since = models.DateTimeField()
    # Since when it is not OK; those who were told since then are told of the recovery.
    opened_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    words = models.TextField(blank=True)
    value = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    records = models.BigIntegerField(default=0)
    amount_firm = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    # The worst since it was opened, so that the recovery reaches whom the trouble has reached.
    peak_firm = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    # Amounts without a rate, by currency, as text.
    unconverted = models.JSONField(default=dict)
    # Lines below the first one: what hangs on it.
    details = ArrayField(models.TextField(), default=list)
    url = models.CharField(max_length=300, blank=True)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.CASCADE, null=True, related_name="+")
    system_id = models.BigIntegerField(null=True)
    sync_id = models.BigIntegerField(null=True)
    # The alert that explains this one: people are told of that instead.
    cause = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="effects")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "subject"], name="one_alert_a_subject")]
        indexes = [models.Index(fields=["-since", "-id"], condition=~Q(state="ok"), name="alerts_active")]

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"

    def get_absolute_url(self) -> str:
        return reverse("alerts:alert", args=[self.pk])

    @property
    def is_active(self) -> bool:
        return self.state != Level.OK

    @property
    def is_flapping(self) -> bool:
        return self.state != self.confirmed


class AlertChange(models.Model):
    """The state of an alert changed, or people were told after a while. Append-only."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField(db_default=Now())
    before = models.CharField(max_length=8, choices=Level)
    after = models.CharField(max_length=8, choices=Level)
    words = models.TextField()
    details = ArrayField(models.TextField(), default=list)
    records = models.BigIntegerField(default=0)
    amount_firm = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    unconverted = models.JSONField(default=dict)
    # Whether notices were written, and else why not: "muted", "cause", "flapping", "no_route".
    is_told = models.BooleanField(default=False)
    untold_why = models.CharField(max_length=10, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["alert", "-id"], name="changes_of_alert")]


class AlertMute(models.Model):
    """Nobody is told until then. What happens meanwhile is kept, and told afterwards if it still holds."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, null=True, related_name="mutes")
    # Empty: every subject of the rule.
    subject = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=500)
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now())
    until_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="mute_has_a_reason")]
        indexes = [models.Index(fields=["until_at"], condition=Q(ended_at__isnull=True), name="mutes_in_force")]


class AlertNotice(models.Model):
    """One change for one channel of one route: the outbox. A test notice has no change.

    Sending is claimed by `lease_until`. `handed_at` is written right before the message leaves: who finds it set on a lease
    that ran out knows that nobody can say whether it arrived.
    """

    class Channel(models.TextChoices):
        MAIL = "mail", "Mail"
        WEBHOOK = "webhook", "Webhook"
        CHAT = "chat", "Chat"

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        SENT = "sent", "Sent"
        UNSURE = "unsure", "Outcome unknown"
        DEAD = "dead", "Given up"

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    route = models.ForeignKey(AlertRoute, on_delete=models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=8, choices=Channel)
    change = models.ForeignKey(AlertChange, on_delete=models.CASCADE, null=True, related_name="notices")
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    # Those that left together; also the id that a receiver of webhooks tells repetitions by.
    message = models.UUIDField(null=True)
    error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["change", "route", "channel"], name="one_notice_a_change_and_channel")
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="pending"), name="notices_due"),
            models.Index(fields=["change"], name="notices_of_change"),
        ]


class QueueLook(models.Model):
    """What was seen of one queue of messages the last time somebody looked: how many wait, and how many workers answer."""

    queue = models.CharField(max_length=40, primary_key=True)
    workers = models.PositiveSmallIntegerField(null=True)
    waiting = models.PositiveIntegerField(null=True)
    # Since when no worker has answered.
    empty_since = models.DateTimeField(null=True)
    # Lengths of the last hour, oldest first.
    lengths = ArrayField(models.PositiveIntegerField(), default=list)
    looked_at = models.DateTimeField()

    class Meta:
        ordering = ["queue"]
