"""Limits of lengths, sizes and numbers compared: a wider one admits more, a tighter one less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from governance.compatibility.changes import Change, change

LOWER = ("minLength", "minItems", "minProperties", "minContains")
UPPER = ("maxLength", "maxItems", "maxProperties", "maxContains")
NAMES = frozenset(
    {*LOWER, *UPPER, "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "uniqueItems"}
)
# (number, 1 when the number itself is excluded): larger is tighter from below.
Bound = tuple[Decimal, int]
NO_LOWER: Bound = (Decimal("-Infinity"), 0)


def compared(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    if not NAMES & {*before, *after}:
        return
    for name in LOWER:
        yield from _tell(path, name, before, after, _number(before, name, 0), _number(after, name, 0))
    for name in UPPER:
        yield from _tell(
            path, name, before, after, -_number(before, name, "Infinity"), -_number(after, name, "Infinity")
        )
    yield from _tell(path, "minimum", before, after, _lower(before), _lower(after))
    yield from _tell(path, "maximum", before, after, _upper(before), _upper(after))
    yield from _multiple(path, before, after)
    if bool(before.get("uniqueItems")) != bool(after.get("uniqueItems")):
        yield change(path, "constraint_added" if after.get("uniqueItems") else "constraint_removed", "unique", "unique")


def _tell(
    path: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any], old: Any, new: Any
) -> Iterator[Change]:
    """`old` and `new` are bounds of which the larger is the tighter."""
    if old != new:
        told = [{name: part.get(name, part.get(f"exclusive{name.capitalize()}"))} for part in (before, after)]
        yield change(path, "limit_narrowed" if new > old else "limit_widened", *told)


def _number(spec: Mapping[str, Any], name: str, without: Any) -> Decimal:
    return Decimal(str(spec.get(name, without)))


def _lower(spec: Mapping[str, Any]) -> Bound:
    bounds = [
        (Decimal(str(spec[name])), flag) for name, flag in (("minimum", 0), ("exclusiveMinimum", 1)) if name in spec
    ]
    return max(bounds, default=NO_LOWER)


def _upper(spec: Mapping[str, Any]) -> Bound:
    """Mirrored, so that here too the larger is the tighter."""
    bounds = [
        (-Decimal(str(spec[name])), flag) for name, flag in (("maximum", 0), ("exclusiveMaximum", 1)) if name in spec
    ]
    return max(bounds, default=NO_LOWER)


def _multiple(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = before.get("multipleOf"), after.get("multipleOf")
    if old == new:
        return
    if old is None or (new is not None and not Decimal(str(new)) % Decimal(str(old))):
        yield change(path, "limit_narrowed", {"multipleOf": old}, {"multipleOf": new})
    elif new is None or not Decimal(str(old)) % Decimal(str(new)):
        yield change(path, "limit_widened", {"multipleOf": old}, {"multipleOf": new})
    else:
        yield change(path, "constraint_changed", {"multipleOf": old}, {"multipleOf": new})
