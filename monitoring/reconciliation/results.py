"""A comparison and its gaps as plain data: for the command, the API and files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.common.money import decimal_text
from monitoring.models import ReconciliationGap, ReconciliationRun, ReconciliationTotal

COUNTS = (
    "left", "right", "matched", "only_left", "only_right", "differing", "duplicates_left", "duplicates_right", "explained",
    "unexplained",
)  # fmt: skip


def as_data(run: ReconciliationRun) -> dict[str, Any]:
    """Counts, control totals and labels; matched + only_left + differing + duplicates_left = left, and so for the right."""
    return {
        "reconciliation": run.reconciliation.slug,
        "run": run.pk,
        "status": run.status,
        "reason": run.reason,
        **{name: getattr(run, name) for name in COUNTS},
        "labels": run.labels,
        "totals": [total_data(row) for row in run.totals.order_by("period", "currency", "legal_entity")],
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "timings": run.timings,
    }


def total_data(row: ReconciliationTotal) -> dict[str, Any]:
    return {
        "currency": row.currency,
        "legal_entity": row.legal_entity,
        "period": row.period,
        "left": row.left_count,
        "right": row.right_count,
        "matched": row.matched,
        "left_amount": short(row.left_amount),
        "right_amount": short(row.right_amount),
        "difference": short(row.difference),
        "sums": row.sums,
    }


def gap_data(gap: ReconciliationGap) -> dict[str, Any]:
    return {
        "id": gap.pk,
        "key": gap.key,
        "kind": gap.kind,
        "state": gap.state,
        "label": gap.label,
        "note": gap.note,
        "evidence": gap.evidence,
        "period": gap.period,
        "legal_entity": gap.legal_entity,
        "currency": gap.currency,
        "client": gap.client,
        "project": gap.project,
        "left_id": gap.left_id,
        "right_id": gap.right_id,
        "left_amount": short(gap.left_amount),
        "right_amount": short(gap.right_amount),
        "difference": short(gap.difference),
        "differs": {name: {"left": left, "right": right} for name, left, right in gap.pairs},
        "left": gap.left,
        "right": gap.right,
        "reason": gap.reason,
        "opened_at": gap.opened_at.isoformat(),
    }


def short(number: Decimal | None) -> str | None:
    """Without the zeros that its column adds, but with the two decimals of money."""
    if number is None:
        return None
    plain = number.quantize(Decimal("0.01"))
    return decimal_text(plain if plain == number else number.normalize())
