"""The last step of every rule: a value in the form its target type travels in.

Decimals leave as plain digit strings, dates as YYYY-MM-DD, instants as ISO 8601 with Z. Null passes through. For every
type but text and JSON a blank text is null, because files know no other way to say it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, Literal

from hub.common.errors import RecordError
from hub.common.money import RoundingOrExact, decimal_text, parse_decimal, quantize, shown
from hub.common.times import format_instant, local_to_utc, parse_date, parse_datetime

FieldType = Literal["string", "integer", "decimal", "boolean", "date", "datetime", "json"]

_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]00:00(?::00(?:\.0+)?)?", re.ASCII)


def is_blank(value: Any) -> bool:
    """Null, or a text with nothing in it."""
    return value is None or (isinstance(value, str) and not value.strip())


def parse_number(value: Any) -> Decimal | None:
    """The exact decimal of a value, None when it is blank; RecordError when it is no number."""
    try:
        return parse_decimal(value)
    except RecordError:
        if is_blank(value):
            return None
        raise


@dataclass(frozen=True, slots=True)
class Cast:
    """How a value becomes its type; `zone` is where a time without an offset is meant."""

    type: FieldType
    digits: int | None
    rounding: RoundingOrExact
    zone: tzinfo

    def function(self) -> Callable[[Any], Any]:
        """The cast as a function of one value; it raises RecordError for a value that is not of the type."""
        if self.type == "decimal":
            return self._decimal
        if self.type == "datetime":
            return self._datetime
        return _CASTS[self.type]

    def _decimal(self, value: Any) -> str | None:
        number = parse_number(value)
        if number is None:
            return None
        if self.digits is not None:
            number = quantize(number, self.digits, self.rounding)
        return decimal_text(number)

    def _datetime(self, value: Any) -> str | None:
        if is_blank(value):
            return None
        instant = parse_datetime(value.strip()) if isinstance(value, str) else value
        if not isinstance(instant, datetime):
            raise RecordError(
                f"{shown(value)} is not a date and time.", code="DATETIME", fix="Use a date conversion first."
            )
        return format_instant(instant if instant.tzinfo else local_to_utc(instant, self.zone))


def to_text(value: Any) -> str | None:
    """Text as it is; numbers as exact digits (4711.0 is '4711', as spreadsheets send ids); true and false in words."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 512 else decimal_text(parse_decimal(value))
    if isinstance(value, float):
        number = parse_decimal(value)
        return decimal_text(number.to_integral_value() if value.is_integer() else number)
    if isinstance(value, Decimal):
        return decimal_text(parse_decimal(value))
    if isinstance(value, datetime):
        return format_instant(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    raise RecordError(f"{shown(value)} is not a single value.", code="TEXT", fix="Use join or first, or the type json.")


def to_integer(value: Any) -> int | None:
    """A whole number; 12.0 and '12' are 12, 12.5 is refused."""
    if is_blank(value):
        return None
    if type(value) is int:
        return value
    number = parse_decimal(value)
    if number != number.to_integral_value():
        raise RecordError(f"{shown(value)} is not a whole number.", code="INTEGER", fix="Use round first.")
    return int(number)


def to_boolean(value: Any) -> bool | None:
    """True and false, or those words."""
    if is_blank(value):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (word := value.strip().lower()) in ("true", "false"):
        return word == "true"
    raise RecordError(
        f"{shown(value)} is neither true nor false.", code="BOOLEAN", fix="Use to_boolean for Yes/No, T/F, 1/0."
    )


def to_date(value: Any) -> str | None:
    """A business date. A time of day is refused unless it is a plain midnight, as databases send dates."""
    if is_blank(value):
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None and value.time() == time.min:
            return value.date().isoformat()
    elif isinstance(value, date):
        return value.isoformat()
    elif isinstance(value, str):
        text = value.strip()
        if match := _MIDNIGHT.fullmatch(text):
            text = match[1]
        if len(text) <= 10:
            return parse_date(text).isoformat()
    raise RecordError(
        f"{shown(value)} is not a date.",
        code="DATE",
        fix="Use parse_date for another notation, utc_to_local_date for an instant, date_part for the date as written.",
    )


def to_json(value: Any) -> Any:
    """Any JSON value; decimals, dates and times inside it become strings."""
    if isinstance(value, dict):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return to_text(value)


_CASTS: dict[str, Callable[[Any], Any]] = {
    "string": to_text,
    "integer": to_integer,
    "boolean": to_boolean,
    "date": to_date,
    "json": to_json,
}
