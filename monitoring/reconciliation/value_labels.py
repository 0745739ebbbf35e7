"""Differences that their own values explain: rounding, and a day or a clock that two systems cut at another hour."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from monitoring.models import ReconciliationGap
from monitoring.reconciliation.definition import Definition

# One minor unit: what rounding a line half up in one system and half even in the other can differ by.
ROUNDING = Decimal("0.01")
# The widest difference between two clocks on Earth.
ZONE_SECONDS = 14 * 3600

Label = ReconciliationGap.Label


def label(cursor: Any, definition: Definition) -> None:
    """A gap is explained where every one of its fields is."""
    kinds = {item.field: item.type for item in definition.compare if item.field not in definition.masked}
    numbers = [name for name, kind in kinds.items() if kind == "decimal"]
    days = [name for name, kind in kinds.items() if kind == "date"]
    instants = [name for name, kind in kinds.items() if kind == "instant"]
    period = definition.roles.get("period", "")
    _mark(
        cursor,
        Label.ROUNDING,
        "'Every amount differs by no more than ' || %s::text || '.'",
        "f = any(%s) and g.l ->> f is not null and g.r ->> f is not null"
        " and abs((g.l ->> f)::numeric - (g.r ->> f)::numeric) <= %s",
        [ROUNDING, numbers, ROUNDING],
    )
    _mark(
        cursor,
        Label.CUT_OFF,
        "'The same at another hour: a time zone, or a cut-off.'",
        "case when f = any(%s) then abs((g.l ->> f)::date - (g.r ->> f)::date) = 1"
        " when f = any(%s) then abs(extract(epoch from (g.l ->> f)::timestamptz - (g.r ->> f)::timestamptz)) <= %s"
        "   and mod(abs(extract(epoch from (g.l ->> f)::timestamptz - (g.r ->> f)::timestamptz))::bigint, 900) = 0"
        " else f = %s and g.other_period end",
        [days, instants, ZONE_SECONDS, period],
    )


def _mark(cursor: Any, found: Label, note: str, test: str, values: list[Any]) -> None:
    cursor.execute(
        f"update recon_gap g set label = '{found.value}', note = {note} where g.label = 'unexplained'"
        " and g.kind = 'differing' and cardinality(g.fields) > 0"
        f" and (select bool_and(coalesce({test}, false)) from unnest(g.fields) f)",
        values,
    )
