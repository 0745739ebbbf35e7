"""Two sides that must agree, each time they were compared, and what differs: gap by gap, match by match, period by period."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.urls import reverse
from simple_history.models import HistoricalRecords

MONEY = {"max_digits": 24, "decimal_places": 4}
# The period of records that have none, in addresses too.
NO_PERIOD = "all"


class Reconciliation(models.Model):
    """Which records of two sides are the same, and what must be equal. The JSON is checked by `definition.problems`.

    `left`, `right`: {"hub": true} or {"stream": slug}, with `label`, `filter`, `key` and `fields`.
    """

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=120, blank=True)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey("governance.Entity", on_delete=models.PROTECT, related_name="reconciliations")
    left = models.JSONField()
    right = models.JSONField()
    # Canonical fields that tell records apart.
    key = models.JSONField()
    # [{"field": "hours", "type": "decimal", "absolute": "0.01"}, …]
    compare = models.JSONField(default=list, blank=True)
    # {"amount": "amount", "currency": "currency", "period": "period", …, "sums": ["hours"]}; empty = as the contract marks.
    totals = models.JSONField(default=dict, blank=True)
    # [{"name": "sum per day", "kind": "many_to_one", "group": ["resource", "date"], "absolute": "0.01"}, …]
    rules = models.JSONField(default=list, blank=True)
    # How many periods, the running one among them, are compared; 0 = all.
    periods = models.PositiveSmallIntegerField(default=0)
    cron = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    # Slugs of syncs: it is compared after each of their runs.
    after = models.JSONField(default=list, blank=True)
    # Fewer records of a side than this share of the last comparison are half a reading, not gaps.
    usual_min_percent = models.PositiveSmallIntegerField(default=50)
    is_paused = models.BooleanField(default=False)
    # When it is due by itself: the next slot of its schedule, and since a sync's run ended.
    next_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords(excluded_fields=["next_at", "asked_at"])

    class Meta:
        ordering = ["name"]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="reconciliations_due"),
            models.Index(fields=["asked_at"], condition=Q(asked_at__isnull=False), name="reconciliations_asked"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("reconciliation:reconciliation", args=[self.slug])


class ReconciliationRun(models.Model):
    """One comparison, and the lease on it. Its figures are those of the moment at which it ended."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        NOT_COMPARABLE = "not_comparable", "Not comparable"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Trigger(models.TextChoices):
        MANUAL = "manual", "By hand"
        SCHEDULE = "schedule", "Schedule"
        AFTER = "after", "After a sync"

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    # Somebody has said that so few records are right.
    is_small_accepted = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    claims = models.SmallIntegerField(default=0)
    stage = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True)
    # The definition as it was compared by.
    document = models.JSONField(default=dict)
    left = models.BigIntegerField(default=0)
    right = models.BigIntegerField(default=0)
    matched = models.BigIntegerField(default=0)
    only_left = models.BigIntegerField(default=0)
    only_right = models.BigIntegerField(default=0)
    differing = models.BigIntegerField(default=0)
    duplicates_left = models.BigIntegerField(default=0)
    duplicates_right = models.BigIntegerField(default=0)
    explained = models.BigIntegerField(default=0)
    unexplained = models.BigIntegerField(default=0)
    # {label: number}
    labels = models.JSONField(default=dict)
    # Seconds by stage.
    timings = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reconciliation"],
                condition=Q(status__in=["queued", "running"]),
                name="one_active_run_a_reconciliation",
            )
        ]
        indexes = [models.Index(fields=["reconciliation", "-id"], name="runs_of_reconciliation")]

    def __str__(self) -> str:
        return f"Comparison {self.pk}"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def gaps(self) -> int:
        return self.only_left + self.only_right + self.differing + self.duplicates_left + self.duplicates_right

    @property
    def pairs(self) -> int:
        """What could have agreed: matched records and gaps."""
        return self.matched + self.gaps


class ReconciliationTotal(models.Model):
    """Control totals of one run in one currency, legal entity and period; empty text where a record has none."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="totals")
    currency = models.TextField(blank=True)
    legal_entity = models.TextField(blank=True)
    period = models.TextField(blank=True)
    left_count = models.BigIntegerField(default=0)
    right_count = models.BigIntegerField(default=0)
    matched = models.BigIntegerField(default=0)
    left_amount = models.DecimalField(default=Decimal(0), **MONEY)  # type: ignore[arg-type]
    right_amount = models.DecimalField(default=Decimal(0), **MONEY)  # type: ignore[arg-type]
    # {"hours": ["6412.50", "6301.50"]}
    sums = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "currency", "legal_entity", "period"], name="one_total_a_group")
        ]

    @property
    def difference(self) -> Decimal:
        """Right less left."""
        return self.right_amount - self.left_amount


class ReconciliationPeriod(models.Model):
    """One period of a reconciliation: who prepared it, who reviewed it."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        PREPARED = "prepared", "Prepared"
        REVIEWED = "reviewed", "Reviewed"
        CLOSED = "closed", "Closed"

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="sheets")
    period = models.CharField(max_length=20)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    prepared_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    prepared_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)
    # The figures that were signed: headline and totals as they were shown.
    signed = models.JSONField(default=dict)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reconciliation", "period"], name="one_sheet_a_period")]

    def __str__(self) -> str:
        return f"{self.reconciliation} · {self.period}"

    def get_absolute_url(self) -> str:
        return reverse("reconciliation:period", args=[self.reconciliation.slug, self.period])


class ReconciliationMatch(models.Model):
    """Gaps of both sides that belong together: suggested by a rule, or made by a person with a reason."""

    class State(models.TextChoices):
        SUGGESTED = "suggested", "Suggested"
        CONFIRMED = "confirmed", "Matched"
        DISCARDED = "discarded", "Discarded"
        UNDONE = "undone", "Undone"

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="matches")
    period = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State)
    rule = models.CharField(max_length=80, blank=True)
    score = models.DecimalField(max_digits=4, decimal_places=2, null=True)
    reason = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True)
    currency = models.TextField(blank=True)
    left_count = models.IntegerField(default=0)
    right_count = models.IntegerField(default=0)
    left_amount = models.DecimalField(default=Decimal(0), **MONEY)  # type: ignore[arg-type]
    right_amount = models.DecimalField(default=Decimal(0), **MONEY)  # type: ignore[arg-type]
    # What it is made of, so that a rule does not suggest again what a person has discarded.
    fingerprint = models.CharField(max_length=40)
    made_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["reconciliation", "period", "state", "-id"], name="matches_of_period"),
            models.Index(fields=["reconciliation", "fingerprint"], name="matches_by_content"),
        ]

    @property
    def variance(self) -> Decimal:
        """Right less left."""
        return self.right_amount - self.left_amount


class ReconciliationGap(models.Model):
    """One record, or one pair, that does not agree. It stays the same row from run to run while it is there.

    `identity` names it within its reconciliation. What a person decided holds for the content that they saw
    (`content`); a record that changes is open again.
    """

    class Kind(models.TextChoices):
        ONLY_LEFT = "only_left", "Left side only"
        ONLY_RIGHT = "only_right", "Right side only"
        DIFFERING = "differing", "Differs"
        DUPLICATE_LEFT = "duplicate_left", "Twice at the left side"
        DUPLICATE_RIGHT = "duplicate_right", "Twice at the right side"

    class Label(models.TextChoices):
        IN_FLIGHT = "in_flight", "In flight"
        DEAD_LETTER = "dead_letter", "Dead letter"
        EXCEPTION = "exception", "Exception"
        SUPPRESSED = "suppressed", "Suppressed by rule"
        MAPPING = "mapping", "Mapping"
        ROUNDING = "rounding", "Rounding"
        CUT_OFF = "cut_off", "Time zone or cut-off"
        DUPLICATE = "duplicate", "Duplicate"
        DELETED = "deleted", "Deleted"
        CHANGED_AT_TARGET = "changed_at_target", "Changed at target"
        UNEXPLAINED = "unexplained", "Unexplained"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        MATCHED = "matched", "Matched"
        EXPLAINED = "explained", "Explained"
        CARRIED = "carried", "Carried forward"
        GONE = "gone", "No longer there"

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="gaps")
    identity = models.TextField(db_collation="C")
    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    label = models.CharField(max_length=20, choices=Label, default=Label.UNEXPLAINED)
    # Why, in a sentence, and where it can be looked up: {"delivery": [3, 4711]}, {"transaction": 12}, …
    note = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    key = models.TextField()
    left_id = models.TextField(null=True)
    right_id = models.TextField(null=True)
    record_id = models.BigIntegerField(null=True)
    period = models.CharField(max_length=20)
    legal_entity = models.TextField(blank=True)
    currency = models.TextField(blank=True)
    client = models.TextField(blank=True)
    project = models.TextField(blank=True)
    left_amount = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    right_amount = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    # Values by field as they were compared.
    left = models.JSONField(null=True)
    right = models.JSONField(null=True)
    # Fields that differ.
    fields = models.JSONField(default=list)
    content = models.CharField(max_length=32)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    match = models.ForeignKey(ReconciliationMatch, on_delete=models.SET_NULL, null=True, related_name="gaps")
    # What a person said: why it is explained, or carried forward; the reason of a match is the match's.
    reason = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    # A person wants it in the queue of exceptions although it is labelled.
    is_raised = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reconciliation", "identity"], name="gap_once_a_reconciliation")]
        indexes = [
            models.Index(fields=["reconciliation", "period", "state", "kind", "id"], name="gaps_of_period"),
            # What waits for a person is summed up from the index alone.
            models.Index(
                fields=["reconciliation", "period", "kind"],
                include=["currency", "left_amount", "right_amount"],
                condition=Q(state="open", label="unexplained", match__isnull=True),
                name="gaps_unmatched",
            ),
            models.Index(
                fields=["reconciliation", "id"],
                condition=Q(state="open") & (Q(label="unexplained") | Q(is_raised=True)),
                name="gaps_before_people",
            ),
            models.Index(fields=["match"], condition=Q(match__isnull=False), name="gaps_of_match"),
        ]

    def __str__(self) -> str:
        return f"{self.reconciliation}: {self.key}"

    @property
    def difference(self) -> Decimal:
        """Right less left; a missing side counts as nothing."""
        return (self.right_amount or Decimal(0)) - (self.left_amount or Decimal(0))

    @property
    def pairs(self) -> list[tuple[str, Any, Any]]:
        """(field, left, right) of what differs."""
        return [(name, (self.left or {}).get(name), (self.right or {}).get(name)) for name in self.fields]
