"""Small pieces of the pages of exceptions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django import template

from monitoring.exceptions import showing, valuing

register = template.Library()


@register.filter
def age(since: datetime) -> str:
    """`6 d`: how long something has been open."""
    return showing.age(since)


@register.filter
def exact(amount: Decimal | None) -> Decimal | None:
    """An amount without the zeros that only its column adds."""
    return valuing.plain(amount)
