"""A measure as its page shows it: the figure, how it stands to target and baseline, how far it can be believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, QuerySet

from hub.common import display
from hub.common.money import CURRENCY_DIGITS, decimal_text, quantize
from monitoring.models import Measure, MeasureValue
from monitoring.value.computing import MONTHS, history_days
from monitoring.value.formulas import Formula, find

SEE, EDIT = "monitor.view", "monitor.edit"
State = MeasureValue.State
# Fewer rows than this make a figure that one row can turn around.
FEW_ROWS = 20
WORDS = {"days": "days", "hours": "h", "percent": "%", "records": "records", "interfaces": "interfaces"}


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a waterfall: by how much a cause changed the figure since the month before."""

    cause: str
    change: Decimal


@dataclass(slots=True)
class Standing:
    """A measure now. `trend` is None while there is too little history to draw one."""

    measure: Measure
    formula: Formula | None
    values: Sequence[MeasureValue]
    days: int
    steps: list[Step] = field(default_factory=list)

    @property
    def latest(self) -> MeasureValue | None:
        return self.values[-1] if self.values else None

    @property
    def value(self) -> Decimal | None:
        return self.latest.shown if self.latest else None

    @property
    def currency(self) -> str:
        return self.latest.currency if self.latest else ""

    @property
    def unit(self) -> str:
        if self.formula is None:
            return ""
        return self.currency if self.formula.unit == "money" else WORDS[self.formula.unit]

    @property
    def text(self) -> str:
        return figure_text(self.value, self.formula, self.currency)

    @property
    def second_text(self) -> str:
        second = self.latest.second if self.latest and self.latest.shown is not None else None
        return figure_text(second, self.formula, self.currency) if second is not None else ""

    @property
    def note(self) -> str:
        """Why there is no figure; empty where there is one."""
        if self.latest is None:
            return "Not computed yet: it is within a minute."
        return self.latest.note

    @property
    def trend(self) -> list[MeasureValue] | None:
        """Measured months, oldest first; None with less history than the formula needs, or fewer than two months."""
        if self.formula is None or self.days < self.formula.enough_days:
            return None
        found = [one for one in self.values if one.shown is not None][-MONTHS:]
        return found if len(found) > 1 else None

    @property
    def trend_note(self) -> str:
        """`Needs 30 days; 11 so far.`"""
        if self.formula and self.days < self.formula.enough_days:
            return f"A trend needs {self.formula.enough_days} days; {self.days} so far."
        return "" if self.trend else "A trend needs two months with a figure."

    @property
    def state(self) -> str:
        """How it stands to its target: met, missed; or measured, no_data, unmeasured, failed."""
        if self.latest is None or self.latest.state == State.TOO_LITTLE:
            return "no_data"
        if self.latest.state != State.MEASURED:
            return "failed" if self.latest.state == State.FAILED else "unmeasured"
        meets = self.meets(self.measure.target)
        return "measured" if meets is None else "met" if meets else "missed"

    @property
    def look(self) -> str:
        return {"measured": "muted", "missed": "warn"}.get(self.state, self.state)

    @property
    def word(self) -> str:
        words = {"met": "On target", "missed": "Off target", "measured": "No target", "no_data": "No data yet"}
        return words.get(self.state, "Failed" if self.state == "failed" else "Not connected")

    def meets(self, bound: str) -> bool | None:
        """Whether the figure is at least as good as a bound; None where either is missing."""
        if not bound or self.value is None:
            return None
        limit = Decimal(bound)
        return self.value <= limit if self.measure.direction == Measure.Direction.DOWN else self.value >= limit

    @property
    def baseline(self) -> Decimal | None:
        return Decimal(self.measure.baseline["value"]) if self.measure.baseline else None

    @property
    def baseline_text(self) -> str:
        return figure_text(self.baseline, self.formula, self.currency) if self.baseline is not None else ""

    @property
    def target_text(self) -> str:
        return figure_text(Decimal(self.measure.target), self.formula, self.currency) if self.measure.target else ""

    @property
    def since_baseline(self) -> Decimal | None:
        """Percent of change from the baseline, negative for less; None without either, or from a baseline of nothing."""
        if self.value is None or not self.baseline:
            return None
        return quantize(100 * (self.value - self.baseline) / abs(self.baseline), 1, "half_up")

    @property
    def confidence(self) -> tuple[str, list[str]]:
        """(high, medium or low; the reasons against it)."""
        latest = self.latest
        if latest is None or latest.shown is None:
            return "none", []
        doubts = []
        if self.formula and self.days < self.formula.enough_days:
            doubts.append(f"{self.days} days of history")
        if latest.rows < FEW_ROWS and self.formula and self.formula.aggregate != "sum":
            doubts.append(f"{latest.rows} row{'' if latest.rows == 1 else 's'} only")
        if latest.unconverted:
            doubts.append(
                f"amounts in {', '.join(sorted(code or 'no currency' for code in latest.unconverted))} without a rate"
            )
        return ("high", "medium", "low")[min(len(doubts), 2)], doubts


def figure_text(value: Decimal | None, formula: Formula | None, currency: str = "") -> str:
    """The figure as people read it: amounts with their decimals, days and hours with one, counts with none."""
    if value is None or formula is None:
        return display.NOTHING
    digits = {"money": CURRENCY_DIGITS.get(currency, 2), "records": 0, "interfaces": 0}.get(formula.unit, 1)
    return f"{quantize(value, digits, 'half_up'):,}"


def measures() -> QuerySet[Measure]:
    ordered = MeasureValue.objects.order_by("month")
    return Measure.objects.prefetch_related(Prefetch("values", queryset=ordered, to_attr="kept"))


def standings(rows: Iterable[Measure]) -> list[Standing]:
    days = history_days()
    return [_standing(row, days) for row in rows]


def standing(row: Measure) -> Standing:
    return _standing(measures().get(pk=row.pk), history_days())


def _standing(row: Any, days: int) -> Standing:
    found = Standing(row, find(row.formula), row.kept[-MONTHS:], days)
    found.steps = steps(found)
    return found


def steps(found: Standing) -> list[Step]:
    """What the causes changed since the month before, largest first; for sums alone, whose causes add up."""
    if found.formula is None or found.formula.aggregate != "sum" or len(found.values) < 2:
        return []
    before, after = found.values[-2:]
    if before.shown is None or after.shown is None:
        return []
    old, new = ({cause: Decimal(total) for cause, _, total, _ in one.causes} for one in (before, after))
    changes = [Step(cause, new.get(cause, Decimal(0)) - old.get(cause, Decimal(0))) for cause in {**old, **new}]
    changes.sort(key=lambda step: (-abs(step.change), step.cause))
    shown, rest = [step for step in changes if step.change][:6], after.shown - before.shown
    rest -= sum((step.change for step in shown), Decimal(0))
    return [*shown, Step("Everything else", rest)] if rest else shown


def as_data(found: Standing) -> dict[str, Any]:
    """As the API and the command give it: numbers as text."""
    latest = found.latest
    confidence, doubts = found.confidence
    return {
        "measure": found.measure.slug,
        "name": found.measure.name,
        "formula": found.measure.formula,
        "owner": found.measure.owner,
        "unit": found.formula.unit if found.formula else "",
        "currency": found.currency,
        "month": latest.month if latest else None,
        "state": latest.state if latest else "not_computed",
        "value": plain(latest.shown) if latest else None,
        "second": plain(latest.second) if latest and latest.shown is not None else None,
        "rows": latest.rows if latest else 0,
        "target": found.measure.target or None,
        "meets_target": found.meets(found.measure.target),
        "baseline": found.measure.baseline or None,
        "since_baseline_percent": plain(found.since_baseline),
        "confidence": confidence,
        "doubts": doubts,
        "unconverted": latest.unconverted if latest else {},
        "note": found.note,
        "history_days": found.days,
        "computed_at": latest.computed_at if latest else None,
        "months": [
            {"month": one.month, "state": one.state, "value": plain(one.shown), "rows": one.rows}
            for one in found.values
        ],
    }


def plain(number: Decimal | None) -> str | None:
    """Digits without the zeros that only the column's scale adds."""
    if number is None:
        return None
    text = decimal_text(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_text(number: str) -> str | None:
    """The same for a number that is kept as text."""
    return plain(Decimal(number))
