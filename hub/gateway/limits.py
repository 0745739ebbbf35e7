"""How often a consumer may call: so many requests in each minute, counted by the database for all web processes together."""

from __future__ import annotations

import time

from django.db import connection

_COUNT = """
insert into gateway_window as w (consumer_id, minute, requests) values (%s, %s, 1)
on conflict (consumer_id) do update set
  requests = case when w.minute = excluded.minute then w.requests + 1 else 1 end, minute = excluded.minute
returning requests
"""


def take(consumer_id: int, per_minute: int) -> tuple[int, int]:
    """Count a request; (requests that are left in this minute, -1 when it is refused; seconds until the next minute)."""
    now = time.time()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [consumer_id, int(now // 60)])
        used = cursor.fetchone()[0]
    return max(per_minute - used, -1), 60 - int(now % 60)
