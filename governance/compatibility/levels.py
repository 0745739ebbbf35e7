"""Owner and service levels of a contract compared: what consumers may rely on beside the records themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from governance.compatibility.changes import Change, change

NAMES = frozenset({"x-owner", "x-sla"})
# Service levels of ODCS of which more is better, and of which less is.
_MORE = frozenset({"availability", "retention", "completeness", "throughput"})
_LESS = frozenset({"latency", "freshness", "frequency", "errorRate", "timeToDetect", "timeToNotify", "timeToRepair"})
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_592_000, "y": 31_536_000}
_UNITS = {
    "second": "s", "seconds": "s", "min": "m", "minute": "m", "minutes": "m", "hour": "h", "hours": "h", "day": "d",
    "days": "d", "week": "w", "weeks": "w", "month": "mo", "months": "mo", "yr": "y", "year": "y", "years": "y",
}  # fmt: skip
Level = Mapping[str, Any]


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    if before.get("x-owner") != after.get("x-owner"):
        yield change("", "owner_changed", before.get("x-owner"), after.get("x-owner"))
    old, new = _levels(before), _levels(after)
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            kind = _kind(old.get(name), new.get(name))
            yield change("", kind, *(_words(levels.get(name)) for levels in (old, new)))


def _levels(schema: Mapping[str, Any]) -> dict[tuple[str, str], Level]:
    """By what they measure and of which field."""
    given = schema.get("x-sla")
    found = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    return {(str(each.get("property")), str(each.get("element", ""))): each for each in found}


def _kind(old: Level | None, new: Level | None) -> str:
    if old is None or new is None:
        return "service_level_tightened" if old is None else "service_level_loosened"
    property_, before, after = old.get("property"), _size(old), _size(new)
    if property_ not in _MORE | _LESS or before is None or after is None or before == after:
        return "service_level_changed"
    is_better = after > before if property_ in _MORE else after < before
    return "service_level_tightened" if is_better else "service_level_loosened"


def _size(level: Level) -> Decimal | None:
    """The value in seconds where it is a time; None where it is no number."""
    unit = str(level.get("unit", ""))
    try:
        value = Decimal(str(level.get("value")))
    except InvalidOperation:
        return None
    return value * _SECONDS.get(_UNITS.get(unit, unit), 1) if value.is_finite() else None


def _words(level: Level | None) -> str | None:
    """ "latency of amount: 4 h" """
    if level is None:
        return None
    element = f" of {level['element']}" if level.get("element") else ""
    return f"{level.get('property')}{element}: {level.get('value')} {level.get('unit', '')}".rstrip()
