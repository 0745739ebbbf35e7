"""Systems, the accounts at them, and the object types they offer."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from hub.common.encryption import EncryptedJSONField


class System(models.Model):
    """An application of the firm, e.g. "Finance ERP"; the unit of ownership ("system of record")."""

    class Category(models.TextChoices):
        CRM = "crm", "CRM"
        PSA = "psa", "PSA / resource planning"
        HRIS = "hris", "HRIS"
        ERP = "erp", "ERP"
        IDENTITY = "identity", "Identity"
        PROCUREMENT = "procurement", "Procurement"
        ANALYTICS = "analytics", "Analytics"
        LEGACY = "legacy", "Legacy"
        OTHER = "other", "Other"

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    category = models.CharField(max_length=20, choices=Category, default=Category.OTHER)
    description = models.TextField(blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Connection(models.Model):
    """One account at one system. Secrets live in a column of their own, encrypted and never read back to a page."""

    class Status(models.TextChoices):
        UNTESTED = "untested", "Not tested"
        OK = "ok", "Works"
        FAILING = "failing", "Failing"

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="connections")
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # A name of the catalogue, or empty when `config["declaration"]` holds the declaration itself.
    catalogue = models.CharField(max_length=60, blank=True)
    protocol = models.CharField(max_length=20)
    config = models.JSONField(default=dict, blank=True)
    secrets = EncryptedJSONField()
    time_zone = models.CharField(max_length=60, default="UTC")
    allowed_networks = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    is_paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=500, blank=True)
    paused_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    paused_at = models.DateTimeField(null=True, blank=True)
    # Failures of the system itself, one after the other, after which it is left alone for a while.
    failure_limit = models.PositiveSmallIntegerField(default=10, validators=[MinValueValidator(1)])
    # When a failed delivery is tried again, as far as it differs from connectors.retry_policy.
    retry = models.JSONField(default=dict, blank=True)
    owner = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    # The last day on which the system accepts the stored secrets, where somebody knows it.
    secret_expires_date = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.UNTESTED)
    status_detail = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    # The steps of the last test, as shown: [{name, ok, detail, cause, fix, seconds}].
    check_steps = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords(excluded_fields=["secrets", "status", "status_detail", "checked_at", "check_steps"])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Stream(models.Model):
    """An object type that a connection offers: its key, its cursor, its fields as discovered."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="streams")
    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120, help_text="The name in the declaration, the table, or the file pattern.")
    label = models.CharField(max_length=120, blank=True)
    key_fields = ArrayField(models.CharField(max_length=120), default=list)
    cursor_field = models.CharField(max_length=120, blank=True)
    page_size = models.PositiveIntegerField(default=0, help_text="0 takes the connector's own.")
    options = models.JSONField(default=dict, blank=True)
    # [{path, type, title, required, example}], see hub.common.records.FieldInfo.
    fields = models.JSONField(default=list, blank=True)
    # What a record of this source must look like before it is mapped; empty = anything goes.
    source_schema = models.JSONField(default=dict, blank=True)
    discovered_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["connection__name", "name"]
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="stream_once_per_connection")]

    def __str__(self) -> str:
        return self.label or self.name

    @property
    def time_zone(self) -> str:
        return self.connection.time_zone


class Circuit(models.Model):
    """Whether a connection's system may be called. No row means closed. Written by connectors.circuits alone."""

    class State(models.TextChoices):
        CLOSED = "closed", "Answers"
        OPEN = "open", "Does not answer"
        HALF_OPEN = "half_open", "Being tried"
        PAUSED_AUTH = "paused_auth", "Needs sign-in"

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="circuit")
    state = models.CharField(max_length=12, choices=State, db_default=State.CLOSED.value)
    # Failures since the last answer, and how often it was opened again since the circuit was last closed.
    failures = models.IntegerField(db_default=0)
    trips = models.IntegerField(db_default=0)
    error = models.TextField(db_default="")
    since = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    # Until then one worker tries it: with a test, and while half open with this run.
    probe_until = models.DateTimeField(null=True)
    trial_run_id = models.BigIntegerField(null=True)


class AccessToken(models.Model):
    """The token of a sign-in that all workers use, sealed. Written by connectors.tokens alone."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    # {token, base_url}
    sealed = EncryptedJSONField()
    # A hash of the settings and secrets that it was issued for.
    mark = models.CharField(max_length=32)
    generation = models.BigIntegerField()
    # Empty where the system does not tell: it is used until it is refused.
    expires_at = models.DateTimeField(null=True)
    # When somebody last looked whether the system still accepts the sign-in.
    tried_at = models.DateTimeField()


class Health(models.Model):
    """How a connection's system answered when it was last looked at. Written by connectors.health alone."""

    class State(models.TextChoices):
        HEALTHY = "healthy", "Healthy"
        SLOW = "slow", "Slow"
        REFUSED = "refused", "Refused"
        NEEDS_SIGN_IN = "needs_sign_in", "Needs re-authentication"
        UNREACHABLE = "unreachable", "Unreachable"

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="health")
    state = models.CharField(max_length=14, choices=State, blank=True, db_default="")
    # When the state began, and the last look at it.
    since = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    detail = models.TextField(db_default="")
    fix = models.TextField(db_default="")
    # Requests that the system says are left, and the most that it allows, where it tells.
    quota_left = models.IntegerField(null=True)
    quota_limit = models.IntegerField(null=True)
    quota_at = models.DateTimeField(null=True)
    # The end of the certificate with which the system's server shows who it is.
    certificate_expires_at = models.DateTimeField(null=True)
    shapes_at = models.DateTimeField(null=True)
    # Chosen objects that the system no longer offers.
    missing = models.JSONField(default=list)


class Pace(models.Model):
    """When the next request to a connection may start, for all workers. Written by connectors.pace alone."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="+")
    next_at = models.DateTimeField(null=True)
    # The system asked to be left alone until then.
    stopped_until = models.DateTimeField(null=True)


class PaceShare(models.Model):
    """How many requests at once one worker may have at a connection; gone when its lease ends."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    holder = models.CharField(max_length=32)
    number = models.IntegerField()
    lease_until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "holder"], name="one_share_a_holder")]
