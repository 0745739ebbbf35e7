"""Gaps before people: what is unexplained, and what somebody has raised, as exceptions with their money."""

from __future__ import annotations

from collections.abc import Iterator

from monitoring.exceptions import intake
from monitoring.exceptions.intake import Found
from monitoring.models import ReconciliationGap
from monitoring.reconciliation.queries import before_people

CAUSE = "gap"
_TITLES = {
    "only_left": "{key} is in {left} only",
    "only_right": "{key} is in {right} only",
    "differing": "{key} differs between {left} and {right}",
}


@intake.origin("gap")
def open_gaps() -> Iterator[Found]:
    """All that is open at this moment; the same key as long as it is the same gap."""
    for gap in before_people().iterator(chunk_size=2_000):
        yield _found(gap)


def _found(gap: ReconciliationGap) -> Found:
    one = gap.reconciliation
    left, right = (side.get("label") or side.get("stream") or "the hub" for side in (one.left, one.right))
    title = _TITLES.get(gap.kind, "{key} is there twice").format(key=gap.key, left=left, right=right)
    differs = "; ".join(f"{name}: {a or 'nothing'} against {b or 'nothing'}" for name, a, b in gap.pairs)
    return Found(
        key=f"{one.pk}:{gap.identity}",
        title=title,
        detail=gap.note or differs,
        cause=CAUSE,
        business=True,
        error_code="GAP",
        field=gap.fields[0] if gap.fields else "",
        facts={"reconciliation": one.slug, "gap": gap.kind, "period": gap.period},
        entity_id=one.entity_id,
        domain_id=one.domain_id,
        record_id=gap.record_id,
        external_id=gap.left_id or gap.right_id,
        client=gap.client,
        project=gap.project,
        period="" if gap.period == "all" else gap.period[:10],
        legal_entity=gap.legal_entity[:40],
        amount=abs(gap.difference) if gap.currency and gap.difference else None,
        currency=gap.currency[:8],
        amount_note=f"Difference of {left} and {right}",
        since=gap.opened_at,
        body={"left": gap.left, "right": gap.right, "gap": gap.pk},
    )
