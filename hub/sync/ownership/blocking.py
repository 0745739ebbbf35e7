"""What becomes of values that a system may not set, in the transaction of the page that offered them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from governance.arbitration import Blocked, Decision
from governance.ownership.rules import IGNORE, QUARANTINE, REVERT, REVIEW
from hub.common.errors import MissingReference
from hub.common.records import Record
from hub.records.copying import ids, json_bytes
from hub.sync.models import BlockedValue
from hub.sync.ownership import returning
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Item, Problem

State = BlockedValue.State
# States that end when the system says what the hub holds.
UNSETTLED = (State.OPEN, State.SENT_BACK, State.STUCK)
# A value that came back as often as this is not sent back again: two systems would talk for ever.
MOST_RETURNS = 3


FIRST = {
    IGNORE: State.IGNORED,
    QUARANTINE: State.OPEN,
    REVIEW: State.OPEN,
    REVERT: State.SENT_BACK,
}
TIRED = f"The system offers it again although the hub's value was sent back {MOST_RETURNS} times."
_SAME = "b.offered is not distinct from excluded.offered and b.kept is not distinct from excluded.kept"
KEEP = f"""
insert into sync_blockedvalue as b (entity_id, system_id, sync_id, run_id, record_id, field, offered, kept, rule, policy,
  state, transaction_id, external_id, amount, currency, times, first_at, last_at)
select %(entity)s, %(system)s, %(sync)s, %(run)s, u.record_id, u.field, u.offered::jsonb, u.kept::jsonb, u.rule, u.policy,
  u.state, u.transaction_id, u.external_id, u.amount::numeric, u.currency, 1, now(), now()
from unnest(%(records)s::bigint[], %(fields)s::text[], %(offered)s::text[], %(kept)s::text[], %(rules)s::text[],
  %(policies)s::text[], %(states)s::smallint[], %(transactions)s::bigint[], %(externals)s::text[], %(amounts)s::text[],
  %(currencies)s::text[]) u(record_id, field, offered, kept, rule, policy, state, transaction_id, external_id, amount, currency)
on conflict (record_id, field, system_id) do update set
  state = case when b.state = %(kept_state)s and {_SAME} then b.state else excluded.state end,
  times = case when b.offered is not distinct from excluded.offered then b.times + 1 else 1 end,
  first_at = case when b.offered is not distinct from excluded.offered then b.first_at else excluded.first_at end,
  decided_at = case when b.state = %(kept_state)s and {_SAME} then b.decided_at end,
  decided_by_id = case when b.state = %(kept_state)s and {_SAME} then b.decided_by_id end,
  reason = case when b.state = %(kept_state)s and {_SAME} then b.reason else '' end,
  offered = excluded.offered, kept = excluded.kept, rule = excluded.rule, policy = excluded.policy, note = '',
  sync_id = excluded.sync_id, run_id = excluded.run_id, transaction_id = excluded.transaction_id,
  external_id = excluded.external_id, amount = excluded.amount, currency = excluded.currency, last_at = excluded.last_at
returning b.id, b.record_id, b.field, b.state, b.times
"""


@dataclass(slots=True)
class Offer:
    """One record of the page that met the rules: the canonical one as it stands now, and what was stopped.

    `transaction_id` is its ledger row; 0 where nothing happened that would have one.
    """

    item: Item
    record_id: int
    version: int
    body: Record
    transaction_id: int
    blocked: tuple[Blocked, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A stopped value with the row that keeps it."""

    id: int
    state: int
    times: int
    offer: Offer
    blocked: Blocked


class AwaitsOwner(MissingReference):
    """A new record that cannot stand without a value that only another system may set: it waits until that one brings it."""

    code = "NOT_OWNER"

    def __init__(self, field: str, entity: str, key: str, *, system: str, rule: str) -> None:
        super().__init__(field, entity, key)
        self.what = f"{system} may not set {field}, which a new record needs."
        self.fix = f"It is taken in when the owner has brought the record. See the rule {rule}."


def why_waiting(plan: SyncPlan, item: Item, decision: Decision) -> Problem | None:
    """Why a new record cannot be made of what its system may set; None where it can."""
    if plan.contract.passes(decision.body):
        return None
    needed = next((one for one in decision.blocked if _is_needed(plan, decision, one)), decision.blocked[0])
    error = AwaitsOwner(needed.field, plan.entity.slug, item.key, system=plan.connection.system.name, rule=needed.rule)
    return Problem(item.position, item.record, item.external_id, error, key=item.key)


def _is_needed(plan: SyncPlan, decision: Decision, one: Blocked) -> bool:
    """Whether this value alone would be missed."""
    others = {other.field: other.offered for other in decision.blocked if other.field != one.field}
    return not plan.contract.passes({**decision.body, **others})


def orphans(plan: SyncPlan, items: Sequence[Item], gone: set[str]) -> dict[int, Problem]:
    """Records of the page whose parent of the same kind waits for its owner, or for such a parent itself, by position."""
    streams = {r.target: r.stream_id for r in plan.references if r.entity_id == plan.entity.pk}
    missing, found = set(gone), dict[int, Problem]()
    while True:
        lost = [
            (item, target)
            for item in items
            for target in streams
            if item.position not in found and target in item.parents and item.body.get(target) in missing
        ]
        if not lost:
            return found
        for item, target in lost:
            error = MissingReference(target, plan.entity.slug, item.parents[target], stream_id=streams[target])
            found[item.position] = Problem(item.position, item.record, item.external_id, error, key=item.key)
        missing |= {item.key for item, _ in lost if item.record_id is None}


def settle(cursor: Any, plan: SyncPlan, run_id: int, offers: Sequence[Offer]) -> set[int]:
    """Keep what was stopped, send back what is to be sent back, and close what agrees; the outbound syncs with work."""
    _agree(cursor, plan, offers)
    _look_again(cursor, plan, offers)
    stopped = [(offer, one) for offer in offers for one in offer.blocked]
    if not stopped:
        return set()
    kept = _keep(cursor, plan, run_id, stopped)
    going = [one for one in kept if one.state == State.SENT_BACK]
    tired = [(one.id, TIRED) for one in going if one.times > MOST_RETURNS]
    set_state(cursor, State.OPEN, tired)
    rung, stuck = returning.send_back(cursor, plan, [one for one in going if one.times <= MOST_RETURNS])
    set_state(cursor, State.STUCK, stuck)
    return rung


def _keep(cursor: Any, plan: SyncPlan, run_id: int, stopped: Sequence[tuple[Offer, Blocked]]) -> list[Kept]:
    """One row a cell. What was decided about a value holds while the same value is offered against the same one."""
    cells = {(offer.record_id, one.field): (offer, one) for offer, one in stopped}
    ordered = [cells[cell] for cell in sorted(cells)]
    money = [_money(plan, offer) for offer, _ in ordered]
    rows = cursor.execute(
        KEEP,
        {
            "entity": plan.entity.pk,
            "system": plan.connection.system_id,
            "sync": plan.sync.pk,
            "run": run_id,
            "kept_state": int(State.KEPT),
            "records": ids(offer.record_id for offer, _ in ordered),
            "fields": [one.field for _, one in ordered],
            "offered": [_json(one.offered) for _, one in ordered],
            "kept": [_json(one.kept) for _, one in ordered],
            "rules": [one.rule for _, one in ordered],
            "policies": [one.policy for _, one in ordered],
            "states": [int(FIRST[one.policy]) for _, one in ordered],
            "transactions": ids(offer.transaction_id for offer, _ in ordered),
            "externals": [offer.item.external_id for offer, _ in ordered],
            "amounts": [amount for amount, _ in money],
            "currencies": [currency for _, currency in money],
        },
    ).fetchall()
    known = {(row[1], row[2]): row for row in rows}
    found = [(known[offer.record_id, one.field], offer, one) for offer, one in ordered]
    return [Kept(row[0], row[3], row[4], offer, one) for row, offer, one in found]


def _json(value: Any) -> str | None:
    return None if value is None else json_bytes(value).decode()


def _money(plan: SyncPlan, offer: Offer) -> tuple[str | None, str | None]:
    """The amount of the record as the hub holds it, or as it was offered."""
    markers, body = plan.contract.markers, offer.body
    found = [
        offer.item.body.get(n) if body.get(n) in (None, "") else body[n] for n in (markers.amount, markers.currency)
    ]
    return (str(found[0]) if found[0] not in (None, "") else None), (str(found[1]) if found[1] else None)


def set_state(cursor: Any, state: BlockedValue.State, rows: Sequence[tuple[int, str]]) -> None:
    """(id, note) of kept values that end in another state than their policy said."""
    if rows:
        cursor.execute(
            "update sync_blockedvalue b set state = %s, note = u.note"
            " from unnest(%s::bigint[], %s::text[]) u(id, note) where b.id = u.id",
            [int(state), [row[0] for row in rows], [row[1] for row in rows]],
        )


def _agree(cursor: Any, plan: SyncPlan, offers: Sequence[Offer]) -> None:
    """Close what a system does not say any more, and what the hub has taken over from elsewhere meanwhile."""
    by_record = {offer.record_id: offer for offer in offers}
    rows = cursor.execute(
        "select id, record_id, field, system_id, offered::text from sync_blockedvalue"
        " where record_id = any(%s::bigint[]) and state = any(%s)",
        [ids(by_record), [int(state) for state in UNSETTLED]],
    ).fetchall()
    settled = [
        row[0] for row in rows if _agrees(by_record[row[1]], row[2], row[3] == plan.connection.system_id, row[4])
    ]
    if settled:
        cursor.execute(
            "update sync_blockedvalue set state = %s, last_at = now() where id = any(%s::bigint[])",
            [int(State.AGREED), ids(settled)],
        )


def _agrees(offer: Offer, field: str, is_ours: bool, offered: str | None) -> bool:
    if is_ours:
        return field in offer.item.body and field not in {one.field for one in offer.blocked}
    return field in offer.changed and offered is not None and orjson.loads(offered) == offer.body.get(field)


def _look_again(cursor: Any, plan: SyncPlan, offers: Sequence[Offer]) -> None:
    """Where a condition is about a field that has changed, others may own the record now: what they show next counts."""
    assert plan.lens is not None
    turned = [offer.record_id for offer in offers if plan.lens.condition_fields.intersection(offer.changed)]
    if turned:
        cursor.execute(
            "update records_crosswalk set hash = ''::bytea where record_id = any(%s::bigint[]) and stream_id <> %s",
            [ids(turned), plan.stream_id],
        )
