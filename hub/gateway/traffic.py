"""Who calls which version how often: gathered in each web process and stored about once a second."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

STORE_EVERY_SECONDS = 1.0
KEPT_DAYS = 400
_STORE = """
insert into gateway_traffic as t (consumer_id, api_id, hour, requests, failed, seconds, last_at)
select u.*, now() from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::int[], %s::int[], %s::float8[])
  u (consumer_id, api_id, hour, requests, failed, seconds)
where exists (select from gateway_consumer c where c.id = u.consumer_id)
  and exists (select from gateway_api a where a.id = u.api_id)
order by 1, 2, 3
on conflict (api_id, consumer_id, hour) do update set requests = t.requests + excluded.requests,
  failed = t.failed + excluded.failed, seconds = t.seconds + excluded.seconds, last_at = now()
"""
_lock = threading.Lock()
_counts: dict[tuple[int, int, datetime], list[float]] = defaultdict(lambda: [0, 0, 0.0])
_stored_at = 0.0


def note(consumer_id: int, api_id: int, *, status: int, seconds: float) -> None:
    """Count one answer. What a web process has gathered is lost with it: at most a second's worth."""
    global _stored_at
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    with _lock:
        row = _counts[consumer_id, api_id, hour]
        row[0] += 1
        row[1] += status >= 400
        row[2] += seconds
        if time.monotonic() - _stored_at < STORE_EVERY_SECONDS:
            return
        _stored_at = time.monotonic()
    store()


def store() -> None:
    """Store what was gathered."""
    with _lock:
        found = list(_counts.items())
        _counts.clear()
    if found:
        _write(found)


def _write(found: Iterable[tuple[tuple[int, int, datetime], list[float]]]) -> None:
    rows: list[tuple[Any, ...]] = [(*key, int(n), int(failed), seconds) for key, (n, failed, seconds) in found]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [list(column) for column in zip(*rows, strict=True)])


def forget() -> None:
    """Where tables are emptied, ids begin anew."""
    global _stored_at
    with _lock:
        _counts.clear()
        _stored_at = 0.0
