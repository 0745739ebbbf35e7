"""Exact amounts: parse, print, round and share out decimals. Nothing here ever rounds without being told how."""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from hub.common.errors import RecordError

Rounding = Literal["half_up", "half_even", "down", "up"]
# What a rule may say: the empty name refuses to lose a digit.
RoundingOrExact = Literal["", "half_up", "half_even", "down", "up"]

ROUNDINGS: Mapping[str, str] = MappingProxyType(
    {
        "half_up": decimal.ROUND_HALF_UP,
        "half_even": decimal.ROUND_HALF_EVEN,
        "down": decimal.ROUND_DOWN,
        "up": decimal.ROUND_UP,
    }
)
assert set(ROUNDINGS) == set(get_args(Rounding))

_TWO_DIGITS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR
IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD
NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

# ISO 4217: how many decimals an amount has. BGN stays for the books of years before the euro; gold, silver and test
# codes have no minor unit and are left out, so that using one is an error instead of a guess.
CURRENCY_DIGITS: Mapping[str, int] = MappingProxyType(
    {
        code: digits
        for digits, codes in ((2, _TWO_DIGITS), (0, _NO_DIGITS), (3, _THREE_DIGITS), (4, _FOUR_DIGITS))
        for code in codes.split()
    }
)

# PostgreSQL's numeric and every ERP stop far below; a bound keeps "1e999999" from becoming a megabyte of zeros.
MAX_DIGITS = 38
# Wide enough for the product of two bounded numbers; a result that would still be cut raises instead.
EXACT = decimal.Context(
    prec=4 * MAX_DIGITS,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_WIDE = decimal.Context(prec=4 * MAX_DIGITS, traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow])
_MODES: dict[str, str | None] = {"": None, **ROUNDINGS}
_UNITS = tuple(Decimal(1).scaleb(-digits) for digits in range(MAX_DIGITS + 1))
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def parse_decimal(value: Any) -> Decimal:
    """The exact decimal of a string, int, Decimal or float; a float counts as the shortest text that reads back to it.

    Raises RecordError for anything else, for NaN, infinity and numbers of more than 38 digits on either side.
    """
    kind = type(value)
    if kind is str:
        return _parse_short(value) if len(value) <= 24 else _parse_text(value)
    if kind is Decimal:
        return _bounded(value, value)
    if kind is int and value.bit_length() < 4 * MAX_DIGITS:
        return _bounded(Decimal(value), value)
    if kind is float and math.isfinite(value):
        return _bounded(Decimal(repr(value)), value)
    raise _not_a_number(value)


def _parse_text(value: str) -> Decimal:
    text = value.strip()
    if len(text) > 4 * MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise _not_a_number(value)
    return _bounded(Decimal(text), value)


# Hours and rates repeat by the thousand; keys are always str, so 1, True and "1" cannot meet.
_parse_short = lru_cache(maxsize=8192)(_parse_text)


def _not_a_number(value: Any) -> RecordError:
    return RecordError(f"{shown(value)} is not a number.", code="NUMBER", fix="Send digits with a point: 1250.00.")


def _bounded(number: Decimal, value: Any) -> Decimal:
    if is_bounded(number):
        return number
    if not number.is_finite():
        raise RecordError(f"{shown(value)} is not a finite number.", code="NUMBER")
    if number:
        raise _too_long(value)
    return Decimal(0)


def is_bounded(number: Decimal) -> bool:
    """Whether a decimal is finite and not out of the range that is computed with."""
    return number.is_finite() and -MAX_DIGITS <= number.adjusted() < MAX_DIGITS


def _too_long(value: Any) -> RecordError:
    return RecordError(f"{shown(value)} has more than {MAX_DIGITS} digits.", code="NUMBER", fix="Correct the number.")


def decimal_text(number: Decimal) -> str:
    """Plain digits, no exponent, no minus before a zero: the form in which decimals travel."""
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text[1:] if text[0] == "-" and number.is_zero() else text


def shown(value: Any, limit: int = 60) -> str:
    """A value as an error sentence prints it: quoted, and cut when it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print an integer of thousands of digits
        return "A number of thousands of digits"
    if len(text) <= limit:
        return text
    return f"{text[: limit - 2]}…{text[-1]}" if text[-1] in "'\"" else f"{text[: limit - 1]}…"


def quantize(number: Decimal, digits: int, rounding: RoundingOrExact = "") -> Decimal:
    """`number` with exactly `digits` decimals. Without a rounding, losing a digit raises RecordError."""
    try:
        result = number.quantize(_UNITS[digits], _MODES[rounding], _WIDE)
    except decimal.InvalidOperation:
        raise _too_long(number) from None
    if not rounding and result != number:
        raise RecordError(
            f"{decimal_text(number)} has more than {digits} decimals and no rounding is named.",
            code="ROUNDING",
            fix="Name a rounding in the rule, or correct the amount at the source.",
        )
    return result


def currency_digits(currency: Any) -> int:
    """Decimals of an ISO 4217 code; RecordError for a code that is not one."""
    try:
        return CURRENCY_DIGITS[currency]
    except (KeyError, TypeError):
        raise RecordError(
            f"{shown(currency)} is not a currency code.", code="CURRENCY", fix="Send three capitals such as EUR."
        ) from None


def quantize_money(amount: Any, currency: str, rounding: RoundingOrExact = "") -> Decimal:
    """An amount with the decimals of its currency; see `quantize` for the rounding."""
    return quantize(parse_decimal(amount), currency_digits(currency), rounding)


def to_minor_units(amount: Any, currency: str, rounding: RoundingOrExact = "") -> int:
    """12.34 EUR is 1234, 1234 JPY is 1234, 1.234 KWD is 1234."""
    return int(quantize_money(amount, currency, rounding).scaleb(currency_digits(currency), _WIDE))


def from_minor_units(units: Any, currency: str) -> Decimal:
    """1234 cents are 12.34 EUR; a fraction of a cent raises RecordError."""
    whole = quantize(parse_decimal(units), 0)
    return whole.scaleb(-currency_digits(currency), EXACT)


def allocate(amount: Decimal, weights: Sequence[Decimal | int], digits: int) -> list[Decimal]:
    """Share `amount` out by weight so that the shares add up to it exactly.

    Units that do not divide go to the largest remainders, the earlier share first. The amount must already have
    `digits` decimals; weights are not negative and not all zero, else RecordError.
    """
    total = sum((Fraction(weight) for weight in weights), Fraction(0))
    if total <= 0 or any(weight < 0 for weight in weights):
        raise RecordError("Weights must not be negative and must not all be zero.", code="ALLOCATION")
    signed = int(quantize(amount, digits).scaleb(digits, _WIDE))
    exact = [abs(signed) * Fraction(weight) / total for weight in weights]
    units = [int(share) for share in exact]
    by_remainder = sorted(range(len(units)), key=lambda at: (units[at] - exact[at], at))
    for at in by_remainder[: abs(signed) - sum(units)]:
        units[at] += 1
    sign = -1 if signed < 0 else 1
    return [Decimal(sign * share).scaleb(-digits) for share in units]


def split(amount: Decimal, parts: int, digits: int) -> list[Decimal]:
    """`allocate` in equal parts: 100.00 in three is 33.34, 33.33, 33.33."""
    return allocate(amount, [1] * parts, digits)
