"""Results of a chunk, written in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from django.db import connection

from monitoring.models import ExceptionJobItem

_WRITE = """
update monitoring_exceptionjobitem j set status = r.status, note = r.note, before = coalesce(r.before, j.before),
  version = coalesce(r.version, j.version), transaction_id = coalesce(r.transaction_id, j.transaction_id)
from (select * from unnest(%s::bigint[], %s::smallint[], %s::text[], %s::jsonb[], %s::integer[], %s::bigint[])
  as t(id, status, note, before, version, transaction_id)) r
where j.id = r.id
"""


def write(rows: Sequence[ExceptionJobItem]) -> None:
    """Status, note, what was before and the version afterwards of these items."""
    if not rows:
        return
    columns: list[Any] = [
        [row.pk for row in rows],
        [int(row.status) for row in rows],
        [row.note for row in rows],
        [None if row.before is None else orjson.dumps(row.before).decode() for row in rows],
        [row.version for row in rows],
        [row.transaction_id for row in rows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, columns)
