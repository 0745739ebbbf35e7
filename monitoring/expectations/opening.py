"""Expectations of records: opened from what the ledger says was made or changed, whether or not anything was queued for it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import psycopg

from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from hub.common.money import CURRENCY_DIGITS
from hub.records.rates import Rates, rates_on
from hub.sync.states import Outcome
from monitoring.expectations.terms import Terms
from monitoring.service_levels.observing import condition_sql
from monitoring.service_levels.scope import Scope

BEGINS = {
    Measure.LATENCY: [Outcome.CREATED, Outcome.UPDATED],
    Measure.COMPLETENESS: [Outcome.CREATED, Outcome.UPDATED],
    Measure.DURATION: [Outcome.CREATED],
}
_BEGAN = " t.sync_id = any(%(ins)s) and t.outcome = any(%(begins)s) and t.at >= %(low)s and t.at < %(high)s"
_COLUMNS = (
    "service_level_id, domain_id, entity_id, system_id, sync_id, subject_id, cause_id, record_id, version, key, client,"
    " project, period, legal_entity, amount, currency, amount_firm, state, note, opened_at, warn_at, due_at"
)


def open_from_ledger(
    cursor: psycopg.Cursor[Any], level: ServiceLevel, scope: Scope, terms: Terms, low: datetime, high: datetime | str
) -> int:
    """Open what began from `low` until `high`, once each; returns how many are new. One statement, whatever the number."""
    asked = {
        "ins": scope.ins,
        "begins": [int(outcome) for outcome in BEGINS[Measure(level.measure)]],
        "low": low,
        "high": high,
    }
    # Planned anew each time: see `telling.told`.
    starts = cursor.execute(
        f"select distinct t.at from sync_transaction t where{_BEGAN}", asked, prepare=False
    ).fetchall()
    if not starts:
        return 0
    dated = terms.deadlines(row[0] for row in starts)
    where, values = condition_sql(level.condition)
    cursor.execute(
        f"insert into monitoring_expectation ({_COLUMNS})"
        " select %(level)s, %(domain)s, r.entity_id, %(system)s, %(sync)s, r.id, t.id, r.id, coalesce(t.version, r.version),"
        " r.key, coalesce(r.customer, ''), coalesce(r.project, ''), coalesce(r.period, ''), coalesce(r.legal_entity, ''),"
        " r.amount, coalesce(r.currency, ''), round(r.amount * fx.rate, %(digits)s), 'open', '', t.at, d.warn_at, d.due_at"
        " from sync_transaction t"
        " join unnest(%(starts)s::timestamptz[], %(warns)s::timestamptz[], %(dues)s::timestamptz[]) d(at, warn_at, due_at)"
        "   on d.at = t.at"
        " join records_canonicalrecord r on r.id = t.record_id"
        " left join unnest(%(currencies)s::text[], %(rates)s::numeric[]) fx(currency, rate) on fx.currency = r.currency"
        f" where{_BEGAN} and r.deleted_at is null{where} on conflict do nothing",
        {**asked, **values, **_owner(level, scope), **_money(rates_on()), **_columns(dated)},
        prepare=False,
    )
    return cursor.rowcount


def _owner(level: ServiceLevel, scope: Scope) -> dict[str, Any]:
    only = scope.outs[0] if len(scope.outs) == 1 else None
    return {"level": level.pk, "domain": level.domain_id, "system": level.target_id, "sync": only}


def _columns(dated: list[tuple[datetime, datetime, datetime]]) -> dict[str, Any]:
    starts, warns, dues = (list(column) for column in zip(*dated, strict=True))
    return {"starts": starts, "warns": warns, "dues": dues}


def _money(rates: Rates) -> dict[str, Any]:
    """What every currency is worth to the firm, so that amounts are converted as `Rates.value` does it."""
    known = rates.by_currency
    return {
        "currencies": list(known),
        "rates": [rate.rate for rate in known.values()],
        "digits": CURRENCY_DIGITS.get(rates.currency, 2),
    }


def retime(cursor: psycopg.Cursor[Any], level: ServiceLevel, terms: Terms) -> int:
    """Give what is not decided yet the deadlines of changed terms: another calendar, or other limits."""
    rows = cursor.execute(
        "select distinct opened_at from monitoring_expectation where service_level_id = %s and state in ('open', 'warned')",
        [level.pk],
    ).fetchall()
    if not rows:
        return 0
    cursor.execute(
        "update monitoring_expectation e set warn_at = d.warn_at, due_at = d.due_at, state = 'open'"
        " from unnest(%(starts)s::timestamptz[], %(warns)s::timestamptz[], %(dues)s::timestamptz[]) d(at, warn_at, due_at)"
        " where e.service_level_id = %(level)s and e.state in ('open', 'warned') and e.opened_at = d.at"
        " and (e.warn_at, e.due_at) is distinct from (d.warn_at, d.due_at)",
        {"level": level.pk, **_columns(terms.deadlines(row[0] for row in rows))},
    )
    return cursor.rowcount


def days_of(cursor: psycopg.Cursor[Any], level: ServiceLevel, zone: str, low: datetime) -> set[date]:
    """The days on which what was opened since `low` began."""
    rows = cursor.execute(
        "select distinct (opened_at at time zone %s)::date from monitoring_expectation"
        " where service_level_id = %s and opened_at >= %s",
        [zone, level.pk, low],
    ).fetchall()
    return {row[0] for row in rows}
