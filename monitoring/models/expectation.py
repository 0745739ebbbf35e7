"""What has to have happened by when: the ledger of expectations, and what service levels count from it.

Freshness, service levels, stale records and the completion of processes all read `Expectation`. Written by
monitoring.expectations alone, with set-based SQL; foreign keys are not enforced by the database, as in hub.records.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from hub.common.money import CURRENCY_DIGITS

MONEY = {"max_digits": 19, "decimal_places": 4}
SOFT: dict[str, Any] = {"on_delete": models.CASCADE, "related_name": "+", "db_constraint": False, "db_index": False}


def plain(amount: Decimal | None, digits: int) -> Decimal | None:
    """An amount with so many decimals, or with as many as it needs."""
    if amount is None:
        return None
    exponent = amount.normalize().as_tuple().exponent
    return amount.quantize(Decimal(1).scaleb(-max(digits, -exponent if isinstance(exponent, int) else 0)))


class Expectation(models.Model):
    """One thing that a service level promises: opened by what happened, closed by an arrival, or broken by the clock.

    `subject_id` is the record, or for freshness and time of availability the sync that reads or delivers. `cause_id` is the
    ledger row that began it, the run before it (freshness), or the day as 20261130 (time of availability). `decided_at` is
    when it was settled whether the promise held: the arrival in time, or the deadline.
    """

    class State(models.TextChoices):
        OPEN = "open", "Due"
        WARNED = "warned", "Soon late"
        BREACHED = "breached", "Late"
        MET = "met", "In time"
        MET_LATE = "met_late", "Arrived late"
        CANCELLED = "cancelled", "Not asked any more"

    UNDECIDED = (State.OPEN, State.WARNED)
    UNFINISHED = (State.OPEN, State.WARNED, State.BREACHED)

    class Note(models.TextChoices):
        """Why nothing is expected any more."""

        REMOVED = "removed", "The record was removed"
        MERGED = "merged", "The record was merged into another one"
        DISCARDED = "discarded", "A person discarded the delivery"
        UNASKED = "unasked", "The record changed, and is not promised any more"

    id = models.BigAutoField(primary_key=True)
    service_level = models.ForeignKey("governance.ServiceLevel", **SOFT)
    domain = models.ForeignKey("accounts.Domain", **SOFT)
    entity = models.ForeignKey("governance.Entity", null=True, **SOFT)
    system = models.ForeignKey("connectors.System", null=True, **SOFT)
    sync_id = models.BigIntegerField(null=True)
    subject_id = models.BigIntegerField()
    cause_id = models.BigIntegerField()
    record_id = models.BigIntegerField(null=True)
    version = models.IntegerField(null=True)
    key = models.TextField(db_collation="C")

    client = models.TextField(blank=True, default="")
    project = models.TextField(blank=True, default="")
    period = models.TextField(blank=True, default="")
    legal_entity = models.TextField(blank=True, default="")
    amount = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]
    currency = models.TextField(blank=True, default="")
    # None where there is no rate, or no amount; never 0 for want of a rate.
    amount_firm = models.DecimalField(null=True, **MONEY)  # type: ignore[arg-type]

    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    note = models.CharField(max_length=10, choices=Note, blank=True, default="")
    opened_at = models.DateTimeField()
    warn_at = models.DateTimeField()
    due_at = models.DateTimeField()
    # When the hub noticed that the deadline had passed.
    breached_at = models.DateTimeField(null=True)
    arrived_at = models.DateTimeField(null=True)
    # The ledger row that shows the arrival; None where the target held it already, and for runs.
    arrival_id = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service_level", "subject_id", "cause_id"], name="expected_once"),
            models.CheckConstraint(
                condition=~Q(state="breached") | Q(breached_at__isnull=False), name="breach_has_its_time"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["met", "met_late"]) | Q(arrived_at__isnull=False), name="met_has_arrived"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "due_at", "id"], name="expectations_by_state"),
            # The list of what is unfinished reads three states in the order of one deadline.
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state__in=["open", "warned", "breached"]),
                name="expectations_unfinished",
            ),
            models.Index(fields=["warn_at"], condition=Q(state="open"), name="expectations_to_warn"),
            models.Index(fields=["record_id"], condition=Q(record_id__isnull=False), name="expectations_of_record"),
            models.Index(fields=["service_level", "opened_at"], name="expectations_opened"),
            models.Index(fields=["service_level", "decided_at"], name="expectations_decided"),
        ]

    def __str__(self) -> str:
        return f"{self.key} by {self.due_at:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("expectations:expectation", args=[self.pk])

    @property
    def own_amount(self) -> Decimal | None:
        """The amount without the zeros that its column adds, with the decimals of its currency."""
        return plain(self.amount, CURRENCY_DIGITS.get(self.currency, 0))

    @property
    def firm_amount(self) -> Decimal | None:
        """The amount in the firm's currency, without the zeros that its column adds."""
        return plain(self.amount_firm, 2)


class ExpectationPosition(models.Model):
    """How far the ledger was taken for one service level. Its row lock is the lease: one projector a level.

    Everything older than `taken_to` is committed and was looked at; what is younger is looked at again. `terms` are those by
    which the deadlines of what is open were computed.
    """

    service_level = models.OneToOneField(
        "governance.ServiceLevel", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    begun_at = models.DateTimeField()
    # What was due before this is history: counted, but nobody is alarmed about it.
    watched_from = models.DateTimeField()
    taken_to = models.DateTimeField()
    terms = models.TextField(default="")
    # History is left to take: the clock decides nothing yet that an arrival not looked at may have met.
    is_behind = models.BooleanField(default=False)
    counted_at = models.DateTimeField(null=True)


class ServiceLevelDay(models.Model):
    """The figures of what began on one day of the calendar's time zone: rows, or seconds for freshness.

    `gone_*` are parts of the same figures whose rows were forgotten by age.
    """

    service_level = models.ForeignKey("governance.ServiceLevel", on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    met = models.FloatField(default=0)
    warned = models.FloatField(default=0)
    breached = models.FloatField(default=0)
    running = models.IntegerField(default=0)
    excluded = models.FloatField(default=0)
    cancelled = models.IntegerField(default=0)
    # Rows of it changed since it was counted.
    is_dirty = models.BooleanField(default=True)
    gone_met = models.FloatField(default=0)
    gone_warned = models.FloatField(default=0)
    gone_breached = models.FloatField(default=0)
    gone_excluded = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["service_level", "day"], name="figures_once_a_day")]

    def __str__(self) -> str:
        return f"{self.service_level} on {self.day}"


class Exclusion(models.Model):
    """A time that does not count for a service level, once a second person has agreed."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Needs approval"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    service_level = models.ForeignKey("governance.ServiceLevel", on_delete=models.CASCADE, related_name="exclusions")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="exclusion_ends_after_its_start"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")), name="exclusion_by_two_people"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} to {self.ends_at:%Y-%m-%d %H:%M}: {self.reason}"


class StaleCount(models.Model):
    """How many records of one inbound sync nothing has confirmed within its limit, and what they are worth to the firm."""

    sync = models.OneToOneField("sync.Sync", on_delete=models.CASCADE, primary_key=True, related_name="+")
    number = models.IntegerField(default=0)
    amount = models.DecimalField(null=True, max_digits=24, decimal_places=4)
    # Those of them that have an amount for which there is no rate.
    unconverted = models.IntegerField(default=0)
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.sync}: {self.number} stale"

    @property
    def firm_amount(self) -> Decimal | None:
        return plain(self.amount, 2)


class StaleAcknowledgement(models.Model):
    """A person knows that a sync is late, and says why; it holds until data arrives, or until `until`."""

    sync = models.ForeignKey("sync.Sync", on_delete=models.CASCADE, related_name="+")
    reason = models.TextField()
    by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["sync", "-id"], name="acknowledged_late")]

    def __str__(self) -> str:
        return self.reason
