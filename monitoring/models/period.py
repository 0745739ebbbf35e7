"""Accounting periods with their closing, what was decided for postings that came too late, and who signed a close."""

from __future__ import annotations

import re
from datetime import datetime, time

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from simple_history.models import HistoricalRecords

from hub.common.times import local_to_utc, time_zone

CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
PERIOD = RegexValidator(r"^[0-9]{4}-(0[1-9]|1[0-2])\Z", "A period is YYYY-MM, such as 2026-11.")
LEGAL_ENTITY = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "A legal entity is its code, such as HV-UK.")


def validate_clock(text: str) -> None:
    if not CLOCK.fullmatch(text):
        raise ValidationError(f"“{text}” is not a time of day. Write 17:30.")


class PeriodStatus(models.TextChoices):
    FUTURE = "future", "Future"
    OPEN = "open", "Open"
    CLOSING = "closing", "Closing"
    CLOSED = "closed", "Closed"


class LatePolicy(models.TextChoices):
    """What is usually done with a posting that arrives when its period is closed."""

    NEXT_PERIOD = "next_period", "Post to the next open period"
    REOPEN = "reopen", "Ask for the period to be reopened"
    HOLD = "hold", "Hold it until somebody decides"
    WRITE_OFF = "write_off", "Write it off"


class Period(models.Model):
    """One period of one legal entity, as the firm plans to close it. Whether it is closed says the ERP where it can."""

    slug = models.SlugField(unique=True, max_length=60)
    legal_entity = models.CharField(max_length=40, validators=[LEGAL_ENTITY])
    period = models.CharField(max_length=7, validators=[PERIOD])
    start_date = models.DateField()
    end_date = models.DateField()
    # The day and the wall clock's time in `time_zone` at which no more may be posted.
    close_date = models.DateField()
    close_time = models.CharField(max_length=5, default="17:30", validators=[validate_clock])
    time_zone = models.CharField(max_length=60, default="UTC")
    calendar = models.ForeignKey(
        "governance.BusinessCalendar", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Empty: its dates say it. What the ERP delivers for the period comes before either.
    status = models.CharField(max_length=8, choices=PeriodStatus, blank=True, default="")
    is_frozen = models.BooleanField(default=False)
    late_policy = models.CharField(max_length=12, choices=LatePolicy, default=LatePolicy.NEXT_PERIOD)
    note = models.CharField(max_length=500, blank=True, default="")
    # Since when it has been closed by hand, or frozen. Not part of the configuration.
    closed_at = models.DateTimeField(null=True, blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords(excluded_fields=["closed_at", "frozen_at"])

    class Meta:
        ordering = ["legal_entity", "period"]
        constraints = [models.UniqueConstraint(fields=["legal_entity", "period"], name="period_once_a_legal_entity")]

    def __str__(self) -> str:
        return f"{self.legal_entity} {self.period}"

    def get_absolute_url(self) -> str:
        return reverse("close:period", args=[self.slug])

    @property
    def closes_at(self) -> datetime:
        """The instant of closing. A time that the clock skips is the moment after the change, a repeated one the first."""
        local = datetime.combine(self.close_date, time.fromisoformat(self.close_time))
        return local_to_utc(local, time_zone(self.time_zone))


class LateDecision(models.Model):
    """What a person decided for one record whose period was closed when it arrived. Only its end is ever added."""

    record_id = models.BigIntegerField()
    # The decision was about this version; a later one is decided anew.
    version = models.IntegerField()
    item = models.ForeignKey("monitoring.ExceptionItem", on_delete=models.SET_NULL, null=True, related_name="+")
    entity = models.ForeignKey("governance.Entity", on_delete=models.CASCADE, related_name="+")
    key = models.TextField()
    legal_entity = models.CharField(max_length=40)
    period = models.CharField(max_length=7)
    choice = models.CharField(max_length=12, choices=LatePolicy)
    # For NEXT_PERIOD: where it is to be posted.
    to_period = models.CharField(max_length=7, blank=True)
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=8, blank=True)
    reason = models.CharField(max_length=500)
    by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    # Replaced by a later decision for the same record.
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["record_id"], condition=models.Q(ended_at__isnull=True), name="one_late_decision_a_record"
            )
        ]
        indexes = [
            models.Index(
                fields=["legal_entity", "to_period"],
                condition=models.Q(ended_at__isnull=True),
                name="late_decisions_into_period",
            )
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.get_choice_display()}"


class CloseSignature(models.Model):
    """One of the two signatures below a close, with the figures that it was given for."""

    class Step(models.TextChoices):
        PREPARED = "prepared", "Prepared"
        REVIEWED = "reviewed", "Reviewed"

    legal_entity = models.CharField(max_length=40)
    period = models.CharField(max_length=7)
    step = models.CharField(max_length=8, choices=Step)
    by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    note = models.CharField(max_length=500, blank=True)
    # What stood in the way then, as monitoring.close.readiness.as_data gives it, and its digest.
    figures = models.JSONField()
    digest = models.CharField(max_length=64)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["legal_entity", "period", "step"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="one_signature_a_step",
            ),
            models.UniqueConstraint(
                fields=["legal_entity", "period", "by"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="two_people_sign_a_close",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.legal_entity} {self.period}: {self.get_step_display()} by {self.by}"


class AwaitingApproval(models.Model):
    """A canonical record that was handed in and may still wait for approval; see monitoring.close.awaiting."""

    record_id = models.BigIntegerField(primary_key=True)
    noted_at = models.DateTimeField(db_default=Now())
