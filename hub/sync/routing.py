"""Which of two outbound syncs delivers a record, by its legal entity: a higher package says so, the outbox asks.

While a firm moves from one system to another, two syncs deliver the same entity. A package that knows the routes registers
itself in its `ready()`. Routes are read where a delivery is queued and once more where it is about to be sent, each time under
a lock that a switch of the route waits for: no record is sent by a side after that side was closed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.sync.states import DeliveryState


@dataclass(frozen=True, slots=True)
class Route:
    """Whether a sync delivers: `named` by legal entity, `rest` for every other one. `other`: the sync at the other side."""

    named: Mapping[str, bool]
    rest: bool
    other: int

    def allows(self, legal_entity: Any) -> bool:
        return self.named.get("" if legal_entity is None else str(legal_entity), self.rest)


class Router(Protocol):
    def routed(self, sync_ids: Collection[int]) -> set[int]:
        """Which of these syncs have routes at all."""

    def lock(self, cursor: Any, sync_ids: Collection[int]) -> dict[int, Route]:
        """Their routes as they are now; they stay so until the transaction ends."""


_routers: list[Router] = []


def register(router: Router) -> None:
    if router not in _routers:
        _routers.append(router)


def routed(sync_ids: Collection[int]) -> set[int]:
    return {pk for router in _routers for pk in router.routed(sync_ids)} if sync_ids else set()


def lock(cursor: Any, sync_ids: Collection[int]) -> dict[int, Route]:
    """The routes of these syncs, by sync; one without is free to deliver everything."""
    return {pk: route for router in _routers for pk, route in router.lock(cursor, sync_ids).items()} if sync_ids else {}


def condition(route: Route) -> tuple[str, list[Any]]:
    """`and …` on records_canonicalrecord as c, with its values: the records that the route lets pass."""
    named, allowed = list(route.named), [name for name, is_open in route.named.items() if is_open]
    place = "coalesce(c.legal_entity, '')"
    sql = f" and ({place} = any(%s::text[]) or (%s and not {place} = any(%s::text[])))"
    return sql, [allowed, route.rest, named]


def hand_over(cursor: Any, other: int, record_ids: Sequence[int]) -> bool:
    """What a closed side may not send any more goes to the other one, unless that has confirmed this very version."""
    rows = cursor.execute(
        "insert into sync_delivery as d (sync_id, record_id, version, next_at, state, attempts)"
        " select %(sync)s, c.id, c.version, now(), 1, 0 from records_canonicalrecord c where c.id = any(%(ids)s::bigint[])"
        " and not exists (select from sync_delivery e where e.sync_id = %(sync)s and e.record_id = c.id"
        "   and (e.delivered_version = c.version or (e.version = c.version and e.state <> all(%(over)s))))"
        " and (c.deleted_at is null or exists (select from sync_delivery e where e.sync_id = %(sync)s and e.record_id = c.id"
        "   and e.delivered_version is not null))"
        " order by c.id on conflict (sync_id, record_id) do update set version = excluded.version, attempts = 0,"
        " failing_since = null, next_at = case when d.state = %(unsure)s then d.next_at else greatest(now(), d.late_until)"
        " end, state = case when d.state = %(unsure)s then d.state else excluded.state end returning d.record_id",
        {
            "sync": other,
            "ids": sorted(record_ids),
            "over": [int(DeliveryState.DELIVERED), int(DeliveryState.DISCARDED)],
            "unsure": int(DeliveryState.UNSURE),
        },
    ).fetchall()
    return bool(rows)
