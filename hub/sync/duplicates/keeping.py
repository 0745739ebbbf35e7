"""Rows of possible duplicates, written in the transaction of a page.

They end with the held record, whoever takes it away: a trigger of the database (migration 0016) sees to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from hub.records.copying import without_nul
from hub.sync.duplicates.comparing import Candidate, Sorted
from hub.sync.models import Run
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Item


def keep(cursor: Any, plan: SyncPlan, run: Run, found: Sorted) -> None:
    """The records that this page holds; one that is held again keeps its row, and waits for a decision anew."""
    rows = [_row(plan, run, name, item, found.held[name]) for name, item in sorted(found.items.items())]
    if rows:
        cursor.executemany(
            "insert into sync_duplicate (sync_id, external_id, key, body, candidates, record_id, score, rule, amount,"
            " currency, run_id) values (%s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s, %s, %s)"
            " on conflict (sync_id, external_id) where status in ('open', 'decided') do update set status = 'open',"
            " key = excluded.key, body = excluded.body, candidates = excluded.candidates,"
            " record_id = excluded.record_id, score = excluded.score, rule = excluded.rule, amount = excluded.amount,"
            " currency = excluded.currency, run_id = excluded.run_id, last_at = now()",
            rows,
        )


def _row(plan: SyncPlan, run: Run, external_id: str, item: Item, candidates: Sequence[Candidate]) -> list[Any]:
    markers, best = plan.contract.markers, candidates[0]
    amount = item.body.get(markers.amount) if markers.amount else None
    return [
        plan.sync.pk,
        external_id,
        item.key,
        orjson.dumps(without_nul(item.body), default=str).decode(),
        orjson.dumps([one.as_data() for one in candidates]).decode(),
        best.record_id,
        best.score,
        best.rule.name,
        None if amount in (None, "") else str(amount),
        item.body.get(markers.currency) if markers.currency else None,
        run.pk,
    ]
