"""Reads of reconciliations, limited to the domains of who asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from monitoring.models import (
    Reconciliation,
    ReconciliationGap,
    ReconciliationMatch,
    ReconciliationPeriod,
    ReconciliationRun,
    ReconciliationTotal,
)

SEE, RESOLVE, EDIT, REVIEW = "exceptions.view", "exceptions.resolve", "monitor.edit", "approvals.decide"
State = ReconciliationGap.State
Label = ReconciliationGap.Label
UNEXPLAINED = Q(state=State.OPEN, label=Label.UNEXPLAINED)


def reconciliations_for(user: User, permission: str = SEE) -> QuerySet[Reconciliation]:
    """Those of the domains in which the person holds the permission."""
    return scope_to_domains(Reconciliation.objects.select_related("domain", "entity"), user, permission)


def search(rows: QuerySet[Reconciliation], text: str) -> QuerySet[Reconciliation]:
    for word in text.split():
        rows = rows.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(owner__icontains=word))
    return rows


def last_run(reconciliation: Reconciliation) -> ReconciliationRun | None:
    return reconciliation.runs.select_related("requested_by").order_by("-pk").first()


def last_done(reconciliation: Reconciliation) -> ReconciliationRun | None:
    """The newest comparison that went through: what totals and gaps are of."""
    return reconciliation.runs.filter(status=ReconciliationRun.Status.DONE).order_by("-pk").first()


def percent(part: int, whole: int) -> Decimal | None:
    """One decimal; never rounded up to a hundred, nor down to nothing. None of nothing."""
    if not whole:
        return None
    if part in (0, whole):
        return Decimal(100 * part // whole)
    found = (Decimal(part) * 100 / whole).quantize(Decimal("0.1"))
    return min(max(found, Decimal("0.1")), Decimal("99.9"))


def headline(run: ReconciliationRun | None) -> str:
    """ "99.6 % matched, 0.4 % explained, 0 unexplained"."""
    if run is None:
        return "Not compared yet"
    if not run.pairs:
        return "Nothing to compare on either side"
    return (
        f"{percent(run.matched, run.pairs)} % matched, {percent(run.explained, run.pairs)} % explained,"
        f" {run.unexplained:,} unexplained"
    )


# Periods ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Cell:
    """One period of one reconciliation: shares of pairs, and the money of what nobody has explained, by currency."""

    sheet: ReconciliationPeriod
    matched: int
    gaps: int
    unexplained: int
    amounts: dict[str, Decimal]
    oldest: Any

    @property
    def percent(self) -> Decimal | None:
        return percent(self.matched, self.matched + self.gaps)

    @property
    def state(self) -> str:
        if self.sheet.status != ReconciliationPeriod.Status.OPEN:
            return self.sheet.status
        return "unexplained" if self.unexplained else "explained" if self.gaps else "matched"


def cells(reconciliations: Iterable[Reconciliation], *, period: str = "") -> dict[int, list[Cell]]:
    """reconciliation id → its periods, the newest first; three queries for all of them. `period` names one of them alone."""
    ids = [one.pk for one in reconciliations]
    sheets = ReconciliationPeriod.objects.filter(reconciliation__in=ids).select_related(
        "prepared_by", "reviewed_by", "reconciliation", "run"
    )
    if period:
        sheets = sheets.filter(period=period)
    matched, gaps = _matched_by_period(ids), _gaps_by_period(ids, period)
    found: dict[int, list[Cell]] = {pk: [] for pk in ids}
    for sheet in sheets.order_by("-period"):
        name = (sheet.reconciliation_id, sheet.period)
        parts = gaps.get(name, [])
        cell = Cell(
            sheet,
            matched.get(name, 0),
            gaps=sum(part.number for part in parts),
            unexplained=sum(part.unexplained for part in parts),
            amounts={part.currency: part.amount for part in parts if part.amount},
            oldest=min((part.oldest for part in parts if part.oldest), default=None),
        )
        found[sheet.reconciliation_id].append(cell)
    return found


def _matched_by_period(ids: list[int]) -> dict[tuple[int, str], int]:
    runs = ReconciliationRun.objects.filter(reconciliation__in=ids, status=ReconciliationRun.Status.DONE)
    newest = list(runs.values("reconciliation").annotate(newest=Max("pk")).values_list("newest", flat=True))
    rows = ReconciliationRun.objects.filter(pk__in=newest).values_list("reconciliation_id", "totals__period")
    return {(pk, period or ""): number or 0 for pk, period, number in rows.annotate(number=Sum("totals__matched"))}


class _Part(NamedTuple):
    """Gaps of one period in one currency."""

    currency: str
    number: int
    unexplained: int
    amount: Decimal | None
    oldest: Any


def _gaps_by_period(ids: list[int], period: str) -> dict[tuple[int, str], list[_Part]]:
    rows = ReconciliationGap.objects.filter(reconciliation__in=ids).exclude(state=State.GONE)
    if period:
        rows = rows.filter(period=period)
    counted = (
        rows.order_by()
        .values_list("reconciliation_id", "period", "currency")
        .annotate(
            number=Count("pk"),
            unexplained=Count("pk", filter=UNEXPLAINED),
            amount=Sum(gap_amount(), filter=UNEXPLAINED),
            oldest=Min("opened_at", filter=UNEXPLAINED),
        )
    )
    found: dict[tuple[int, str], list[_Part]] = {}
    for pk, name, *part in counted:
        found.setdefault((pk, name), []).append(_Part(*part))
    return found


def gap_amount() -> Any:
    """Right less left, a missing side being nothing."""
    return Coalesce(F("right_amount"), Decimal(0)) - Coalesce(F("left_amount"), Decimal(0))


# One period ------------------------------------------------------------------------------------------------
def totals_of(reconciliation: Reconciliation, period: str) -> list[ReconciliationTotal]:
    """Control totals of the newest comparison, in stable order."""
    run = last_done(reconciliation)
    return list(run.totals.filter(period=period).order_by("currency", "legal_entity")) if run else []


@dataclass(frozen=True, slots=True)
class Line:
    """One step of the bridge from the left total to the right one: gaps of one label in one currency."""

    label: str
    currency: str
    number: int
    amount: Decimal


class Group(NamedTuple):
    """Gaps of one period that are alike; `is_taken` where a match, suggested or made, holds them."""

    kind: str
    label: str
    state: str
    currency: str
    is_taken: bool
    number: int
    left: Decimal
    right: Decimal

    @property
    def amount(self) -> Decimal:
        """Right less left."""
        return self.right - self.left

    @property
    def is_unmatched(self) -> bool:
        return self.state == State.OPEN and self.label == Label.UNEXPLAINED and not self.is_taken


def groups(reconciliation: Reconciliation, period: str) -> list[Group]:
    """One statement for everything that a page says about a period's gaps, however many there are."""
    rows = reconciliation.gaps.filter(period=period).exclude(state=State.GONE).order_by()
    found = rows.annotate(is_taken=Q(match__isnull=False)).values_list("kind", "label", "state", "currency", "is_taken")
    summed = found.annotate(number=Count("pk"), lefts=Sum("left_amount"), rights=Sum("right_amount"))
    return [
        Group(kind, label, state, currency, is_taken, number, left or Decimal(0), right or Decimal(0))
        for kind, label, state, currency, is_taken, number, left, right in summed
    ]


def bridge(found: Iterable[Group]) -> list[Line]:
    """What lies between the totals, by label and currency; unexplained comes last. All of it adds up to the difference."""
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for one in found:
        number, amount = sums.get((one.label, one.currency), (0, Decimal(0)))
        sums[one.label, one.currency] = number + one.number, amount + one.amount
    lines = [Line(label, currency, number, amount) for (label, currency), (number, amount) in sums.items()]
    return sorted(lines, key=lambda line: (line.label == Label.UNEXPLAINED, line.currency, line.label))


def tab_counts(reconciliation: Reconciliation, period: str, found: Iterable[Group] | None = None) -> dict[str, int]:
    """How many lines stand in each tab of the matching screen."""
    alike = list(groups(reconciliation, period) if found is None else found)
    matches = reconciliation.matches.filter(period=period).aggregate(
        suggested=Count("pk", filter=Q(state=ReconciliationMatch.State.SUGGESTED)),
        matched=Count("pk", filter=Q(state=ReconciliationMatch.State.CONFIRMED)),
    )
    return {
        "unmatched": sum(one.number for one in alike if one.is_unmatched),
        "explained": sum(
            one.number
            for one in alike
            if one.state == State.EXPLAINED or (one.state == State.OPEN and one.label != Label.UNEXPLAINED)
        ),
        "carried": sum(one.number for one in alike if one.state == State.CARRIED),
        **matches,
    }


EXPLAINED = Q(state=State.EXPLAINED) | (Q(state=State.OPEN) & ~Q(label=Label.UNEXPLAINED))


def before_people() -> QuerySet[ReconciliationGap]:
    """Gaps that belong in the queue of exceptions."""
    rows = ReconciliationGap.objects.filter(Q(label=Label.UNEXPLAINED) | Q(is_raised=True), state=State.OPEN)
    return rows.select_related("reconciliation").order_by("reconciliation", "pk")
