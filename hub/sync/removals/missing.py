"""Which records a crawl did not show: one pass over the stream's ids, against the marks that its pages have left anyway.

A record was shown when one of the run's batches lists it as unchanged, when its id carries one of the run's batches, or when
it is held since. Ids that came into being after the crawl began, by whichever way, are not missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.common.db import plain_cursor
from hub.records.removing import NO_BATCH
from hub.sync.models import Batch, Run
from hub.sync.plan import SyncPlan


@dataclass(frozen=True, slots=True)
class Missing:
    """`known` living ids of the stream before the crawl; (external id, canonical id) of those that were not shown."""

    known: int
    rows: Sequence[tuple[str, int]]
    before_batch: int


def find(run: Run, plan: SyncPlan) -> Missing:
    """What the crawl of `run` did not show, and no run of the sync has shown since. Call inside a transaction."""
    first = Batch.objects.filter(run_id=run.pk).order_by("page_no").values_list("pk", flat=True).first() or NO_BATCH
    since = list(Run.objects.filter(sync=run.sync_id, pk__gte=run.pk).values_list("pk", flat=True))
    with plain_cursor() as cursor:
        _collect_seen(cursor, since)
        rows = cursor.execute(
            "select x.external_id, x.record_id from records_crosswalk x"
            " where x.stream_id = %(stream)s and x.gone_at is null and x.merge_id is null"
            " and x.hash <> ''::bytea and x.batch_id < %(first)s"
            " and not exists (select from seen_record s where s.id = x.record_id)"
            " and not exists (select from sync_heldrecord h where h.sync_id = %(sync)s and h.external_id = x.external_id"
            "   and h.last_at >= %(started)s) order by x.record_id",
            {"stream": plan.stream_id, "first": first, "sync": run.sync_id, "started": run.started_at},
        ).fetchall()
        known = cursor.execute(
            "select count(*) from records_crosswalk where stream_id = %s and gone_at is null and merge_id is null"
            " and hash <> ''::bytea and batch_id < %s",
            [plan.stream_id, first],
        ).fetchone()
    return Missing(known[0] if known else 0, rows, first)


def _collect_seen(cursor: Any, run_ids: Sequence[int]) -> None:
    cursor.execute("create temp table if not exists seen_record (id bigint) on commit delete rows")
    cursor.execute("truncate seen_record")
    cursor.execute(
        "insert into seen_record select distinct unnest(unchanged_ids) from sync_batch where run_id = any(%s::bigint[])",
        [list(run_ids)],
    )
    cursor.execute("analyze seen_record")
