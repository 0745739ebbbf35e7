"""The exception queue by domain: what hangs on it, and how long it has waited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Min, Sum
from django.urls import NoReverseMatch, reverse

from hub.accounts.models import Domain
from hub.common.display import duration
from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import Look
from monitoring.models import ExceptionGroup


class Queue(NamedTuple):
    """The open exceptions of one domain; `amount` is in the firm's currency."""

    domain_id: int | None
    name: str
    items: int
    amount: Decimal
    unconverted: int
    oldest_at: datetime | None

    @property
    def words(self) -> str:
        rest = f"; {self.unconverted:,} have an amount without a rate" if self.unconverted else ""
        return f"{self.items:,} open exception{'s' if self.items != 1 else ''}{rest}"


@condition(
    "exception_amount",
    "Money in exceptions",
    unit="in the firm's currency",
    help="What hangs on the open exceptions of a domain.",
    warning="25000",
    critical="250000",
    is_money=True,
)
def amounts(look: Look) -> Iterator[Finding]:
    for queue in queues():
        if queue.amount:
            yield _finding(look, queue, queue.amount, f"{queue.words}.")


@condition(
    "exception_age",
    "Exceptions wait too long",
    unit="hours",
    help="The oldest open exception of a domain.",
    warning="48",
    critical="120",
)
def ages(look: Look) -> Iterator[Finding]:
    for queue in queues():
        if queue.oldest_at:
            seconds = max((look.now - queue.oldest_at).total_seconds(), 0)
            words = f"{queue.words}; the oldest has waited {duration(seconds)}."
            yield _finding(look, queue, Decimal(str(round(seconds / 3600, 2))), words)


def queues() -> list[Queue]:
    """By domain, from the figures that groups keep of their open items."""
    names = dict(Domain.objects.values_list("pk", "name"))
    rows = ExceptionGroup.objects.filter(open_items__gt=0).order_by().values_list("domain_id")
    found = rows.annotate(Sum("open_items"), Sum("amount_firm"), Sum("unconverted"), Min("oldest_at"))
    return [Queue(domain_id, names.get(domain_id or 0, "The whole firm"), *rest) for domain_id, *rest in found]


def _finding(look: Look, queue: Queue, value: Decimal, words: str) -> Finding:
    money = [(look.rates.currency, queue.amount)] if queue.amount and look.rates.currency else []
    return Finding(
        f"domain:{queue.domain_id or 0}",
        queue.name,
        value,
        words,
        url=exceptions_url(),
        domain_id=queue.domain_id,
        records=queue.items,
        amounts=money,
    )


def exceptions_url() -> str:
    try:
        return reverse("exceptions:list")
    except NoReverseMatch:
        return ""
