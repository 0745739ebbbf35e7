"""One record as a line for COPY: key, roles, and the columns of the definition in their types."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date
from functools import lru_cache
from typing import Any

from hub.common.errors import RecordError
from hub.common.money import decimal_text, parse_decimal
from hub.common.records import Record, joined_key
from hub.common.times import local_to_utc, parse_datetime, time_zone
from hub.records.copying import text, without_nul
from monitoring.models.reconciliation import NO_PERIOD
from monitoring.reconciliation.definition import Definition, Side
from monitoring.reconciliation.sides import Brought, plain

ROLE_COLUMNS = ("legal_entity", "currency", "client", "project")
SQL_TYPES = {"text": "text", "decimal": "numeric", "date": "date", "instant": "timestamptz", "boolean": "text"}
# The stored amounts hold twenty digits before the point.
MOST_DIGITS = 19
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_PLAIN = re.compile(r"-?\d{1,18}(?:\.\d{1,12})?", re.ASCII)
# What COPY reads as something else than it is.
_SPECIAL = re.compile(r"[\\\n\r\x00]")
# In place of a missing value: unlike COPY's usual one it needs no escaping, and no text is just this.
NULL = "\x02"
_YES, _NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
# Longer texts are compared by their beginning; no index and no page wants more.
MOST_TEXT = 2_000
# In front of the key of a record that has none: it agrees with nothing.
KEYLESS = "\u2205 "


class Unusable(ValueError):
    """The value is not of the type that it is compared by."""


class Encoder:
    """Lines of one side; `number` counts its records from 1."""

    def __init__(self, definition: Definition, side: Side, zone: str = "UTC") -> None:
        self.definition, self.side, self.zone, self.number = definition, side, zone, 0
        roles = definition.roles
        self._key = side.key
        self._single = side.key[0] if len(side.key) == 1 else ""
        self._roles = [roles.get(name, "") for name in ROLE_COLUMNS]
        self._amount, self._period, self._date = roles.get("amount", ""), roles.get("period", ""), roles.get("date", "")
        compared = {item.field for item in self.definition.compare}
        self._columns = [(name, converter(kind, self.zone), name in compared) for name, kind in self.definition.columns]

    def line(self, one: Brought) -> str:
        """Cells as they are where nothing in them needs escaping, which one look at the joined line tells."""
        self.number += 1
        body = one.body
        get = body.get
        value = get(self._single) if self._single else None
        key = value if value.__class__ is str and value else self._key_of(body)
        cells = [str(self.number), key or f"{KEYLESS}{one.id or self.number}", one.id, one.at, self._period_of(body)]
        for name in self._roles:
            value = get(name)
            cells.append("" if value is None else value if value.__class__ is str else plain(value) or "")
        cells.append(self._amount_of(body))
        bad: list[str] = []
        for name, convert, is_compared in self._columns:
            value = get(name)
            if value is None or value == "":
                cells.append(NULL)
                continue
            try:
                found = convert(value)
                cells.append(NULL if found is None else found)
            except (Unusable, RecordError):
                cells.append(NULL)
                if is_compared:
                    bad.append(name)
        cells.append("{" + ",".join(f'"{name}"' for name in bad) + "}" if bad else NULL)
        line = "\t".join(cells)
        is_plain = line.count("\t") == len(cells) - 1 and _SPECIAL.search(line) is None
        return line + "\n" if is_plain else "\t".join(text(without_nul(cell)) for cell in cells) + "\n"

    def _key_of(self, body: Record) -> str:
        parts = []
        for name in self._key:
            part = plain(body.get(name))
            if part is None:
                return ""
            parts.append(part)
        return joined_key(parts)

    def _period_of(self, body: Record) -> str:
        """YYYY-MM by the period's field, else by the date's; another period's name stays as it is."""
        found = body.get(self._period) if self._period else None
        if (found is None or found == "") and self._date:
            found = body.get(self._date)
        return NO_PERIOD if found is None or found == "" else _period(str(found))

    def _amount_of(self, body: Record) -> str:
        value = body.get(self._amount) if self._amount else None
        if value is None or value == "":
            return NULL
        try:
            found = _decimal(value)
        except RecordError:
            return NULL
        return found if len(found) <= MOST_DIGITS or parse_decimal(found).adjusted() < MOST_DIGITS else NULL


@lru_cache(maxsize=8192)
def _period(found: str) -> str:
    """A period stands in addresses, so it holds no slash."""
    return found[:7] if _MONTH.fullmatch(found[:7]) else without_nul(found)[:20].replace("/", "-").strip() or NO_PERIOD


def _text(value: Any) -> str | None:
    found = value if value.__class__ is str else plain(value)
    return None if found is None else found[:MOST_TEXT]


def _decimal(value: Any) -> str:
    if value.__class__ is str and _PLAIN.fullmatch(value):
        return str(value)
    return decimal_text(parse_decimal(value))


@lru_cache(maxsize=8192)
def _day(value: str) -> str:
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise Unusable(value) from None


def _date(value: Any) -> str:
    return _day(str(value))


def instant(value: Any, zone: str) -> str:
    """An instant in UTC; a wall-clock time is meant in the side's zone."""
    found = parse_datetime(str(value)) if len(str(value)) > 10 else parse_datetime(f"{value}T00:00")
    if found.tzinfo is None:
        found = local_to_utc(found, time_zone(zone))
    return found.astimezone(UTC).isoformat()


def _boolean(value: Any) -> str:
    found = str(value).strip().lower()
    if found in _YES:
        return "true"
    if found in _NO:
        return "false"
    raise Unusable(value)


def converter(kind: str, zone: str) -> Callable[[Any], str | None]:
    """Turns a value of a record into the text that is compared by; raises Unusable or RecordError."""
    return (lambda value: instant(value, zone)) if kind == "instant" else _CONVERT[kind]


_CONVERT: dict[str, Callable[[Any], str | None]] = {
    "text": _text,
    "decimal": _decimal,
    "date": _date,
    "boolean": _boolean,
}
