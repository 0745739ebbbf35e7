"""Numbers of terms as people read them: in the term's unit, and never with more digits than mean something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from governance.models import Term
from hub.common.display import money
from monitoring.models import TermMeasurement

_WORDS = {Term.Unit.HOURS: "h", Term.Unit.DAYS: "days"}
NOTHING = "–"


def shown(value: Decimal | str | None, term: Term, *, signed: bool = False) -> str:
    """`9.75 h`, `EUR 1,200.00`, `72.34 %`; a difference with its sign."""
    if value is None:
        return NOTHING
    number = Decimal(value)
    sign = "+" if signed and number > 0 else ""
    if term.unit == Term.Unit.MONEY:
        return f"{term.currency} {sign}{money(_short(number, 2), term.currency)}"
    if term.unit == Term.Unit.SHARE:
        return f"{sign}{money(_short(number * 100, 2))} %"
    return f"{sign}{money(_short(number, 4))} {_WORDS.get(term.unit, '')}".rstrip()  # type: ignore[call-overload]


def _short(number: Decimal, digits: int) -> Decimal:
    cut = number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    whole = cut.normalize() + 0
    return whole.quantize(Decimal(1)) if whole == whole.to_integral_value() else whole


def tolerance_of(term: Term) -> str:
    """`0.5 % of the hub's number`, `EUR 1.00`."""
    if term.tolerance_kind == Term.Tolerance.PERCENT:
        return f"{money(_short(term.tolerance, 4))} % of the hub’s number"
    return shown(term.tolerance, term) if term.tolerance else "none: the numbers must be equal"


@dataclass(frozen=True, slots=True)
class SystemRow:
    """One system of a measurement as a row, with its numbers of the last days, oldest first."""

    name: str
    connection: str
    value: str
    difference: str
    state: str
    note: str
    course: Sequence[float] = ()


def system_rows(
    systems: Iterable[dict[str, Any]], term: Term, before: Sequence[TermMeasurement] = ()
) -> list[SystemRow]:
    """The systems of one measurement; `before` are the term's measurements, newest first."""
    return [
        SystemRow(
            name=each["name"],
            connection=each["connection"],
            value=shown(each["value"], term),
            difference=shown(each["difference"], term, signed=True),
            state=each["state"],
            note=each["note"],
            course=course_of(before, each["connection"]),
        )
        for each in systems
    ]


def course_of(measurements: Sequence[TermMeasurement], connection: str = "") -> list[float]:
    """The hub's numbers, or one system's, oldest first; what was not measured is left out."""
    found = [_number(each, connection) for each in reversed(measurements)]
    return [float(value) for value in found if value is not None]


def _number(measurement: TermMeasurement, connection: str) -> Decimal | str | None:
    if not connection:
        return measurement.hub
    return next((each["value"] for each in measurement.systems if each["connection"] == connection), None)
