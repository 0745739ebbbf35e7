"""Who has to look at which part of which configuration."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, validate_email
from django.db import models
from simple_history.models import HistoricalRecords

EVERY_KIND = "*"


def validate_members(value: Any) -> None:
    """A list of e-mail addresses in lower case, each once."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValidationError("Members are a list of e-mail addresses.")
    for address in value:
        validate_email(address)
        if address != address.lower():
            raise ValidationError(f"{address} has capital letters; people are known by their address in small ones.")
    if len(set(value)) != len(value):
        raise ValidationError("A member is named twice.")


def validate_pattern(value: str) -> None:
    if not value or not all(value.split(".")) or any(letter.isspace() for letter in value):
        raise ValidationError("A path is names between dots, with * for one name and ** for any number of them.")


class ReviewGroup(models.Model):
    """People who can speak for one side of the business, such as finance. Members are named by e-mail address."""

    slug = models.SlugField(unique=True, max_length=40)
    name = models.CharField(max_length=80)
    members = models.JSONField(default=list, blank=True, validators=[validate_members])
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ReviewPolicy(models.Model):
    """A change of `path` in a document of `kind` needs `approvals` people of `group`; without policies nothing is held."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=40, default=EVERY_KIND)
    # Empty for all domains, and for what belongs to none.
    domain = models.ForeignKey("accounts.Domain", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    path = models.CharField(max_length=200, default="**", validators=[validate_pattern])
    group = models.ForeignKey(ReviewGroup, on_delete=models.PROTECT, related_name="policies")
    approvals = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    history = HistoricalRecords()

    class Meta:
        ordering = ["kind", "name"]
        verbose_name_plural = "review policies"

    def __str__(self) -> str:
        return self.name
