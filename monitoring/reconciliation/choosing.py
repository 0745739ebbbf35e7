"""Which gaps a person has chosen: named ones, or all that a filter shows, however many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from monitoring.models import Reconciliation, ReconciliationGap
from monitoring.reconciliation.definition import Definition

Kind = ReconciliationGap.Kind
State = ReconciliationGap.State
Label = ReconciliationGap.Label
SIDES = {"left": Kind.ONLY_LEFT, "right": Kind.ONLY_RIGHT, "pair": Kind.DIFFERING}
NAMES = ("key", "project", "client", "currency")


def unmatched(reconciliation: Reconciliation, period: str) -> QuerySet[ReconciliationGap]:
    """Open, unexplained and in no match: what waits for a person."""
    rows = ReconciliationGap.objects.filter(reconciliation=reconciliation, period=period)
    return rows.filter(state=State.OPEN, label=Label.UNEXPLAINED, match__isnull=True)


def filtered(rows: QuerySet[ReconciliationGap], asked: Mapping[str, str], text: str) -> QuerySet[ReconciliationGap]:
    """By `key:`, `project:`, `client:`, `currency:`, and free text in any of them."""
    for name in NAMES:
        if value := asked.get(name):
            rows = rows.filter(**{f"{name}__icontains" if name == "key" else f"{name}__iexact": value})
    for word in text.split():
        rows = rows.filter(Q(key__icontains=word) | Q(project__icontains=word) | Q(client__icontains=word))
    return rows


@dataclass(frozen=True, slots=True)
class Chosen:
    """One side of a choice: ids, or everything that the filter shows but `left_out`."""

    side: str
    ids: frozenset[int] = frozenset()
    is_all: bool = False
    left_out: frozenset[int] = frozenset()
    asked: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def rows(self, reconciliation: Reconciliation, period: str) -> QuerySet[ReconciliationGap]:
        rows = unmatched(reconciliation, period).filter(kind=SIDES[self.side])
        if not self.is_all:
            return rows.filter(pk__in=self.ids)
        return filtered(rows, self.asked, self.text).exclude(pk__in=self.left_out)


def of_form(side: str, data: Any, asked: Mapping[str, str], text: str) -> Chosen:
    """What a form has sent: with "all" ticked, the boxes that were shown and are not ticked are left out."""
    ticked = _numbers(data.getlist(side))
    shown = _numbers(data.getlist(f"{side}_shown"))
    return Chosen(side, ticked, bool(data.get(f"{side}_all")), shown - ticked, asked, text)


def _numbers(given: list[str]) -> frozenset[int]:
    return frozenset(int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 19)


@dataclass(frozen=True, slots=True)
class Balance:
    """What both sides of a choice come to; `allowed` is the tolerance of the amount at these sums."""

    left_count: int
    right_count: int
    left: Decimal
    right: Decimal
    currencies: tuple[str, ...]
    allowed: Decimal

    @property
    def currency(self) -> str:
        return self.currencies[0] if len(self.currencies) == 1 else ""

    @property
    def variance(self) -> Decimal:
        """Right less left."""
        return self.right - self.left

    @property
    def is_in_tolerance(self) -> bool:
        return len(self.currencies) < 2 and abs(self.variance) <= self.allowed

    @property
    def number(self) -> int:
        return self.left_count + self.right_count


def balance(
    reconciliation: Reconciliation, period: str, definition: Definition, left: Chosen, right: Chosen
) -> Balance:
    """One statement a side, whatever the number of rows."""
    counts, sums, currencies = {}, {}, set()
    for chosen in (left, right):
        rows = chosen.rows(reconciliation, period).order_by()
        counts[chosen.side], sums[chosen.side] = 0, Decimal(0)
        for currency, number, amount in rows.values_list("currency").annotate(
            number=Count("pk"), amount=Sum(Coalesce(f"{chosen.side}_amount", Decimal(0)))
        ):
            counts[chosen.side] += number
            sums[chosen.side] += amount or Decimal(0)
            currencies.add(currency)
    most = max(abs(sums["left"]), abs(sums["right"]))
    return Balance(
        counts["left"],
        counts["right"],
        sums["left"],
        sums["right"],
        tuple(sorted(currencies)),
        _allowed(definition, most),
    )


def _allowed(definition: Definition, amount: Decimal) -> Decimal:
    found = next((item for item in definition.compare if item.field == definition.roles.get("amount")), None)
    return max(found.absolute, found.percent * amount / 100) if found else Decimal(0)
