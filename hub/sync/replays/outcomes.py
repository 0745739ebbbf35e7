"""What became of what was put again: delivered or taken in, failed again, or still on its way."""

from __future__ import annotations

from typing import Any

from hub.common.db import plain_cursor
from hub.sync import outbox
from hub.sync.models import Replay, ReplayItem
from hub.sync.replays import puts
from hub.sync.states import DeliveryState, HeldState

Status = ReplayItem.Status
# Items looked at in one go; the next look goes on behind them.
LOOK = 2_000

_OUT = """
update sync_replayitem i set
  status = case when s.state is null or s.state = %(discarded)s then %(skipped)s when s.state = %(delivered)s then %(done)s
    when i.act = 'ask' then %(left)s else %(failed)s end,
  note = case when s.state is null or s.state = %(discarded)s then %(settled)s else coalesce(s.error_code, '') end
from sync_replayitem j left join sync_delivery s on s.sync_id = j.sync_id and s.record_id = j.record_id
where i.id = j.id and j.replay_id = %(replay)s and j.status = %(put)s and j.leg = 'out' and j.id = any(%(ids)s::bigint[])
  and (s.state is null or s.state not in (%(pending)s, %(unsure)s) or (s.state = %(unsure)s and s.next_at >= %(never)s))
"""
_IN = """
update sync_replayitem i set
  status = case when h.state is null then %(done)s else %(failed)s end, note = coalesce(h.error_code, '')
from sync_replayitem j left join sync_heldrecord h on h.sync_id = j.sync_id and h.external_id = j.external_id
where i.id = j.id and j.replay_id = %(replay)s and j.status = %(put)s and j.leg = 'in' and j.id = any(%(ids)s::bigint[])
  and (h.state is null or h.state <> %(released)s)
"""
_READ = """
select i.id, h.error_code from sync_replayitem i
left join sync_heldrecord h on h.sync_id = i.through_id and h.external_id = i.external_id
where i.replay_id = %(replay)s and i.status = %(reading)s and i.id = any(%(ids)s::bigint[])
  and (h.state is null or h.state <> %(released)s)
"""


def look(cursor: Any, replay: Replay) -> int:
    """Settle the next items that are on their way; returns the item behind which the next look begins."""
    rows = cursor.execute(
        "select id from sync_replayitem where replay_id = %s and status in (2, 3) and id > %s order by id limit %s",
        [replay.pk, replay.looked_at, LOOK],
    ).fetchall()
    values = {
        **{name.lower(): int(value) for name, value in Status.__members__.items()},
        **{name: int(DeliveryState[name.upper()]) for name in ("pending", "unsure", "delivered", "discarded")},
        "released": int(HeldState.RELEASED),
        "never": outbox.NEVER,
        "settled": puts.SETTLED,
        "replay": replay.pk,
        "ids": [row[0] for row in rows],
    }
    _go_on(cursor, cursor.execute(_READ, values).fetchall())
    cursor.execute(_OUT, values)
    cursor.execute(_IN, values)
    return rows[-1][0] if len(rows) == LOOK else 0


def _go_on(cursor: Any, read: list[tuple[int, str | None]]) -> None:
    """What has passed the way in is sent; what has not is held there with its reason, and fails."""
    failed = [(item_id, code) for item_id, code in read if code is not None]
    passed = [item_id for item_id, code in read if code is None]
    for item_id, code in failed:
        _set(cursor, [item_id], Status.FAILED, code)
    if passed:
        puts.send(cursor, passed)
        _set(cursor, passed, Status.PUT, "")


def _set(cursor: Any, ids: list[int], status: Status, note: str) -> None:
    cursor.execute(
        "update sync_replayitem set status = %s, note = %s where id = any(%s::bigint[]) and status = %s",
        [int(status), note, ids, int(Status.READING)],
    )


def counts(replay: Replay) -> dict[str, int]:
    """Numbers of items by the name of their status, those without any left out."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select status, count(*) from sync_replayitem where replay_id = %s group by status order by status",
            [replay.pk],
        ).fetchall()
    return {Status(status).name.lower(): number for status, number in rows}
