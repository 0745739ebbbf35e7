"""Conversions of working time: minutes, seconds, 7:30 and ISO durations to hours and back."""

from __future__ import annotations

import re
from decimal import Decimal

from hub.common.errors import RecordError
from hub.common.money import EXACT, Rounding, shown
from mappings.functions.money import divide_exactly
from mappings.functions.registry import ROUNDING_ARG, digits_arg, function

_CLOCK = re.compile(r"([+-]?)(\d{1,5}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DURATION = re.compile(
    r"([+-]?)P(?=[\dT])(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,9}))?S)?)?", re.ASCII
)
_ROUNDED = (digits_arg(2), ROUNDING_ARG)


@function(
    "hours", "Minutes to hours: 90 is 1.50.", takes="number", gives="number", args=_ROUNDED, inverse="hours_to_minutes"
)
def minutes_to_hours(value: Decimal, *, digits: int, rounding: Rounding) -> Decimal:
    return divide_exactly(value, Decimal(60), digits, rounding)


@function(
    "hours",
    "Hours to whole minutes: 1.50 is 90.",
    takes="number",
    gives="whole",
    args=(ROUNDING_ARG,),
    inverse="minutes_to_hours",
)
def hours_to_minutes(value: Decimal, *, rounding: Rounding) -> int:
    return int(divide_exactly(EXACT.multiply(value, Decimal(60)), Decimal(1), 0, rounding))


@function(
    "hours",
    "Seconds to hours: 5400 is 1.50.",
    takes="number",
    gives="number",
    args=_ROUNDED,
    inverse="hours_to_seconds",
)
def seconds_to_hours(value: Decimal, *, digits: int, rounding: Rounding) -> Decimal:
    return divide_exactly(value, Decimal(3600), digits, rounding)


@function(
    "hours",
    "Hours to whole seconds: 1.50 is 5400.",
    takes="number",
    gives="whole",
    args=(ROUNDING_ARG,),
    inverse="seconds_to_hours",
)
def hours_to_seconds(value: Decimal, *, rounding: Rounding) -> int:
    return int(divide_exactly(EXACT.multiply(value, Decimal(3600)), Decimal(1), 0, rounding))


@function("hours", "Clock notation to hours: 7:30 is 7.50.", gives="number", args=_ROUNDED, inverse="hours_to_hm")
def hm_to_hours(value: str, *, digits: int, rounding: Rounding) -> Decimal | None:
    text = value.strip()
    if not text:
        return None
    if not (match := _CLOCK.fullmatch(text)):
        raise RecordError(f"{shown(value)} is not a time such as 7:30.", code="HOURS")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4] or 0)
    return divide_exactly(Decimal(-seconds if match[1] == "-" else seconds), Decimal(3600), digits, rounding)


@function(
    "hours", "Hours to clock notation: 7.50 is 7:30.", takes="number", args=(ROUNDING_ARG,), inverse="hm_to_hours"
)
def hours_to_hm(value: Decimal, *, rounding: Rounding) -> str:
    minutes = hours_to_minutes(value, rounding=rounding)
    return f"{'-' if minutes < 0 else ''}{abs(minutes) // 60}:{abs(minutes) % 60:02d}"


@function(
    "hours",
    "ISO 8601 duration to hours: PT1H30M is 1.50. Years and months have no fixed length and are refused.",
    gives="number",
    args=_ROUNDED,
    inverse="hours_to_duration",
)
def duration_to_hours(value: str, *, digits: int, rounding: Rounding) -> Decimal | None:
    text = value.strip()
    if not text:
        return None
    if not (match := _DURATION.fullmatch(text)):
        raise RecordError(f"{shown(value)} is not a duration such as PT7H30M.", code="HOURS")
    days, hours, minutes, whole = (int(part or 0) for part in match.group(2, 3, 4, 5))
    seconds = Decimal(f"{days * 86400 + hours * 3600 + minutes * 60 + whole}.{match[6] or 0}")
    return divide_exactly(-seconds if match[1] == "-" else seconds, Decimal(3600), digits, rounding)


@function(
    "hours",
    "Hours to an ISO 8601 duration: 1.50 is PT1H30M.",
    takes="number",
    args=(ROUNDING_ARG,),
    inverse="duration_to_hours",
)
def hours_to_duration(value: Decimal, *, rounding: Rounding) -> str:
    minutes = hours_to_minutes(value, rounding=rounding)
    hours, rest = divmod(abs(minutes), 60)
    parts = f"{hours}H" * bool(hours) + f"{rest}M" * bool(rest)
    return f"{'-' if minutes < 0 else ''}PT{parts or '0M'}"
