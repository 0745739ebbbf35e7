"""Between database values and record values: nothing is rounded, shifted or padded on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.exact_json import number_text, plain_decimal


class Values:
    """Converts rows of one stream. Naive times are in `zone`; bytes are text in `encoding`, else hexadecimal."""

    def __init__(
        self, zone: ZoneInfo, *, encoding: str = "utf8", trim: bool = True, exact: frozenset[str] = frozenset()
    ) -> None:
        self.zone, self.encoding, self.trim, self.exact = zone, encoding, trim, exact
        self._by_class: dict[type, Callable[[Any], Any]] = {
            type(None): _same,
            bool: _same,
            int: _same,
            dict: _same,
            list: _same,
            str: _unpadded if trim else _same,
            float: number_text,
            Decimal: decimal_text,
            dt.datetime: self._instant,
            dt.date: dt.date.isoformat,
            dt.time: dt.time.isoformat,
            dt.timedelta: lambda value: number_text(int(value.total_seconds())),
            bytes: self._text_of,
            bytearray: lambda value: self._text_of(bytes(value)),
            memoryview: lambda value: self._text_of(bytes(value)),
        }

    def record(self, names: list[str], row: Any) -> dict[str, Any]:
        """A row as a record; numbers of the key become text."""
        by_class = self._by_class
        found = {name: by_class.get(value.__class__, str)(value) for name, value in zip(names, row, strict=True)}
        for name in self.exact:
            value = found.get(name)
            if value.__class__ is int:
                found[name] = str(value)
        return found

    def _instant(self, value: dt.datetime) -> str:
        return instant_text(value if value.tzinfo else value.replace(tzinfo=self.zone))

    def _text_of(self, value: bytes) -> str:
        try:
            found = value.decode(self.encoding)
        except UnicodeDecodeError:
            return value.hex()
        return found.rstrip(" ") if self.trim else found


def _same(value: Any) -> Any:
    return value


def _unpadded(value: str) -> str:
    return value.rstrip(" ")


def decimal_text(value: Decimal) -> str:
    """The digits as the database holds them, without exponent."""
    text = str(value)
    return text if "E" not in text else plain_decimal(value)


def instant_text(moment: dt.datetime) -> str:
    """UTC with Z; the fraction only where there is one."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
