"""From what was counted to one number; the same for the canonical store and for streams."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from governance.terms.syntax import Aggregate, FieldName, Node, Number
from hub.common.errors import HubError

# Enough for sums of billions of amounts; quotients are cut to DIGITS when they are kept.
_CONTEXT = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)
DIGITS = Decimal("0.000001")
LARGEST = Decimal(10) ** 24


class Unmeasured(HubError):
    """There is no number, and the sentence says why. It never counts as equal to another one."""

    code = "UNMEASURED"


@dataclass(slots=True)
class Tally:
    """What was counted for one aggregate.

    `shown` counts the records that were there at all, `rows` those that fit, `values` those of them that have a value;
    `total` adds these up, `distinct` counts the different ones. `foreign` counts amounts in another currency.
    """

    shown: int = 0
    rows: int = 0
    values: int = 0
    total: Decimal = Decimal(0)
    distinct: int = 0
    foreign: int = 0


def number_of(node: Node, tallies: Mapping[int, Tally]) -> Decimal:
    """The number of an expression, with six decimals; `tallies` by id() of the aggregate. Raises Unmeasured."""
    try:
        found = _compute(node, tallies)
    except decimal.DecimalException:
        raise Unmeasured("The number is too large to compute with.") from None
    return kept(found)


def kept(number: Decimal) -> Decimal:
    """As measurements are kept. Raises Unmeasured for what no column can hold."""
    if not number.is_finite() or abs(number) >= LARGEST:
        raise Unmeasured("The number is too large to keep.")
    return number.quantize(DIGITS, context=_CONTEXT) + 0


def _compute(node: Node, tallies: Mapping[int, Tally]) -> Decimal:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Aggregate):
        return _finish(node, tallies[id(node)])
    assert not isinstance(node, FieldName)
    left, right = _compute(node.left, tallies), _compute(node.right, tallies)
    if node.op == "/" and not right:
        raise Unmeasured("Nothing can be divided by nothing: what stands below the line is 0.")
    return apply(node.op, left, right)


def apply(op: str, left: Decimal, right: Decimal) -> Decimal:
    if op == "+":
        return _CONTEXT.add(left, right)
    if op == "-":
        return _CONTEXT.subtract(left, right)
    return _CONTEXT.multiply(left, right) if op == "*" else _CONTEXT.divide(left, right)


def _finish(aggregate: Aggregate, tally: Tally) -> Decimal:
    if not tally.shown:
        what = (
            f"The hub holds no record of {aggregate.entity} yet." if aggregate.entity else "The stream shows no record."
        )
        raise Unmeasured(what)
    if tally.foreign:
        raise Unmeasured(
            f"{tally.foreign:,} amounts are in another currency than the term.",
            fix='Add a condition such as currency = "EUR" to the expression.',
        )
    if aggregate.kind == "sum":
        return tally.total
    if aggregate.kind == "count":
        return Decimal(tally.rows if aggregate.value is None else tally.values)
    if aggregate.kind == "distinct":
        return Decimal(tally.distinct)
    if not tally.values:
        raise Unmeasured("No record fits, so there is no average.")
    return _CONTEXT.divide(tally.total, Decimal(tally.values))
