"""What a person has to settle, in business words, with the money that hangs on it."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse

MONEY = {"max_digits": 19, "decimal_places": 4}


class ExceptionGroup(models.Model):
    """Items with one root cause: what clears one of them clears all. Its figures are those of its open items."""

    fingerprint = models.CharField(max_length=200, unique=True)
    cause = models.CharField(max_length=40)
    # "No bill rate: Senior Consultant × Acme"
    title = models.TextField()
    entity = models.ForeignKey("governance.Entity", on_delete=models.CASCADE, null=True, related_name="+")
    domain = models.ForeignKey("accounts.Domain", on_delete=models.CASCADE, null=True, related_name="+")
    # What its items share: {"role": "Senior Consultant", "client": "Acme"}.
    facts = models.JSONField(default=dict)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # How often it came back after all of it was resolved.
    reopened = models.PositiveIntegerField(default=0)
    open_items = models.PositiveIntegerField(default=0)
    # In the firm's currency; `unconverted` counts open items with an amount for which there is no rate.
    amount_firm = models.DecimalField(default=Decimal(0), **MONEY)  # type: ignore[arg-type]
    unconverted = models.PositiveIntegerField(default=0)
    # Open items whose amount nobody knows.
    unknown = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    oldest_at = models.DateTimeField(null=True)
    rank = models.DecimalField(max_digits=24, decimal_places=4, default=Decimal(0))

    class Meta:
        indexes = [models.Index(fields=["-rank", "-id"], condition=Q(open_items__gt=0), name="exception_groups_open")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("exceptions:group", args=[self.pk])


class ExceptionItem(models.Model):
    """One open item a record, from whatever part of the hub. Written by monitoring.exceptions alone.

    `origin_key` names what it came from: "held:12:TE-90112", "delivery:7:4711", "gap:9:…". `rank` is the amount in the firm's
    currency times how near the deadline is (`urgency`), so that a list needs no arithmetic to be sorted.
    """

    class Origin(models.TextChoices):
        HELD = "held", "Record that was not taken in"
        DELIVERY = "delivery", "Delivery"
        DUPLICATE = "duplicate", "Possible duplicate"
        TWIN = "twin", "Record entered twice"
        LIKENESS = "likeness", "Records that may be one"
        BLOCKED = "blocked", "Blocked value"
        LATE = "late", "Late record"
        GAP = "gap", "Reconciliation gap"
        PERIOD = "period", "Closed period"
        STALE = "stale", "Stale record"
        PROCESS = "process", "Process that has stopped"

    class Kind(models.TextChoices):
        BUSINESS = "business", "Business"
        TECHNICAL = "technical", "Technical"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SNOOZED = "snoozed", "Snoozed"
        RETRYING = "retrying", "Retrying"
        APPROVAL = "approval", "Needs approval"
        RESOLVED = "resolved", "Resolved"
        WRITTEN_OFF = "written_off", "Written off"

    UNSETTLED = (State.OPEN, State.SNOOZED, State.RETRYING, State.APPROVAL)

    class Resolution(models.TextChoices):
        PASSED = "passed", "Passed"
        GONE = "gone", "No longer in the way"
        BY_HAND = "by_hand", "Settled by a person"
        DISCARDED = "discarded", "Discarded"
        WRITTEN_OFF = "written_off", "Written off"

    origin = models.CharField(max_length=12, choices=Origin)
    origin_key = models.TextField()
    group = models.ForeignKey(ExceptionGroup, on_delete=models.PROTECT, related_name="items")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    kind = models.CharField(max_length=10, choices=Kind)
    cause = models.CharField(max_length=40)
    # What the classification said. Where `cause` is another word, a person chose it, and it stays.
    classified_as = models.CharField(max_length=40, blank=True)
    title = models.TextField()
    detail = models.TextField(blank=True)
    # What it was recognised by: {"role": …, "person": …, "hours": …, "missing": …}.
    facts = models.JSONField(default=dict)
    # What its source says itself, in place of the classification: {"cause", "business", "due"}.
    given = models.JSONField(default=dict)
    # Of what its source said last: another one means that there is something new to be read.
    digest = models.CharField(max_length=32, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    field = models.CharField(max_length=120, blank=True)

    sync_id = models.BigIntegerField(null=True)
    entity = models.ForeignKey("governance.Entity", on_delete=models.CASCADE, null=True, related_name="+")
    domain = models.ForeignKey("accounts.Domain", on_delete=models.CASCADE, null=True, related_name="+")
    system = models.ForeignKey("connectors.System", on_delete=models.SET_NULL, null=True, related_name="+")
    record_id = models.BigIntegerField(null=True)
    external_id = models.TextField(null=True)
    # What people call the record: its key, or its id where it has none yet.
    name = models.TextField(blank=True)
    transaction_id = models.BigIntegerField(null=True)

    client = models.TextField(blank=True)
    client_name = models.TextField(blank=True)
    project = models.TextField(blank=True)
    project_name = models.TextField(blank=True)
    period = models.CharField(max_length=10, blank=True)
    legal_entity = models.CharField(max_length=40, blank=True)
    amount = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    currency = models.CharField(max_length=8, blank=True)
    amount_firm = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    rate_date = models.DateField(null=True)
    # How the amount came about where the record itself has none: "38.5 h × 145.00 of rate card RC-1".
    amount_note = models.TextField(blank=True)

    due_at = models.DateTimeField(null=True)
    urgency = models.PositiveSmallIntegerField(default=1)
    rank = models.DecimalField(max_digits=24, decimal_places=4, default=Decimal(0))

    assignee = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    # Whose turn it is while nobody is named: words of a routing rule, "Finance operations".
    team = models.CharField(max_length=80, blank=True)
    # Where a rule put it. While team and assignee are still these, no person has set them, and a rule may again.
    routed_team = models.CharField(max_length=80, blank=True)
    routed_person = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    tags = ArrayField(models.CharField(max_length=40), default=list)
    snoozed_until = models.DateTimeField(null=True)
    # Raised by every change of a person, so that the second of two sees the first.
    version = models.PositiveIntegerField(default=1)

    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=12, choices=Resolution, blank=True)
    resolved_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    # The ledger row that shows that it passed.
    evidence_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["origin_key"],
                condition=Q(state__in=["open", "snoozed", "retrying", "approval"]),
                name="one_open_exception_a_record",
            )
        ]
        indexes = [
            models.Index(
                fields=["-rank", "-id"],
                condition=Q(state__in=["open", "snoozed", "retrying", "approval"]),
                name="exceptions_by_rank",
            ),
            models.Index(fields=["group", "state", "-rank"], name="exceptions_of_group"),
            models.Index(fields=["record_id"], condition=Q(record_id__isnull=False), name="exceptions_of_record"),
            models.Index(fields=["project"], condition=~Q(project=""), name="exceptions_of_project"),
            models.Index(
                fields=["assignee", "-rank"],
                condition=Q(assignee__isnull=False, state__in=["open", "snoozed", "retrying", "approval"]),
                name="exceptions_of_person",
            ),
            models.Index(fields=["name"], name="exceptions_by_name"),
            models.Index(fields=["opened_at"], name="exceptions_by_opening"),
            models.Index(
                fields=["state", "id"], condition=Q(state__in=["snoozed", "approval"]), name="exceptions_aside"
            ),
            models.Index(
                fields=["currency"],
                include=["amount", "domain"],
                condition=Q(
                    state__in=["open", "snoozed", "retrying", "approval"],
                    amount__isnull=False,
                    amount_firm__isnull=True,
                ),
                name="exceptions_unconverted",
            ),
            models.Index(fields=["-resolved_at"], condition=Q(resolved_at__isnull=False), name="exceptions_resolved"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("exceptions:item", args=[self.pk])

    @property
    def is_unsettled(self) -> bool:
        return self.state in self.UNSETTLED


class ExceptionEvent(models.Model):
    """What was done about an item, by whom: assignments, comments, edits with before and after, attempts. Append-only."""

    item = models.ForeignKey(ExceptionItem, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    act = models.CharField(max_length=20)
    text = models.TextField(blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    transaction_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["item", "id"], name="events_of_exception")]
