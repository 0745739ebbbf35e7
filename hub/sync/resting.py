"""Syncs whose runs fail each time are not started again for every change: they rest, longer after each failure.

A run that a person, a schedule or another run asks for starts all the same, and so does the next change once somebody has
changed the sync or its connection.
"""

from __future__ import annotations

from collections.abc import Collection

from hub.common.db import plain_cursor
from hub.records.copying import ids
from hub.sync.states import RunStatus

FIRST_SECONDS, LONGEST_SECONDS = 5, 900
# More failures than this in a row make the rest no longer.
COUNTED = 8


def of(sync_ids: Collection[int]) -> list[int]:
    """Those of the syncs that rest now."""
    if not sync_ids:
        return []
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select s.id from sync_sync s join mappings_mapping m on m.id = s.mapping_id"
            " join connectors_stream t on t.id = m.stream_id join connectors_connection c on c.id = t.connection_id"
            " cross join lateral (select max(n) as failures, max(finished_at) as failed_at from ("
            "   select r.finished_at, row_number() over (order by r.id desc) as n,"
            "   bool_and(r.status = %(failed)s) over (order by r.id desc) as is_in_row from ("
            "     select id, status, finished_at from sync_run where sync_id = s.id order by id desc limit %(counted)s) r) x"
            "   where is_in_row) f"
            " where s.id = any(%(ids)s::bigint[]) and f.failures > 0"
            " and greatest(s.updated_at, c.updated_at) < f.failed_at"
            " and f.failed_at + make_interval(secs => least(%(first)s * 2.0 ^ (f.failures - 1), %(longest)s)) > now()",
            {
                "failed": RunStatus.FAILED,
                "counted": COUNTED,
                "ids": ids(sync_ids),
                "first": FIRST_SECONDS,
                "longest": LONGEST_SECONDS,
            },
        ).fetchall()
    return [row[0] for row in rows]
