"""How exceptions are understood and whose turn they are: classifications, and rules that route them."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from monitoring.models.exception import ExceptionItem


class Classification(models.Model):
    """A cause in the words of the business: by what it is recognised, what groups it, what fixes it, how soon.

    A row takes the place of the shipped one of the same short name (`monitoring/exceptions/shipped/`); the others of those
    count as they are shipped. See monitoring.exceptions.classify for what `when` may say.
    """

    slug = models.SlugField(unique=True, max_length=40)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=ExceptionItem.Kind, default=ExceptionItem.Kind.BUSINESS)
    # The first that fits counts; lower ones are asked first.
    position = models.PositiveIntegerField(default=500)
    # Alternatives, each {"error_code": ["CONTRACT"], "field": ["bill_rate"], …}: any value of every word that is there.
    when = models.JSONField(default=list, blank=True)
    # Facts that items of one group share, {"role", "client"}; and the group's title: "No bill rate: {role} × {client}".
    facts = models.JSONField(default=list, blank=True)
    title = models.CharField(max_length=200, blank=True)
    fix = models.TextField(blank=True)
    help = models.TextField(blank=True)
    # Business hours until it has to be settled; none for no deadline.
    sla_hours = models.PositiveIntegerField(null=True, blank=True)
    calendar = models.ForeignKey(
        "governance.BusinessCalendar", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("exceptions:classification", args=[self.slug])


class RoutingRule(models.Model):
    """Whose turn an exception is. Every condition that is given has to hold; the first rule by position counts."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    position = models.PositiveIntegerField(default=100)
    domain = models.ForeignKey("accounts.Domain", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    entity = models.ForeignKey("governance.Entity", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    system = models.ForeignKey("connectors.System", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    cause = models.CharField(max_length=40, blank=True)
    # Key or name.
    client = models.CharField(max_length=200, blank=True)
    legal_entity = models.CharField(max_length=40, blank=True)
    # In the firm's currency; what has no amount there does not reach it.
    amount_from = models.DecimalField(max_digits=19, decimal_places=2, null=True, blank=True)
    team = models.CharField(max_length=80, blank=True)
    # The e-mail address of a person.
    person = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("exceptions:route", args=[self.slug])


class ExceptionSweep(models.Model):
    """The last sweep, in one row: when, what it did, and with which rules and rates."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    checked_at = models.DateTimeField()
    seconds = models.FloatField(default=0)
    opened = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    resolved = models.PositiveIntegerField(default=0)
    # What could not be asked: "gap: …".
    problems = models.JSONField(default=list)
    rules_digest = models.CharField(max_length=32, blank=True)
    # {"EUR": "0.85", "": "GBP"}: the rates that the amounts were valued with, and the currency of the firm.
    rates = models.JSONField(default=dict)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_exception_sweep")]

    def __str__(self) -> str:
        return f"Sweep of {self.checked_at}"
