"""The pace of each connection in PostgreSQL: slots for requests, a stop that the system asked for, and shares of "at once".

A slot is a moment at which one request may start. Slots of a connection stand one gap apart whoever takes them, so that all
workers together keep the rate.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection as database
from django.db import transaction

from connectors.models import Circuit


class View(NamedTuple):
    """What a worker has to know before it goes on: the circuit, and seconds until a stop that was asked for ends."""

    state: str
    failures: int
    stop_seconds: float


def view(connection_id: int) -> View:
    with database.cursor() as cursor:
        cursor.execute(
            "select k.state, k.failures, extract(epoch from p.stopped_until - now())::float8 from (select %s::bigint id) c"
            " left join connectors_circuit k on k.connection_id = c.id left join connectors_pace p on p.connection_id = c.id",
            [connection_id],
        )
        state, failures, stop = cursor.fetchone()
    return View(state or Circuit.State.CLOSED.value, failures or 0, max(stop or 0.0, 0.0))


def reserve(connection_id: int, number: int, *, gap: float, longest_wait: float) -> float | None:
    """Take the next `number` slots; seconds until the first. None, and nothing taken, when that is too far away."""
    with database.cursor() as cursor:
        cursor.execute(
            "insert into connectors_pace as p (connection_id, next_at)"
            " values (%(id)s, clock_timestamp() + make_interval(secs => %(whole)s))"
            " on conflict (connection_id) do update set next_at = greatest(clock_timestamp(), p.next_at, p.stopped_until)"
            "   + make_interval(secs => %(whole)s)"
            " where greatest(p.next_at, p.stopped_until, clock_timestamp())"
            "   <= clock_timestamp() + make_interval(secs => %(longest)s)"
            " returning extract(epoch from next_at - clock_timestamp())::float8 - %(whole)s",
            {"id": connection_id, "whole": number * gap, "longest": longest_wait},
        )
        row = cursor.fetchone()
    return max(float(row[0]), 0.0) if row else None


def stop(connection_id: int, seconds: float) -> None:
    """Nobody calls the connection before that many seconds have passed; a longer stop stays."""
    with database.cursor() as cursor:
        cursor.execute(
            "insert into connectors_pace as p (connection_id, stopped_until)"
            " values (%s, clock_timestamp() + make_interval(secs => %s))"
            " on conflict (connection_id) do update set stopped_until = greatest(p.stopped_until, excluded.stopped_until)",
            [connection_id, seconds],
        )


class Share(NamedTuple):
    """How many requests at once this worker may have, and how many others want some."""

    number: int
    others: int


@transaction.atomic
def claim_share(connection_id: int, holder: str, *, limit: int, in_flight: int, lease_seconds: float) -> Share:
    """Take, or keep, a fair part of what may be in flight; never less than what is in flight already.

    The parts of all holders together never exceed `limit`. A part of 0 makes the others leave room.
    """
    with database.cursor() as cursor:
        cursor.execute(
            "insert into connectors_pace (connection_id) values (%s) on conflict do nothing", [connection_id]
        )
        cursor.execute("select 1 from connectors_pace where connection_id = %s for update", [connection_id])
        cursor.execute(
            "delete from connectors_paceshare where connection_id = %s and lease_until < clock_timestamp()",
            [connection_id],
        )
        cursor.execute(
            "select count(*), coalesce(sum(number), 0) from connectors_paceshare where connection_id = %s and holder <> %s",
            [connection_id, holder],
        )
        others, taken = cursor.fetchone()
        fair = limit if not others else max(1, limit // (others + 1))
        number = max(in_flight, min(fair, limit - taken), 0)
        cursor.execute(
            "insert into connectors_paceshare (connection_id, holder, number, lease_until)"
            " values (%s, %s, %s, clock_timestamp() + make_interval(secs => %s)) on conflict (connection_id, holder)"
            " do update set number = excluded.number, lease_until = excluded.lease_until",
            [connection_id, holder, number, lease_seconds],
        )
    return Share(number, others)


def give_back_share(connection_id: int, holder: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "delete from connectors_paceshare where connection_id = %s and holder = %s", [connection_id, holder]
        )
