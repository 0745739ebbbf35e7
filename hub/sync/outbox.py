"""The outbox: which record's newest version waits for which outbound sync. State-based, one row per (sync, record).

The only writer of Delivery. A run of the outbound sync is the lease on its rows, so a row needs none of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from hub.common.db import join_by_key, plain_cursor, walk_in_order
from hub.records.copying import NULL, bytea, ids, text
from hub.records.queries import external_ids_by_key
from hub.sync import routing
from hub.sync.plan import Subscriber
from hub.sync.routing import Route
from hub.sync.states import DeliveryState


class Due(NamedTuple):
    """A record that is due for delivery, with what the target is known to hold."""

    record_id: int
    version: int
    key: str
    body: dict[str, Any]
    attempts: int
    cause_id: int | None
    target_ref: str | None
    delivered_version: int | None
    delivered_hash: bytes | None
    amount: str | None
    currency: str | None
    provenance_id: int
    failing_seconds: float | None = None  # since its first failure
    is_deleted: bool = False
    doubted_batch_id: int | None = None  # see hub.sync.repeats


# When a delivery is due that waits for a person. PostgreSQL's own infinity cannot be read as a date.
NEVER = "9999-01-01 00:00:00+00"


# In place of the hash of what was delivered: the target holds something else and is to hear the hub's version, be it an
# echo or not.
MUST_GO = b""


@dataclass(slots=True)
class Settlement:
    """What became of one delivery; DELIVERED is turned back into PENDING when a newer version came meanwhile.

    `target_ref` is None where the target knows the record by our key, `retry_seconds` where only a person can go on.
    `is_refused`: the target has said that it does not hold what was sent. `late_seconds`: for so long it may still carry out
    what was sent; nothing newer goes before that.
    """

    record_id: int
    version: int
    state: DeliveryState
    target_ref: str | None = None
    hash: bytes | None = None
    attempts: int = 0
    retry_seconds: float | None = 0.0
    missing_entity_id: int | None = None
    missing_key: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    is_refused: bool = False
    late_seconds: float | None = None


def enqueue_new(
    cursor: Any, subscribers: Sequence[Subscriber], records: Sequence[tuple[int, dict[str, Any], int]], now: str
) -> set[int]:
    """Outbox rows of records that were made in this transaction: (id, body, cause). Returns the syncs that got work."""
    lines: list[str] = []
    rung: set[int] = set()
    routes = _routes(cursor, subscribers) if records else {}
    for subscriber in subscribers:
        wanted = [r for r in records if subscriber.wants(r[1])] if subscriber.only_when else records
        wanted = _on_the_way(wanted, 1, subscriber, routes)
        head, tail = f"{subscriber.sync_id}\t", f"\t{now}\n"
        lines += [f"{head}{r[0]}\t1\t{r[2]}{tail}" for r in wanted]
        if wanted:
            rung.add(subscriber.sync_id)
    if lines:
        with cursor.copy("copy sync_delivery (sync_id, record_id, version, cause_id, next_at) from stdin") as copy:
            copy.write("".join(lines))
    return rung


def enqueue_changed(
    cursor: Any, subscribers: Sequence[Subscriber], records: Sequence[tuple[int, int, dict[str, Any], int]]
) -> set[int]:
    """Outbox rows of changed records: (id, version, body, cause), in id order. A row that waits gets the newer version."""
    rung: set[int] = set()
    ordered = sorted(records, key=lambda r: r[0])
    routes = _routes(cursor, subscribers) if records else {}
    for subscriber in subscribers:
        wanted = _on_the_way([r for r in ordered if subscriber.wants(r[2])], 2, subscriber, routes)
        if not wanted:
            continue
        cursor.execute(
            "insert into sync_delivery as d (sync_id, record_id, version, cause_id, next_at, state, attempts)"
            " select %s, u.id, u.version, u.cause, now(), 1, 0"
            " from unnest(%s::bigint[], %s::int[], %s::bigint[]) u(id, version, cause)"
            " on conflict (sync_id, record_id) do update set version = excluded.version, cause_id = excluded.cause_id,"
            " next_at = case when d.state = %s then d.next_at else greatest(now(), d.late_until) end,"
            " attempts = 0, failing_since = null,"
            " state = case when d.state = %s then d.state else excluded.state end",
            [
                subscriber.sync_id,
                [r[0] for r in wanted],
                [r[1] for r in wanted],
                [r[3] for r in wanted],
                # Doubt about an older version is not resolved by a newer one, nor does the target settle sooner.
                int(DeliveryState.UNSURE),
                int(DeliveryState.UNSURE),
            ],
        )
        rung.add(subscriber.sync_id)
    return rung


def _routes(cursor: Any, subscribers: Sequence[Subscriber]) -> dict[int, Route]:
    """Locked before any row of the outbox is, as a switch does it, so that neither waits for the other in a circle."""
    return routing.lock(cursor, [one.sync_id for one in subscribers if one.routed_by is not None])


def _on_the_way(
    records: Sequence[Any], place: int, subscriber: Subscriber, routes: Mapping[int, Route]
) -> Sequence[Any]:
    """The records, their bodies at `place`, that the subscriber's route lets pass."""
    route = routes.get(subscriber.sync_id)
    if route is None:
        return records
    return [record for record in records if route.allows(record[place].get(subscriber.routed_by))]


def enqueue_removed(cursor: Any, sync_ids: Sequence[int], records: Sequence[tuple[int, int, int]]) -> set[int]:
    """Outbox rows of records that are gone: (id, version, cause), for each sync whose target may hold them."""
    if not sync_ids or not records:
        return set()
    rows = cursor.execute(
        "insert into sync_delivery as d (sync_id, record_id, version, cause_id, next_at, state, attempts)"
        " select s.id, u.id, u.version, u.cause, now(), 1, 0"
        " from unnest(%(ids)s::bigint[], %(versions)s::int[], %(causes)s::bigint[]) u(id, version, cause)"
        " cross join (select y.id, m.stream_id from sync_sync y join mappings_mapping m on m.id = y.mapping_id"
        "   where y.id = any(%(syncs)s::bigint[])) s"
        " where exists (select from sync_delivery e where e.sync_id = s.id and e.record_id = u.id)"
        " or exists (select from records_crosswalk x where x.stream_id = s.stream_id and x.record_id = u.id"
        "   and x.gone_at is null)"
        " order by s.id, u.id"
        " on conflict (sync_id, record_id) do update set version = excluded.version, cause_id = excluded.cause_id,"
        " next_at = case when d.state = %(unsure)s then d.next_at else greatest(now(), d.late_until) end,"
        " attempts = 0, failing_since = null,"
        " state = case when d.state = %(unsure)s then d.state else excluded.state end returning d.sync_id",
        {
            "ids": [record[0] for record in records],
            "versions": [record[1] for record in records],
            "causes": [record[2] for record in records],
            "syncs": list(sync_ids),
            "unsure": int(DeliveryState.UNSURE),
        },
    ).fetchall()
    return {row[0] for row in rows}


def enqueue_return(cursor: Any, sync_id: int, records: Sequence[tuple[int, int, int]]) -> set[int]:
    """Outbox rows of records that the target changed against the rules: (id, version, cause); returns the ids that go.

    Only where the target is known to hold the record, so that nothing is made there. What is sent, is sent whatever the
    hub believes that the target holds.
    """
    rows = cursor.execute(
        "insert into sync_delivery as d (sync_id, record_id, version, cause_id, next_at, state, attempts, delivered_hash)"
        " select y.id, u.id, u.version, u.cause, now(), 1, 0, %(must_go)s"
        " from unnest(%(ids)s::bigint[], %(versions)s::int[], %(causes)s::bigint[]) u(id, version, cause)"
        " cross join sync_sync y join mappings_mapping m on m.id = y.mapping_id where y.id = %(sync)s and ("
        "   exists (select from records_crosswalk x where x.stream_id = m.stream_id and x.record_id = u.id"
        "     and x.gone_at is null and x.merge_id is null)"
        "   or exists (select from sync_delivery e where e.sync_id = y.id and e.record_id = u.id"
        "     and e.delivered_version is not null))"
        " order by u.id"
        " on conflict (sync_id, record_id) do update set version = greatest(d.version, excluded.version),"
        " cause_id = excluded.cause_id, delivered_hash = excluded.delivered_hash, attempts = 0, failing_since = null,"
        " next_at = case when d.state = %(unsure)s then d.next_at else greatest(now(), d.late_until) end,"
        " state = case when d.state = %(unsure)s then d.state else excluded.state end returning d.record_id",
        {
            "sync": sync_id,
            "ids": [record[0] for record in records],
            "versions": [record[1] for record in records],
            "causes": [record[2] for record in records],
            "must_go": MUST_GO,
            "unsure": int(DeliveryState.UNSURE),
        },
    ).fetchall()
    return {row[0] for row in rows}


def wanted_by(subscriber: Subscriber) -> tuple[str, list[Any]]:
    """`and …` on records_canonicalrecord as c, with its values: the records that meet the sync's condition."""
    conditions = "".join(" and lower(coalesce(c.body->>%s, '')) = any(%s::text[])" for _ in subscriber.only_when)
    pairs = [(name, [a.lower() for a in allowed]) for name, allowed in subscriber.only_when.items()]
    return conditions, [value for pair in pairs for value in pair]


def enqueue_missing(cursor: Any, subscriber: Subscriber, entity_id: int) -> int:
    """Outbox rows of records that this sync has never seen: a first load, or a condition that was widened."""
    conditions, values = wanted_by(subscriber)
    for route in routing.lock(cursor, [subscriber.sync_id]).values():
        more, given = routing.condition(route)
        conditions, values = conditions + more, values + given
    cursor.execute(
        "insert into sync_delivery (sync_id, record_id, version, next_at)"
        " select %s, c.id, c.version, now() from records_canonicalrecord c where c.entity_id = %s and c.deleted_at is null"
        " and not exists (select 1 from sync_delivery d where d.sync_id = %s and d.record_id = c.id)"
        f"{conditions} order by c.id on conflict do nothing",
        [subscriber.sync_id, entity_id, subscriber.sync_id, *values],
    )
    return int(cursor.rowcount)


def due(
    cursor: Any, sync_id: int, limit: int, *, after: int = 0, state: DeliveryState = DeliveryState.PENDING
) -> list[Due]:
    """The next rows to deliver behind the record `after`, oldest record first. Reads without locks: the run is the lease.

    With the state UNSURE: those whose target may be asked by now what became of them.

    A run goes through the records in one direction: the index keeps what was just delivered until it is vacuumed, and to
    begin from its start for every batch would read all of that again. Call inside a transaction.
    """
    join_by_key(cursor)
    walk_in_order(cursor)
    rows = cursor.execute(
        "select d.record_id, d.version, c.key, c.body::text, d.attempts, d.cause_id,"
        " case when d.delivered_version is null then d.target_ref else coalesce(d.target_ref, c.key) end, d.delivered_version,"
        " d.delivered_hash, c.amount::text, c.currency, c.provenance_id,"
        " extract(epoch from now() - d.failing_since)::float8,"
        " c.deleted_at is not null, d.doubted_batch_id"
        # A left join of a limited page can only be walked from the page; statistics of an empty table talk an inner join
        # into walking the records from the first one on.
        " from (select * from sync_delivery where sync_id = %s and state = %s and next_at <= now() and record_id > %s"
        "   order by record_id limit %s) d"
        " left join records_canonicalrecord c on c.id = d.record_id order by d.record_id",
        [sync_id, int(state), after, limit],
    ).fetchall()
    return [Due(r[0], r[1], r[2], orjson.loads(r[3]), *r[4:]) for r in rows]


def settle(cursor: Any, sync_id: int, settlements: Sequence[Settlement]) -> None:
    """Write outcomes, set-based, in id order."""
    rows = sorted(settlements, key=lambda s: s.record_id)
    _deliver(cursor, sync_id, [row for row in rows if row.state == DeliveryState.DELIVERED])
    _settle_rest(cursor, sync_id, [row for row in rows if row.state != DeliveryState.DELIVERED])


def _deliver(cursor: Any, sync_id: int, rows: Sequence[Settlement]) -> None:
    """What the target took: by COPY, because this is what happens to nearly every record."""
    if not rows:
        return
    cursor.execute(
        "create temp table if not exists settled_delivery (record_id bigint, version int, target_ref text, hash bytea)"
        " on commit delete rows"
    )
    with cursor.copy("copy settled_delivery from stdin") as copy:
        copy.write(
            "".join(
                [
                    f"{r.record_id}\t{r.version}\t{text(r.target_ref)}\t{NULL if r.hash is None else bytea(r.hash)}\n"
                    for r in rows
                ]
            )
        )
    cursor.execute(
        "update sync_delivery d set state = case when d.version = s.version then %s else %s end,"
        " target_ref = coalesce(s.target_ref, d.target_ref), delivered_version = s.version,"
        " delivered_hash = coalesce(s.hash, d.delivered_hash), attempts = 0, failing_since = null,"
        " next_at = greatest(now(), d.late_until), missing_entity_id = null, missing_key = null, error_code = null,"
        " error_detail = null, doubted_batch_id = null"
        " from settled_delivery s where d.sync_id = %s and d.record_id = s.record_id",
        [int(DeliveryState.DELIVERED), int(DeliveryState.PENDING), sync_id],
    )


def _settle_rest(cursor: Any, sync_id: int, rows: Sequence[Settlement]) -> None:
    if not rows:
        return
    cursor.execute(
        "update sync_delivery d set"
        " state = u.state, attempts = u.attempts,"
        " late_until = greatest(d.late_until, now() + make_interval(secs => u.late_seconds)),"
        " next_at = coalesce(greatest(now() + make_interval(secs => u.retry_seconds),"
        # what was sent is not the newest any more, and is not sent once more before it
        "  case when u.retry_seconds is not null and u.version < d.version and d.doubted_batch_id is null"
        "   then greatest(d.late_until, now() + make_interval(secs => u.late_seconds)) end), %(never)s),"
        " failing_since = case when u.state = any(%(failing)s) then coalesce(d.failing_since, now()) end,"
        " missing_entity_id = u.missing_entity_id, missing_key = u.missing_key,"
        " error_code = u.error_code, error_detail = u.error_detail,"
        " doubted_batch_id = case when not u.refused then d.doubted_batch_id end"
        " from unnest(%(ids)s::bigint[], %(states)s::smallint[], %(attempts)s::smallint[], %(retries)s::float8[],"
        " %(entities)s::int[], %(keys)s::text[], %(codes)s::text[], %(details)s::text[], %(refused)s::bool[],"
        " %(versions)s::int[], %(late)s::float8[])"
        " u(record_id, state, attempts, retry_seconds, missing_entity_id, missing_key, error_code, error_detail,"
        " refused, version, late_seconds)"
        " where d.sync_id = %(sync)s and d.record_id = u.record_id",
        {
            "sync": sync_id,
            "never": NEVER,
            "failing": [int(DeliveryState.PENDING), int(DeliveryState.DEAD)],
            "ids": [s.record_id for s in rows],
            "states": [int(s.state) for s in rows],
            "attempts": [s.attempts for s in rows],
            "retries": [s.retry_seconds for s in rows],
            "entities": [s.missing_entity_id for s in rows],
            "keys": [s.missing_key for s in rows],
            "codes": [s.error_code for s in rows],
            "details": [s.error_detail for s in rows],
            "refused": [s.is_refused for s in rows],
            "versions": [s.version for s in rows],
            "late": [s.late_seconds for s in rows],
        },
    )


def send_again(cursor: Any, sync_id: int, refs: Mapping[int, str | None]) -> None:
    """Doubtful rows of which the target has now told what it holds are due: canonical id → its id there, None for none."""
    cursor.execute(
        "update sync_delivery d set state = %s, next_at = now(), late_until = null, target_ref = coalesce(u.ref, d.target_ref)"
        " from unnest(%s::bigint[], %s::text[]) u(id, ref)"
        " where d.sync_id = %s and d.record_id = u.id and d.state = %s",
        [int(DeliveryState.PENDING), ids(refs), list(refs.values()), sync_id, int(DeliveryState.UNSURE)],
    )


def expect_late(cursor: Any, sync_id: int, versions: Mapping[int, int], *, seconds: float) -> None:
    """Nobody heard the answer to these (canonical id → version sent): what is newer goes when they cannot arrive any more."""
    if not versions:
        return
    cursor.execute(
        "update sync_delivery d set late_until = now() + make_interval(secs => %(seconds)s),"
        " next_at = case when d.state = %(pending)s and d.version > u.version"
        "   then greatest(d.next_at, now() + make_interval(secs => %(seconds)s)) else d.next_at end"
        " from unnest(%(ids)s::bigint[], %(versions)s::int[]) u(id, version)"
        " where d.sync_id = %(sync)s and d.record_id = u.id",
        {
            "seconds": seconds,
            "pending": int(DeliveryState.PENDING),
            "ids": ids(versions),
            "versions": ids(versions.values()),
            "sync": sync_id,
        },
    )


def postpone_doubts(cursor: Any, sync_id: int, *, seconds: float | None) -> None:
    """Ask again later what became of the doubtful rows that are due; with None only a person can tell."""
    when, values = ("now() + make_interval(secs => %s)", [seconds]) if seconds is not None else ("%s", [NEVER])
    cursor.execute(
        f"update sync_delivery set next_at = {when} where sync_id = %s and state = %s and next_at <= now()",
        [*values, sync_id, int(DeliveryState.UNSURE)],
    )


def refs_at(stream_id: int, entity_id: int, keys: Collection[str]) -> dict[str, str]:
    """canonical key → the id at a target stream: from reading it, or from what was delivered to it."""
    found = external_ids_by_key(stream_id, entity_id, keys)
    missing = [key for key in keys if key not in found]
    if not missing:
        return found
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select c.key, coalesce(d.target_ref, c.key) from records_canonicalrecord c"
            " join sync_sync s on true join mappings_mapping m on m.id = s.mapping_id and m.stream_id = %s"
            " join sync_delivery d on d.sync_id = s.id and d.record_id = c.id and d.delivered_version is not null"
            " where c.entity_id = %s and c.key = any(%s)",
            [stream_id, entity_id, missing],
        ).fetchall()
    return {**found, **dict(rows)}


def release_waiting(cursor: Any, entity_id: int, keys: Iterable[str], *, connection_id: int) -> list[int]:
    """Deliveries at a connection that waited for one of these parents become due; returns their syncs."""
    if not _anyone_waits(cursor, entity_id):
        return []
    rows = cursor.execute(
        "update sync_delivery d set state = %s, next_at = greatest(now(), d.late_until), missing_key = null,"
        " missing_entity_id = null"
        " where d.state = %s and d.missing_entity_id = %s and d.missing_key = any(%s) and d.sync_id in ("
        " select s.id from sync_sync s join mappings_mapping m on m.id = s.mapping_id"
        " join connectors_stream t on t.id = m.stream_id where t.connection_id = %s) returning d.sync_id",
        [int(DeliveryState.PENDING), int(DeliveryState.WAITING), entity_id, list(keys), connection_id],
    ).fetchall()
    return sorted({row[0] for row in rows})


def _anyone_waits(cursor: Any, entity_id: int) -> bool:
    """Mostly nobody does, and asking is cheaper than looking for a whole batch of keys."""
    row = cursor.execute(
        "select 1 from sync_delivery where state = %s and missing_entity_id = %s limit 1",
        [int(DeliveryState.WAITING), entity_id],
    ).fetchone()
    return row is not None
