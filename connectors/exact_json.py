"""JSON that loses no digit: the fast parser where it is exact, the careful one where a number has too many digits."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any, NoReturn

import orjson

# A number of 17 characters or more may not survive as a double. Such a run is looked for in a copy in which every
# digit is a zero, ten times faster than with a pattern; the pattern then tells a number from a text.
_DIGITS = bytes(48 if chr(code) in "0123456789." else 32 for code in range(256))
_LONG_RUN = b"0" * 17
_LONG_NUMBER = re.compile(rb"[:\[,]\s*-?[0-9.]{17}")
_MAX_INT = 2**63


def parse_json(body: bytes) -> tuple[Any, bool]:
    """The value, and whether the careful parser was needed (then texts may hold half surrogate pairs).

    A number that a double or a 64-bit integer cannot hold exactly comes as its decimal text. Raises ValueError.
    """
    if _LONG_RUN not in body.translate(_DIGITS) or not _LONG_NUMBER.search(body):
        try:
            data = orjson.loads(body)
            if not _may_double(body, data):
                return data, False
        except orjson.JSONDecodeError:
            # half surrogate pairs and huge exponents: the careful parser takes them, so that one record is set aside
            pass
    pairs = _without_doubles
    parsed = json.loads(
        body, parse_float=exact_float, parse_int=_exact_int, parse_constant=_refuse, object_pairs_hook=pairs
    )
    return parsed, True


class Doubled(dict[str, Any]):
    """An object in which a name stands twice with different values: nobody knows which one is meant."""

    name: str = ""


def _may_double(body: bytes, data: Any) -> bool:
    """Whether a name may stand twice in an object: its colon is then missing in the parsed data."""
    colons = body.count(b":")
    if colons and b"\\u003" in body and b"\\u003a" in body.lower():
        return True
    return colons != orjson.dumps(data).count(b":")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = next((name for name, value in pairs if found[name] != value), None)
    if doubled is None:
        return found
    marked = Doubled(found)
    marked.name = doubled
    return marked


def find_doubled(value: Any, *, skip: Collection[int] = ()) -> str | None:
    """A name that stands twice in an object inside `value`, None where there is none.

    Objects whose id() is in `skip` are not looked into.
    """
    if id(value) in skip:
        return None
    if isinstance(value, Doubled):
        return value.name
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((name for child in inner if (name := find_doubled(child, skip=skip)) is not None), None)


def exact_float(text: str) -> float | str:
    """The number that a text stands for, or the text itself where a double would lose a digit of it."""
    number = float(text)
    exact = Decimal(text)
    if Decimal(repr(number)) == exact:
        return number
    # written out, 1e999999 would be a megabyte of zeros
    return plain_decimal(exact) if abs(exact.adjusted()) < 100 else text


def _exact_int(text: str) -> int | str:
    if len(text) > 20:
        return text
    number = int(text)
    return number if -_MAX_INT <= number < _MAX_INT else text


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def plain_decimal(number: Decimal) -> str:
    """A decimal without exponent."""
    return format(number, "f")


def number_text(value: float) -> str:
    """The exact text of an int or of a float: the shortest that reads back to the same value."""
    text = repr(value)
    return plain_decimal(Decimal(text)) if "e" in text or "E" in text else text
