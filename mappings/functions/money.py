"""Conversions of amounts and numbers. Everything is Decimal; whatever rounds says how."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from hub.common.errors import RecordError
from hub.common.money import (
    EXACT,
    ROUNDINGS,
    Rounding,
    currency_digits,
    decimal_text,
    parse_decimal,
    quantize,
    shown,
)
from mappings.convert import is_blank, parse_number
from mappings.functions.registry import ROUNDING_ARG, Arg, digits_arg, function

_CURRENCY = (
    Arg("currency", "currency", "The currency, when it is always the same.", None),
    Arg("currency_field", "path", "The field that holds the currency.", None),
)
_MINOR = (*_CURRENCY, Arg("digits", "whole", "Decimals, when the source counts hundredths in any currency.", None))


def _digits(currency_field: Any, currency: str | None, digits: int | None = None) -> int:
    if digits is not None:
        return digits
    if currency is None and is_blank(currency_field):
        raise RecordError("The currency is empty, so the decimals of the amount are unknown.", code="CURRENCY")
    return currency_digits(currency or currency_field)


@function(
    "money",
    "Whole minor units to an amount: 1234 is 12.34 EUR, 1234 JPY, 1.234 KWD.",
    takes="number",
    gives="number",
    args=_MINOR,
    one_of=("currency", "currency_field", "digits"),
    inverse="money_to_cents",
)
def cents_to_money(value: Decimal, currency_field: Any, *, currency: str | None, digits: int | None) -> Decimal:
    return quantize(value, 0).scaleb(-_digits(currency_field, currency, digits), EXACT)


@function(
    "money",
    "An amount to whole minor units: 12.34 EUR is 1234.",
    takes="number",
    gives="whole",
    args=(
        *_MINOR,
        Arg("rounding", "choice", "How a lost digit rounds; without it it is an error.", "", ("", *ROUNDINGS)),
    ),
    one_of=("currency", "currency_field", "digits"),
    inverse="cents_to_money",
)
def money_to_cents(
    value: Decimal, currency_field: Any, *, currency: str | None, digits: int | None, rounding: Any
) -> int:
    places = _digits(currency_field, currency, digits)
    return int(quantize(value, places, rounding).scaleb(places, EXACT))


@function(
    "money", "Rounds to a number of decimals.", takes="number", gives="number", args=(digits_arg(2), ROUNDING_ARG)
)
def round_(value: Decimal, *, digits: int, rounding: Rounding) -> Decimal:
    return quantize(value, digits, rounding)


@function(
    "money",
    "Rounds to the decimals of the currency.",
    takes="number",
    gives="number",
    args=(*_CURRENCY, ROUNDING_ARG),
    one_of=("currency", "currency_field"),
)
def round_money(value: Decimal, currency_field: Any, *, currency: str | None, rounding: Rounding) -> Decimal:
    return quantize(value, _digits(currency_field, currency), rounding)


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _other(field: Any, by: Decimal | None) -> Decimal:
    if by is not None:
        return by
    number = parse_number(field)
    if number is None:
        raise RecordError(
            "The other number is empty.", code="NUMBER", fix="Use default_if_empty or correct the source."
        )
    return number


def _operands(what: str) -> tuple[Arg, Arg]:
    return (
        Arg("by", "number", f"The number to {what}, when it is always the same.", None),
        Arg("field", "path", f"The field that holds the number to {what}.", None),
    )


@function(
    "money",
    "Multiplies exactly, by a number or a field.",
    takes="number",
    gives="number",
    args=_operands("multiply by"),
    one_of=("by", "field"),
    inline="exact_multiply({v}, {field})",
)
def multiply(value: Decimal, field: Any, *, by: Decimal | None) -> Decimal:
    return EXACT.multiply(value, _other(field, by))


@function(
    "money",
    "Divides and rounds.",
    takes="number",
    gives="number",
    args=(*_operands("divide by"), digits_arg(2), ROUNDING_ARG),
    one_of=("by", "field"),
)
def divide(value: Decimal, field: Any, *, by: Decimal | None, digits: int, rounding: Rounding) -> Decimal:
    return divide_exactly(value, _other(field, by), digits, rounding)


def divide_exactly(value: Decimal, by: Decimal, digits: int, rounding: Rounding) -> Decimal:
    """The quotient rounded once: the remainder decides, not a first rounding to the width of a context."""
    if by == 0:
        raise RecordError(f"{decimal_text(value)} cannot be divided by zero.", code="NUMBER")
    scaled, divisor = _whole(value.scaleb(digits, EXACT), by)
    whole, rest = divmod(abs(scaled), abs(divisor))
    whole += _carry(whole, rest, abs(divisor), rounding)
    return Decimal(-whole if (scaled < 0) != (divisor < 0) else whole).scaleb(-digits, EXACT)


def _whole(value: Decimal, by: Decimal) -> tuple[int, int]:
    """Both numbers as integers of one scale."""
    top, bottom = value.as_integer_ratio()
    over, under = by.as_integer_ratio()
    return top * under, bottom * over


def _carry(whole: int, rest: int, divisor: int, rounding: Rounding) -> int:
    if rounding == "down" or rest == 0:
        return 0
    if rounding == "up":
        return 1
    if 2 * rest == divisor:
        return 1 if rounding == "half_up" else whole % 2
    return 1 if 2 * rest > divisor else 0


@function(
    "money",
    "Adds a number or a field.",
    takes="number",
    gives="number",
    args=_operands("add"),
    one_of=("by", "field"),
    inline="exact_add({v}, {field})",
)
def add(value: Decimal, field: Any, *, by: Decimal | None) -> Decimal:
    return EXACT.add(value, _other(field, by))


@function(
    "money",
    "Subtracts a number or a field.",
    takes="number",
    gives="number",
    args=_operands("subtract"),
    one_of=("by", "field"),
    inline="exact_subtract({v}, {field})",
)
def subtract(value: Decimal, field: Any, *, by: Decimal | None) -> Decimal:
    return EXACT.subtract(value, _other(field, by))


@function("money", "Turns the sign, as credits and debits need.", takes="number", gives="number", inverse="negate")
def negate(value: Decimal) -> Decimal:
    return -value if value else value


@function("money", "Drops the sign.", takes="number", gives="number")
def absolute(value: Decimal) -> Decimal:
    return value.copy_abs()


# --- notations ------------------------------------------------------------------------------------------------------

_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:([.'’ \u00a0\u202f])\d{3})(?:\1\d{3})*|\d+)(?:,\d+)?", re.ASCII)
_POINT = re.compile(r"[+-]?(?:\d{1,3}(?:([,'’ \u00a0\u202f])\d{3})(?:\1\d{3})*|\d+)(?:\.\d+)?", re.ASCII)


@function(
    "money",
    "Reads 1.250,50 and 1 250,50: a comma before the decimals, points or blanks between thousands.",
    takes="any",
    gives="number",
    inverse="to_decimal_comma",
)
def decimal_comma(value: Any) -> Decimal | None:
    return _read_notation(value, _COMMA, ",")


@function("money", "Writes 1250,50: a comma before the decimals.", takes="number", inverse="decimal_comma")
def to_decimal_comma(value: Decimal) -> str:
    return decimal_text(value).replace(".", ",")


@function(
    "money",
    "Reads 1,250.50 and 1'250.50: a point before the decimals, commas, apostrophes or blanks between thousands.",
    takes="any",
    gives="number",
)
def decimal_point(value: Any) -> Decimal | None:
    return _read_notation(value, _POINT, ".")


def _read_notation(value: Any, notation: re.Pattern[str], mark: str) -> Decimal | None:
    if is_blank(value):
        return None
    if not isinstance(value, str):
        return parse_decimal(value)
    text = value.strip()
    if not (match := notation.fullmatch(text)):
        raise RecordError(f"{shown(value)} is not a number in this notation.", code="NUMBER")
    return parse_decimal((text.replace(match[1], "") if match[1] else text).replace(mark, "."))


@function(
    "money",
    "Reads negative amounts as ledgers print them: (100.00) and 100.00- are -100.00.",
    gives="number",
)
def accounting_sign(value: str) -> Decimal | None:
    text = value.strip()
    if text.startswith("(") and text.endswith(")"):
        text = f"-{text[1:-1].strip()}"
    elif text.endswith("-"):
        text = f"-{text[:-1].strip()}"
    return parse_decimal(text) if text else None


@function(
    "money",
    "A share of 0 to 1 to percent: 0.45 is 45.",
    takes="number",
    gives="number",
    inverse="percent_to_fraction",
)
def fraction_to_percent(value: Decimal) -> Decimal:
    return value.scaleb(2, EXACT)


@function(
    "money",
    "Percent to a share of 0 to 1: 45 is 0.45.",
    takes="number",
    gives="number",
    inverse="fraction_to_percent",
)
def percent_to_fraction(value: Decimal) -> Decimal:
    return value.scaleb(-2, EXACT)
