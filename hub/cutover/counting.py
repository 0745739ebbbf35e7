"""The counts of a day, taken from what was compared on it."""

from __future__ import annotations

from datetime import date

from hub.common.db import plain_cursor


def count(cutover_id: int, legal_entity: str, day: date) -> None:
    """Count a route's day anew. Inside a transaction."""
    with plain_cursor() as cursor:
        cursor.execute(
            "insert into cutover_shadowday as d (cutover_id, legal_entity, day, compared, equal, different, unexplained)"
            " select %(cutover)s::bigint, %(entity)s::text, %(day)s::date, count(*), count(*) filter (where k.is_equal),"
            " count(*) filter (where not k.is_equal), count(*) filter (where exists (select from cutover_shadowdiff f"
            "   where f.cutover_id = k.cutover_id and f.record_id = k.record_id and f.day = k.day and f.state = 'open'))"
            " from cutover_shadowcheck k where k.cutover_id = %(cutover)s::bigint and k.legal_entity = %(entity)s::text"
            " and k.day = %(day)s::date on conflict (cutover_id, legal_entity, day) do update set compared = excluded.compared,"
            " equal = excluded.equal, different = excluded.different, unexplained = excluded.unexplained",
            {"cutover": cutover_id, "entity": legal_entity, "day": day},
        )
