"""Dates written by a picture such as DD.MM.YYYY HH:mm."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from hub.common.errors import RecordError
from hub.common.money import shown

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOKEN = re.compile(r"YYYY|YY|MMM|MM|M|DD|D|HH|H|hh|h|mm|ss|A")
_PATTERNS = {
    "YYYY": r"(?P<YYYY>\d{4})",
    "YY": r"(?P<YY>\d{2})",
    "MMM": rf"(?P<MMM>(?i:{'|'.join(_MONTHS)}))",
    "MM": r"(?P<MM>\d{2})",
    "M": r"(?P<M>\d{1,2})",
    "DD": r"(?P<DD>\d{2})",
    "D": r"(?P<D>\d{1,2})",
    "HH": r"(?P<HH>\d{2})",
    "H": r"(?P<H>\d{1,2})",
    "hh": r"(?P<hh>\d{2})",
    "h": r"(?P<h>\d{1,2})",
    "mm": r"(?P<mm>\d{2})",
    "ss": r"(?P<ss>\d{2})",
    "A": r"(?P<A>(?i:AM|PM))",
}
_PRINTERS: dict[str, Callable[[datetime], str]] = {
    "YYYY": lambda at: f"{at.year:04d}",
    "YY": lambda at: f"{at.year % 100:02d}",
    "MMM": lambda at: _MONTHS[at.month - 1],
    "MM": lambda at: f"{at.month:02d}",
    "M": lambda at: str(at.month),
    "DD": lambda at: f"{at.day:02d}",
    "D": lambda at: str(at.day),
    "HH": lambda at: f"{at.hour:02d}",
    "H": lambda at: str(at.hour),
    "hh": lambda at: f"{at.hour % 12 or 12:02d}",
    "h": lambda at: str(at.hour % 12 or 12),
    "mm": lambda at: f"{at.minute:02d}",
    "ss": lambda at: f"{at.second:02d}",
    "A": lambda at: "AM" if at.hour < 12 else "PM",
}


def is_picture(picture: str) -> bool:
    """Whether a picture names at least year, month and day."""
    names = set(_TOKEN.findall(picture))
    return bool(names & {"YYYY", "YY"}) and bool(names & {"MMM", "MM", "M"}) and bool(names & {"DD", "D"})


def read_picture(text: str, picture: str) -> datetime:
    """The naive time that a text shows; a two-digit year is 1969 to 2068. RecordError when it does not fit."""
    match = _compile(picture).fullmatch(text.strip())
    if match is None:
        raise RecordError(f"{shown(text)} does not look like {picture}.", code="DATE")
    found = match.groupdict()
    try:
        return datetime(
            _year(found),
            _month(found),
            _number(found, "DD", "D", 1),
            _hour(found),
            _number(found, "mm"),
            _number(found, "ss"),
        )
    except ValueError:
        raise RecordError(f"{shown(text)} is not in the calendar.", code="DATE") from None


def print_picture(at: datetime, picture: str) -> str:
    """The text of a time in a picture."""
    return _TOKEN.sub(lambda token: _PRINTERS[token[0]](at), picture)


@lru_cache(maxsize=256)
def _compile(picture: str) -> re.Pattern[str]:
    pattern, at, seen = "", 0, set()
    for token in _TOKEN.finditer(picture):
        name = token[0]
        pattern += re.escape(picture[at : token.start()])
        pattern += rf"(?P={name})" if name in seen else _PATTERNS[name]
        seen.add(name)
        at = token.end()
    return re.compile(pattern + re.escape(picture[at:]), re.ASCII)


def _number(found: dict[str, str], *names: str | int) -> int:
    """The first of the named parts that the picture has; a number at the end is what stands in for none."""
    for name in names:
        if isinstance(name, int):
            return name
        if name in found:
            return int(found[name])
    return 0


def _year(found: dict[str, str]) -> int:
    if "YYYY" in found:
        return int(found["YYYY"])
    short = _number(found, "YY", 0)
    return short + (2000 if short <= 68 else 1900)


def _month(found: dict[str, str]) -> int:
    return _MONTHS.index(found["MMM"].title()) + 1 if "MMM" in found else _number(found, "MM", "M", 1)


def _hour(found: dict[str, str]) -> int:
    if "A" not in found:
        return _number(found, "HH", "H", "hh", "h")
    hour = _number(found, "hh", "h", "HH", "H")
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if found["A"].upper() == "PM" else 0)
