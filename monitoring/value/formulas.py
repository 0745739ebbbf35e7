"""The formulas of measures: what each needs, and how its figure comes from its rows.

A formula's SQL gives one row for each thing that counts in a month: key, label, entity, record_id, project, cause, num, den,
currency, at. The figure is made of these rows alone: their sum, their median, or the share of their sums. So what a tile shows
and what a list shows are one query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Aggregate = Literal["sum", "median", "share"]
Unit = Literal["days", "hours", "percent", "money", "records", "interfaces"]
# Where records of an entity usually come from, for the sentence that says what is missing.
SOURCES: Mapping[str, str] = {
    "opportunity": "a CRM", "project": "a PSA or the ERP", "time_entry": "a PSA", "milestone": "a PSA",
    "resource_request": "a PSA", "assignment": "a PSA", "availability": "a PSA or the HRIS", "resource": "the HRIS",
    "project_financials": "a PSA", "invoice": "the ERP", "gl_posting": "the ERP",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Formula:
    """`needs` are entities, or an entity with a field that has to be filled: "time_entry.billing_status".

    `words` say the formula as people would; `parameters` are (default, what it means). A stock counts as of now and has no
    past: its months are those in which it was looked at.
    """

    slug: str
    label: str
    unit: Unit
    aggregate: Aggregate
    words: str
    sql: str
    needs: tuple[str, ...] = ()
    parameters: Mapping[str, tuple[object, str]] = field(default_factory=dict)
    is_stock: bool = False
    cause_word: str = "Cause"
    # A figure of fewer days of history has no trend.
    enough_days: int = 30


_formulas: dict[str, Formula] = {}


def register(found: Formula) -> Formula:
    _formulas[found.slug] = found
    return found


def formulas() -> dict[str, Formula]:
    return dict(_formulas)


def find(slug: str) -> Formula | None:
    return _formulas.get(slug)
