"""A word of the business, what it means here, and how it is computed in the hub and in every system."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords


class Term(models.Model):
    """One entry of the glossary. Without an expression it is a definition that nobody measures."""

    class Unit(models.TextChoices):
        NUMBER = "number", "Number"
        HOURS = "hours", "Hours"
        DAYS = "days", "Days"
        MONEY = "money", "Money"
        SHARE = "share", "Share: 0.72 is shown as 72 %"

    class Per(models.TextChoices):
        FIRM = "firm", "Firm"
        LEGAL_ENTITY = "legal_entity", "Legal entity"
        CUSTOMER = "customer", "Customer"
        PROJECT = "project", "Project"
        PERSON = "person", "Person"

    class Period(models.TextChoices):
        ALL = "all", "All time"
        WEEK = "week", "This week"
        LAST_WEEK = "last_week", "Last week"
        MONTH = "month", "This month"
        LAST_MONTH = "last_month", "Last month"
        QUARTER = "quarter", "This quarter"
        LAST_QUARTER = "last_quarter", "Last quarter"
        YEAR = "year", "This year"

    class Tolerance(models.TextChoices):
        ABSOLUTE = "absolute", "in the term's unit"
        PERCENT = "percent", "% of the hub's number"

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, related_name="terms")
    definition = models.TextField(max_length=4000)
    # A person or a team, as the firm calls them.
    owner = models.CharField(max_length=120, blank=True)
    synonyms = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    unit = models.CharField(max_length=10, choices=Unit, default=Unit.NUMBER)
    currency = models.CharField(
        max_length=3, blank=True, validators=[RegexValidator(r"^[A-Z]{3}$", "Write three capital letters such as EUR.")]
    )
    # What the term is said of: billable utilisation of a person in a month.
    per = models.CharField(max_length=15, choices=Per, default=Per.FIRM)
    period = models.CharField(max_length=15, choices=Period, default=Period.ALL)
    expression = models.TextField(blank=True)
    # Numbers part when they differ by more.
    tolerance = models.DecimalField(
        max_digits=19, decimal_places=6, default=Decimal(0), validators=[MinValueValidator(Decimal(0))]
    )
    tolerance_kind = models.CharField(max_length=10, choices=Tolerance, default=Tolerance.ABSOLUTE)
    # [{connection, query}] or [{connection, stream, expression}], see governance.terms.probes.
    probes = models.JSONField(default=list, blank=True)
    # Contract fields that carry the term: ["time_entry.hours"].
    fields = ArrayField(models.CharField(max_length=130), default=list, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(unit="money") | ~models.Q(currency=""), name="term_money_has_currency"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("monitoring:term", args=[self.slug])
