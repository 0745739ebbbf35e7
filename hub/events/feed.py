"""Events one after the other, for whoever asks instead of being told. None is passed over, whenever its transaction ends.

Ids are given out before transactions commit, so a reader that only remembers the last id passes over what commits late. The
feed is ordered by transaction instead, and ends before the oldest one that is still under way: what it has shown stays
behind its cursor, and what it has not shown yet lies before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import connection

from hub.common.errors import ConfigError
from hub.events.models import Event

PAGE, LARGEST = 100, 1_000
NOW = "now"
_CURSOR = re.compile(r"([0-9]{1,20})-([0-9]{1,19})", re.ASCII)
_PAGE = """
select xid::text, id from events_event
where (xid, id) > (%s::xid8, %s) and xid < pg_snapshot_xmin(pg_current_snapshot()) and type = any(%s)
order by xid, id limit %s
"""


def after(cursor: str, types: Sequence[str], *, limit: int = PAGE) -> tuple[list[Event], str]:
    """(the next events of these types, the cursor behind them). An empty cursor begins with the oldest event that is kept.

    Raises ConfigError for a cursor that is not one.
    """
    if cursor == NOW:
        return [], _now()
    xid, number = _parts(cursor)
    with connection.cursor() as db:
        db.execute(_PAGE, [xid, number, list(types), min(limit, LARGEST)])
        found = db.fetchall()
    events = Event.objects.in_bulk([row[1] for row in found])
    following = f"{found[-1][0]}-{found[-1][1]}" if found else cursor or _parts_as_text(xid, number)
    return [events[row[1]] for row in found if row[1] in events], following


def _parts(cursor: str) -> tuple[str, int]:
    if not cursor:
        return "0", 0
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise ConfigError(
            f"{cursor[:40]!r} is no cursor of this feed.", where="cursor", code="CURSOR",
            fix="Send the one that the last page gave, nothing to begin with the oldest, or `now`.",
        )  # fmt: skip
    return match[1], int(match[2])


def _parts_as_text(xid: str, number: int) -> str:
    return f"{xid}-{number}"


def _now() -> str:
    """Behind everything that has committed: what is under way and what begins later is still to come."""
    with connection.cursor() as db:
        db.execute("select pg_snapshot_xmin(pg_current_snapshot())::text")
        return f"{db.fetchone()[0]}-0"


# For those who wait -------------------------------------------------------------------------------------------
def snapshot() -> str:
    """What can be seen at this moment, as text."""
    with connection.cursor() as db:
        db.execute("select pg_current_snapshot()::text")
        return str(db.fetchone()[0])


def first_since(snapshot: str, name: str, key: str = "") -> Event | None:
    """The first event of a name (about a record's key) that could not be seen in the snapshot, however early it was begun."""
    rows = Event.objects.filter(type=name).extra(
        where=["not pg_visible_in_snapshot(xid, %s::pg_snapshot)", "xid >= pg_snapshot_xmin(%s::pg_snapshot)"],
        params=[snapshot, snapshot],
    )
    if key:
        rows = rows.filter(data__key=key)
    return rows.order_by("pk").first()
