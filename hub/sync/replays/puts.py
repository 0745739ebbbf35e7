"""Putting letters again, a chunk of items in one transaction: set-based, conditional, deliveries in lock order.

An item counts as put in the transaction that makes its delivery due, so that a worker that is killed leaves both or neither.
What is put takes the usual way: the run of its sync sends it, at the pace of its connection, under the key that it always had.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hub.sync import engine, outbox
from hub.sync.models import Replay, ReplayItem, Run
from hub.sync.replays import reading
from hub.sync.replays.safety import Safety
from hub.sync.states import DeliveryState, HeldState, Outcome
from hub.sync.trouble import OPEN_HELD, RETRYABLE

Act, Status = ReplayItem.Act, ReplayItem.Status
SETTLED = "It was settled meanwhile."

_DUE = """
  select i.id, d.sync_id, d.record_id from sync_replayitem i
  join sync_delivery d on d.sync_id = i.sync_id and d.record_id = i.record_id
  where i.id = any(%(ids)s::bigint[]) and {condition} order by d.sync_id, d.record_id for update of d
"""
_STOPPED = "(d.state = any(%(states)s) or (d.state = 1 and d.failing_since is not null))"
SEND = f"""
with due as ({_DUE.format(condition=_STOPPED)}),
put as (
  update sync_delivery d set state = %(pending)s, attempts = 0, failing_since = null,
    next_at = greatest(now(), d.late_until), missing_entity_id = null,
    missing_key = null, error_code = null, error_detail = null
  from due where d.sync_id = due.sync_id and d.record_id = due.record_id returning due.id, d.version)
update sync_replayitem i set status = %(put)s, version = put.version from put where i.id = put.id returning i.sync_id
"""
# A look that comes before the target has settled finds nothing: what was shelved is asked when that time is over.
ASK = f"""
with due as ({_DUE.format(condition="d.state = %(unsure)s")}),
put as (
  update sync_delivery d set next_at = case when d.next_at < %(never)s then d.next_at else greatest(now(), (
    select max(t.at) from sync_transaction t
    where t.record_id = d.record_id and t.sync_id = d.sync_id and t.outcome = %(doubt)s
  ) + make_interval(secs => s.seconds)) end
  from due join unnest(%(syncs)s::bigint[], %(seconds)s::float8[]) s(sync_id, seconds) on s.sync_id = due.sync_id
  where d.sync_id = due.sync_id and d.record_id = due.record_id returning due.id)
update sync_replayitem i set status = %(put)s from put where i.id = put.id returning i.sync_id
"""
TRY = """
with put as (
  update sync_heldrecord h set state = %(released)s from sync_replayitem i
  where i.id = any(%(ids)s::bigint[]) and h.sync_id = i.sync_id and h.external_id = i.external_id
    and h.state = any(%(open)s) returning i.id)
update sync_replayitem i set status = %(put)s from put where i.id = put.id returning i.sync_id
"""
# A pin of an earlier replay ends where a later one puts the same record.
SUPERSEDE = """
update sync_replayitem o set status = %(skipped)s, note = %(note)s from sync_replayitem i
where i.id = any(%(ids)s::bigint[]) and i.status = %(put)s and o.sync_id = i.sync_id and o.leg = %(leg)s and i.leg = %(leg)s
  and {column} and o.id <> i.id and o.mapping_version_id is not null and o.status in (2, 3)
"""
_SAME = {"out": "o.record_id = i.record_id", "in": "o.external_id = i.external_id"}
DISCARD_OUT = f"""
with due as ({_DUE.format(condition="d.state = any(%(states)s)")}),
gone as (
  update sync_delivery d set state = %(discarded)s, next_at = now(), missing_entity_id = null, missing_key = null,
    error_code = null, error_detail = null
  from due join records_canonicalrecord c on c.id = due.record_id
  where d.sync_id = due.sync_id and d.record_id = due.record_id
  returning due.id, d.sync_id, d.record_id, d.target_ref, c.key, d.version, c.amount, c.currency, d.cause_id),
noted as (
  select id, sync_append_decision(sync_id, record_id, target_ref, key, %(outcome)s::smallint, version, 'BY_HAND',
    %(detail)s, target_ref, amount, currency, cause_id) from gone)
update sync_replayitem i set status = %(done)s from noted where i.id = noted.id
"""
DISCARD_IN = """
with gone as (
  delete from sync_heldrecord h using sync_replayitem i
  where i.id = any(%(ids)s::bigint[]) and h.sync_id = i.sync_id and h.external_id = i.external_id
    and h.state = any(%(open)s) returning i.id, h.sync_id, h.external_id, h.amount, h.currency, h.transaction_id),
noted as (
  select id, sync_append_decision(sync_id, null, external_id, null, %(outcome)s::smallint, null, 'BY_HAND', %(detail)s,
    null, amount, currency, transaction_id) from gone)
update sync_replayitem i set status = %(done)s from noted where i.id = noted.id
"""


def put(cursor: Any, replay: Replay, items: Sequence[tuple[int, str, str]], safety: dict[int, Safety]) -> None:
    """(item, leg, act) of planned items: each is put, or skipped because somebody was faster."""
    ids = [item_id for item_id, _, _ in items]
    for act, carry_out in (
        (Act.TRY, _try),
        (Act.SEND, _read_or_send),
        (Act.ASK, partial(_ask, safety=safety)),
        (Act.DISCARD, _discard),
        (Act.START, _start),
    ):
        if chosen := [item_id for item_id, _, found in items if found == act]:
            carry_out(cursor, replay, chosen)
    cursor.execute(
        "update sync_replayitem set status = %s, note = %s where id = any(%s::bigint[]) and status = %s",
        [int(Status.SKIPPED), SETTLED, ids, int(Status.PLANNED)],
    )


def _read_or_send(cursor: Any, replay: Replay, ids: list[int]) -> None:
    if replay.scope == Replay.Scope.START:
        read = reading.take_through(cursor, ids, note=str(replay))
        ids = [item_id for item_id in ids if item_id not in read]
    send(cursor, ids)


def send(cursor: Any, ids: Sequence[int]) -> None:
    """Deliveries that are stopped or wait for their next attempt are due now, with all attempts before them."""
    values = {"ids": list(ids), "states": [int(s) for s in RETRYABLE], "pending": int(DeliveryState.PENDING)}
    rows = cursor.execute(SEND, {**values, "put": int(Status.PUT)}).fetchall()
    _supersede(cursor, ids, "out")
    engine.start_all({row[0] for row in rows}, trigger=Run.Trigger.CHANGE)


def _supersede(cursor: Any, ids: Sequence[int], leg: str) -> None:
    values = {"ids": list(ids), "leg": leg, "put": int(Status.PUT), "skipped": int(Status.SKIPPED)}
    cursor.execute(SUPERSEDE.format(column=_SAME[leg]), {**values, "note": "A later replay has put it."})


def _ask(cursor: Any, replay: Replay, ids: list[int], *, safety: dict[int, Safety]) -> None:
    values = {
        "ids": ids,
        "unsure": int(DeliveryState.UNSURE),
        "doubt": int(Outcome.UNSURE),
        "never": outbox.NEVER,
        "syncs": list(safety),
        "seconds": [found.settle_seconds for found in safety.values()],
        "put": int(Status.PUT),
    }
    rows = cursor.execute(ASK, values).fetchall()
    engine.start_all({row[0] for row in rows}, trigger=Run.Trigger.CHANGE)


def _try(cursor: Any, replay: Replay, ids: list[int]) -> None:
    values = {"ids": ids, "released": int(HeldState.RELEASED), "open": [int(s) for s in OPEN_HELD]}
    rows = cursor.execute(TRY, {**values, "put": int(Status.PUT)}).fetchall()
    _supersede(cursor, ids, "in")
    engine.start_all({row[0] for row in rows}, trigger=Run.Trigger.RELEASE)


def _discard(cursor: Any, replay: Replay, ids: list[int]) -> None:
    values = {
        "ids": ids,
        "states": [int(s) for s in (DeliveryState.UNSURE, *RETRYABLE)],
        "open": [int(s) for s in OPEN_HELD],
        "discarded": int(DeliveryState.DISCARDED),
        "outcome": int(Outcome.DISCARDED),
        "detail": f"Discarded by {replay.requested_by or 'the command line'} ({replay}): {replay.reason}",
        "done": int(Status.DONE),
    }
    cursor.execute(DISCARD_OUT, values)
    cursor.execute(DISCARD_IN, values)


def _start(cursor: Any, replay: Replay, ids: list[int]) -> None:
    """The sync of a failed run reads on from the cursor that was kept, which stands before the page that failed."""
    items = ReplayItem.objects.filter(pk__in=ids).select_related("sync__mapping")
    for item in items:
        engine.start(item.sync, trigger=Run.Trigger.MANUAL, by=replay.requested_by)
    items.update(status=Status.DONE)
