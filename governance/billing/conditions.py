"""One cell of a decision table: what it lets through, and what it puts out.

Conditions: nothing or `-` anything · `completed, invoiced` one of these · `not(draft)` · `>= 10000` · `[1000..5000)` a range,
brackets include the end, parentheses do not · `2026-01-01..2026-12-31` both ends included.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from governance.billing.regions import ANY_WORD, HIGHEST, LOWEST, Region, Words, after, before, between
from hub.common.errors import HubError, RecordError
from hub.common.money import decimal_text, parse_decimal, quantize
from hub.common.times import parse_date

TYPES = {
    "text": "text",
    "number": "number",
    "money": "amount of money",
    "date": "day",
    "boolean": "yes or no",
}
NUMBERS = ("number", "money")
TRUE, FALSE = "yes", "no"
_BOOLEANS = {"yes": TRUE, "true": TRUE, "no": FALSE, "false": FALSE}
_PARTS = re.compile(r'(?:"[^"]*"|[^,"])+')
_NOT = re.compile(r"not\s*\((.*)\)", re.IGNORECASE | re.DOTALL)
_COMPARED = re.compile(r"(>=|<=|>|<|=)\s*(.+)", re.DOTALL)
_RANGE = re.compile(r"([\[(]?)\s*(.+?)\s*\.\.\s*(.+?)\s*([\])]?)", re.DOTALL)
_SHARE = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*%\s+of\s+([a-z][a-z0-9_]*)")
_COPY = re.compile(r"=\s*([a-z][a-z0-9_]*)")


def parse_value(text: Any, type_: str) -> Any:
    """A value of an input or an output: Decimal, date, or text (booleans are yes and no). RecordError with a sentence."""
    if type_ in NUMBERS:
        return parse_decimal(text)
    if type_ == "date":
        return text if isinstance(text, date) else parse_date(str(text))
    if type_ == "boolean":
        said = text if isinstance(text, str) else TRUE if text is True else FALSE if text is False else ""
        if (found := _BOOLEANS.get(said.strip().lower())) is None:
            raise RecordError(f"{text!r} is neither yes nor no.", code="BOOLEAN")
        return found
    if not isinstance(text, str):
        raise RecordError(f"{text!r} is not a text.", code="TEXT")
    return text.strip()


def everything(type_: str, values: Sequence[str] = (), at_least: str = "") -> Region:
    """All that an input can be: its listed words, or its line from the lowest allowed value on."""
    if type_ == "boolean":
        return Words(frozenset((TRUE, FALSE)))
    if type_ == "text":
        return Words(frozenset(values)) if values else ANY_WORD
    low = before(parse_value(at_least, type_)) if at_least else LOWEST
    return between(low, HIGHEST, is_days=type_ == "date")


def parse_condition(text: str, type_: str, whole: Region) -> Region:
    """What a cell lets through of everything that the input can be. RecordError with a sentence."""
    text = text.strip()
    if text in ("", "-"):
        return whole
    if found := _NOT.fullmatch(text):
        return _minus(whole, parse_condition(found[1], type_, whole))
    parts = [_part(part.strip(), type_, whole) for part in _PARTS.findall(text) if part.strip()]
    if not parts:
        raise RecordError(f"{text!r} is not a condition.", code="CONDITION", fix="Leave it empty for anything.")
    return _both(reduce(or_, parts), whole)


def _part(text: str, type_: str, whole: Region) -> Region:
    if type_ in ("text", "boolean"):
        return _word(text, type_, whole)
    is_days = type_ == "date"
    if found := _RANGE.fullmatch(text):
        low, high = parse_value(found[2], type_), parse_value(found[3], type_)
        starts, ends = after(low) if found[1] == "(" else before(low), before(high) if found[4] == ")" else after(high)
        return between(starts, ends, is_days=is_days)
    sign, value = "=", text
    if compared := _COMPARED.fullmatch(text):
        sign, value = compared[1], compared[2]
    point = parse_value(value.strip(), type_)
    low_cut, high_cut = before(point), after(point)
    cuts = {
        "=": (low_cut, high_cut),
        ">": (high_cut, HIGHEST),
        ">=": (low_cut, HIGHEST),
        "<": (LOWEST, low_cut),
        "<=": (LOWEST, high_cut),
    }[sign]
    return between(*cuts, is_days=is_days)


def _word(text: str, type_: str, whole: Region) -> Words:
    bare = text.removeprefix("=").strip()
    value = parse_value(bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] == '"' else bare, type_)
    if value not in whole:
        known = ", ".join(sorted(whole.words)) if isinstance(whole, Words) else ""
        raise RecordError(
            f"{value!r} is not one of {known}.", code="CONDITION", fix="Correct it, or add it to the input."
        )
    return Words(frozenset((value,)))


def _minus(one: Region, two: Region) -> Region:
    return one - two  # type: ignore[operator]


def _both(one: Region, two: Region) -> Region:
    return one & two  # type: ignore[operator]


# What comes out ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Formula:
    """A fixed value, a copy of an input, or a share of one in percent."""

    value: Any = None
    of: str = ""
    percent: Decimal | None = None


def parse_formula(text: str, type_: str, inputs: dict[str, str]) -> Formula | None:
    """`bill`, `1250.00`, `= amount`, `30 % of contract_value`; nothing is None. `inputs` are types by name."""
    text = text.strip()
    if not text:
        return None
    if share := _SHARE.fullmatch(text):
        _number_input(share[2], type_, inputs)
        return Formula(of=share[2], percent=parse_decimal(share[1]))
    if copy := _COPY.fullmatch(text):
        if inputs.get(copy[1]) != type_:
            raise RecordError(f"There is no input {copy[1]!r} of the type {TYPES[type_]}.", code="FORMULA")
        return Formula(of=copy[1])
    return Formula(value=parse_value(text, type_))


def _number_input(name: str, type_: str, inputs: dict[str, str]) -> None:
    if type_ not in NUMBERS or inputs.get(name) not in NUMBERS:
        raise RecordError(
            f"A share is a number of a number: {name!r} or what comes out is none.",
            code="FORMULA",
            fix="Name an input that is a number or an amount, and put out one.",
        )


def compute(formula: Formula | None, given: dict[str, Any], digits: int | None) -> Any:
    """The value that comes out; amounts of money are rounded half up to `digits` decimals, other shares stay exact."""
    if formula is None:
        return None
    if not formula.of:
        value = formula.value
    elif formula.percent is None:
        value = given[formula.of]
    else:
        value = given[formula.of] * formula.percent / 100
    return quantize(value, digits, "half_up") if digits is not None and isinstance(value, Decimal) else value


def shown_value(value: Any) -> str | None:
    """A value as documents, pages and the API print it."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    return None if value is None else str(value)


def problem_of(error: HubError) -> str:
    return f"{error.what} {error.fix}".strip()
