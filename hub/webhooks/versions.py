"""Which of two states of a record is the newer one, by the source's own words: instants, or counters. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dateparse import parse_datetime


@dataclass(frozen=True, slots=True)
class Version:
    """When a record changed, as its source wrote it; `text` is empty where it does not say."""

    text: str
    value: datetime | Decimal | None


def version_of(said: Any) -> Version:
    """The version that a source's value stands for; anything that is neither time nor number says nothing."""
    text = "" if said is None or isinstance(said, bool | dict | list) else str(said).strip()
    return Version(text, _instant(text) or _number(text))


def _instant(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def is_older(one: Version, other: Version) -> bool:
    """True only when both say when, in the same kind of words: what cannot be compared is taken as it comes."""
    if isinstance(one.value, datetime) and isinstance(other.value, datetime):
        return one.value < other.value
    if isinstance(one.value, Decimal) and isinstance(other.value, Decimal):
        return one.value < other.value
    return False
