"""What happened to records, as observations: when something began that is promised, and when it was done.

Every statement is bounded: it counts first, and looks at an even sample of records where there are more than `MOST`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import transaction

from governance.service_levels.promise import Verdict
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.sync.states import DeliveryState, Outcome
from monitoring.service_levels.scope import Scope

MOST = 20_000
TIMEOUT_SECONDS = 30
# What a delivery that came to rest at its target leaves in the ledger.
ARRIVED = [Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DEACTIVATED, Outcome.CLOSED]
OPEN = [
    DeliveryState.PENDING,
    DeliveryState.UNSURE,
    DeliveryState.WAITING,
    DeliveryState.HELD,
    DeliveryState.DEAD,
]


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when (None: not done yet) for one record; `cause_id` is the ledger row that began it."""

    start: datetime
    end: datetime | None
    record_id: int
    key: str
    cause_id: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A span, or a day, with what became of the promise; `taken` is business time, or how late the day was."""

    start: datetime
    end: datetime | None
    verdict: Verdict
    taken: timedelta
    title: str
    record_id: int | None = None
    cause_id: int | None = None


@dataclass(slots=True)
class Sample:
    """The spans that were looked at; 1 record of `step` was."""

    spans: list[Span] = field(default_factory=list)
    step: int = 1


def latency(scope: Scope, condition: Mapping[str, Sequence[str]], since: datetime, until: datetime) -> Sample:
    """From the change that asked for a delivery until it arrived; what is still on its way is open."""
    asked = {"ins": scope.ins, "outs": scope.outs, "since": since, "until": until}
    counted = (
        "select count(*) from sync_transaction o where o.sync_id = any(%(outs)s) and o.outcome = any(%(arrived)s)"
        " and o.at >= %(since)s"
    )
    arrived = (
        "with arrived as materialized (select o.sync_id, o.record_id, o.correlation_id, min(o.at) as at from sync_transaction o"
        " where o.sync_id = any(%(outs)s) and o.outcome = any(%(arrived)s) and o.at >= %(since)s"
        f" and {_sampled('o.record_id')} group by 1, 2, 3)"
        f" select c.at, a.at, r.id, r.key, c.id from arrived a {_caused_by('a.correlation_id')}"
        " join records_canonicalrecord r on r.id = a.record_id"
    )
    waiting = (
        f"select c.at, null::timestamptz, r.id, r.key, c.id from sync_delivery d {_caused_by('d.cause_id')}"
        " join records_canonicalrecord r on r.id = d.record_id"
        f" where d.sync_id = any(%(outs)s) and d.state = any(%(open)s) and {_sampled('d.record_id')} and {{caused}}"
    )
    caused = "c.at < %(until)s and c.sync_id = any(%(ins)s)"
    where, values = condition_sql(condition)
    sql = f"{arrived} where {caused}{where} union all {waiting.format(caused=caused)}{where}"
    return _read(counted, sql, asked | values)


def completeness(scope: Scope, condition: Mapping[str, Sequence[str]], since: datetime, until: datetime) -> Sample:
    """Records that changed last in this time: done where the newest version is at every target that it goes to.

    One that was never queued for a target is missing like any other; one that a person discarded is left out.
    """
    where, values = condition_sql(condition)
    if scope.has_source:
        where += " and exists (select 1 from records_crosswalk x where x.record_id = r.id and x.stream_id = any(%(streams)s))"
    rows = (
        " from records_canonicalrecord r where r.entity_id = any(%(entities)s) and r.deleted_at is null"
        f" and r.updated_at >= %(since)s and r.updated_at < %(until)s{where}"
    )
    there = (
        "(select count(*) filter (where d.state = %(delivered)s) = cardinality(%(outs)s::bigint[])"
        " from sync_delivery d where d.record_id = r.id and d.sync_id = any(%(outs)s))"
    )
    discarded = (
        " and not exists (select 1 from sync_delivery d where d.record_id = r.id and d.sync_id = any(%(outs)s)"
        " and d.state = %(discarded)s)"
    )
    sql = (
        f"select r.updated_at, case when {there} then r.updated_at end, r.id, r.key, null::bigint{rows}{discarded}"
        f" and {_sampled('r.id')}"
    )
    asked = {"entities": scope.entities, "outs": scope.outs, "streams": scope.streams, "since": since, "until": until}
    return _read(f"select count(*){rows}", sql, asked | values)


def durations(scope: Scope, condition: Mapping[str, Sequence[str]], since: datetime, until: datetime) -> Sample:
    """From the first sight of a new record until it had arrived, once, at every system that it is delivered to."""
    born = (
        " from sync_transaction t where t.sync_id = any(%(ins)s) and t.outcome = %(created)s"
        " and t.at >= %(since)s and t.at < %(until)s"
    )
    where, values = condition_sql(condition)
    reached = (
        "select o.sync_id, min(o.at) as at from sync_transaction o where o.record_id = b.record_id"
        " and o.sync_id = any(%(outs)s) and o.outcome = any(%(arrived)s) and o.at >= %(since)s group by 1"
    )
    wanted = "select count(*) from sync_delivery d where d.record_id = b.record_id and d.sync_id = any(%(outs)s)"
    sql = (
        f"with born as materialized (select t.record_id, min(t.at) as at, min(t.id) as id{born}"
        f" and {_sampled('t.record_id')} group by 1)"
        f" select b.at, case when f.systems >= ({wanted}) then f.at end, r.id, r.key, b.id from born b"
        f" cross join lateral (select count(*) as systems, max(reached.at) as at from ({reached}) reached) f"
        " join records_canonicalrecord r on r.id = b.record_id where true" + where
    )
    asked = {"ins": scope.ins, "outs": scope.outs, "since": since, "until": until}
    return _read(f"select count(*){born}", sql, asked | values)


def _caused_by(column: str) -> str:
    """The ledger row of an id, looked up one by one: the planner would rather read months of the ledger once for each."""
    rows = f"select c.at, c.id, c.sync_id from sync_transaction c where c.id = {column} and c.at >= %(since)s offset 0"
    return f"cross join lateral ({rows}) c"


def _sampled(column: str) -> str:
    """One record of %(step)s, chosen by its id alone: the same ones each time, and evenly."""
    return f"(%(step)s = 1 or mod(hashint8({column})::bigint & 2147483647, %(step)s) = 0)"


def condition_sql(condition: Mapping[str, Sequence[str]]) -> tuple[str, dict[str, Any]]:
    """The record as it stands now has one of these values in each field."""
    where = ""
    values: dict[str, Any] = {}
    for number, (name, allowed) in enumerate(condition.items()):
        where += f" and r.body ->> %(field{number})s = any(%(values{number})s)"
        values |= {f"field{number}": name, f"values{number}": list(allowed)}
    return where, values


def _read(count: str, sql: str, asked: dict[str, Any]) -> Sample:
    asked = {
        **asked,
        "arrived": [int(outcome) for outcome in ARRIVED],
        "open": [int(state) for state in OPEN],
        "created": int(Outcome.CREATED),
        "delivered": int(DeliveryState.DELIVERED),
        "discarded": int(DeliveryState.DISCARDED),
    }
    try:
        with transaction.atomic(), plain_cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, true)", [f"{TIMEOUT_SECONDS}s"])
            row = cursor.execute(count, asked).fetchone()
            step = max(1, -(-(row[0] if row else 0) // MOST))
            rows = cursor.execute(sql, {**asked, "step": step}).fetchall()
            cursor.execute("select set_config('statement_timeout', '0', true)")
    except psycopg.errors.QueryCanceled:
        raise ConfigError(
            f"The history could not be read within {TIMEOUT_SECONDS} seconds.",
            fix="Ask for fewer days.",
            code="HISTORY_TIMEOUT",
        ) from None
    return Sample([Span(*found) for found in rows], step)
