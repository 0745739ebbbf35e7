"""Between database values and record values: nothing is rounded, shifted or padded on the way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from connectors.exact_json import number_text, plain_decimal


class Values:
    """Converts rows of one stream. Naive times are in `zone`; bytes are text in `encoding`, else hexadecimal."""

    def __init__(
        self, zone: ZoneInfo, *, encoding: str = "utf8", trim: bool = True, exact: frozenset[str] = frozenset()
    ) -> None:
        self.zone, self.encoding, self.trim, self.exact = zone, encoding, trim, exact

    def record(self, names: list[str], row: Any) -> dict[str, Any]:
        """A row as a record; texts, which most values are, are handled in place."""
        trim, value_of = self.trim, self.value
        return {
            name: (value.rstrip(" ") if trim else value) if value.__class__ is str else value_of(name, value)
            for name, value in zip(names, row, strict=True)
        }

    def value(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value.rstrip(" ") if self.trim else value
        if isinstance(value, int | float):
            return number_text(value) if name in self.exact or isinstance(value, float) else value
        return self._odd(value)

    def _odd(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            return plain_decimal(value)
        if isinstance(value, dt.datetime):
            return instant_text(value if value.tzinfo else value.replace(tzinfo=self.zone))
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, dt.timedelta):
            return number_text(int(value.total_seconds()))
        if isinstance(value, bytes | bytearray | memoryview):
            return self._text_of(bytes(value))
        if isinstance(value, UUID):
            return str(value)
        return value

    def _text_of(self, value: bytes) -> str:
        try:
            found = value.decode(self.encoding)
        except UnicodeDecodeError:
            return value.hex()
        return found.rstrip(" ") if self.trim else found


def instant_text(moment: dt.datetime) -> str:
    """UTC with Z; the fraction only where there is one."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
