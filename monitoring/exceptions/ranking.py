"""The order of the queue: amount in the firm's currency times the nearness of the deadline, and the figures of groups.

All of it is set-based and writes only rows that change, so a sweep without changes costs one reading of the open items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import psycopg

from governance.models import Firm
from hub.common.db import plain_cursor
from hub.common.money import CURRENCY_DIGITS, decimal_text
from hub.common.times import business_now, time_zone
from hub.records.rates import Rates
from monitoring.models import ExceptionItem

UNSETTLED = "('open', 'snoozed', 'retrying', 'approval')"
# overdue 8, less than four hours 4, today 3, less than two days 2, else 1
URGENCY = (
    "(case when {due} is null then 1 when {due} <= %(now)s then 8 when {due} < %(soon)s then 4"
    " when {due} < %(tomorrow)s then 3 when {due} < %(later)s then 2 else 1 end)"
)
assert {f"'{state}'" for state in ExceptionItem.UNSETTLED} == set(UNSETTLED.strip("()").split(", "))


@dataclass(frozen=True, slots=True)
class Moments:
    """Where the buckets of urgency begin, by the business clock and the firm's day."""

    now: datetime
    soon: datetime
    tomorrow: datetime
    later: datetime

    @property
    def params(self) -> dict[str, datetime]:
        return {"now": self.now, "soon": self.soon, "tomorrow": self.tomorrow, "later": self.later}


def moments(now: datetime | None = None) -> Moments:
    now = now or business_now()
    firm = Firm.objects.first()
    zone = time_zone(firm.time_zone if firm else "UTC")
    midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
    return Moments(now, now + timedelta(hours=4), midnight, now + timedelta(days=2))


def urgency_of(due_at: datetime | None, at: Moments) -> int:
    """The same in Python, for what is shown before it is stored."""
    if due_at is None:
        return 1
    steps = ((at.now, True, 8), (at.soon, False, 4), (at.tomorrow, False, 3), (at.later, False, 2))
    return next((weight for bound, or_equal, weight in steps if due_at < bound or (or_equal and due_at == bound)), 1)


def rerank(cursor: psycopg.Cursor[Any], at: Moments) -> int:
    """Give open items the urgency of now; returns how many came into another bucket."""
    urgency = URGENCY.format(due="due_at")
    cursor.execute(
        f"update monitoring_exceptionitem set urgency = {urgency}, rank = abs(coalesce(amount_firm, 0)) * {urgency}"
        f" where state in {UNSETTLED} and (urgency <> {urgency} or rank <> abs(coalesce(amount_firm, 0)) * {urgency})",
        at.params,
    )
    return cursor.rowcount


def revalue(cursor: psycopg.Cursor[Any], rates: Rates, before: Mapping[str, str]) -> int:
    """Value open items anew in currencies whose rate has changed since `before`; returns how many changed."""
    now = said(rates)
    if now == before:
        return 0
    changed = [code for code in {*now, *before} - {""} if now.get(code) != before.get(code)]
    if now.get("") != before.get(""):
        where, codes = "true", list({*now, *before} - {""})
    else:
        where, codes = "i.currency = any(%(changed)s)", changed
    rows = [(code, rates.by_currency.get(code)) for code in codes]
    cursor.execute(
        "with rate(currency, rate, day) as (select * from unnest(%(codes)s::text[], %(rates)s::numeric[], %(days)s::date[]))"
        f" update monitoring_exceptionitem i set amount_firm = v.value, rate_date = v.day from (select x.id,"
        " case when r.rate is not null then round(x.amount * r.rate, %(digits)s) end as value, r.day"
        " from monitoring_exceptionitem x left join rate r on r.currency = x.currency"
        f" where x.state in {UNSETTLED} and x.amount is not null) v where v.id = i.id and {where}"
        " and (i.amount_firm is distinct from v.value or i.rate_date is distinct from v.day)",
        {
            "codes": [code for code, _ in rows],
            "rates": [rate.rate if rate else None for _, rate in rows],
            "days": [rate.day if rate else None for _, rate in rows],
            "digits": CURRENCY_DIGITS.get(rates.currency, 2),
            "changed": changed,
        },
    )
    return cursor.rowcount


def said(rates: Rates) -> dict[str, str]:
    """The rates in texts that can be kept and compared."""
    return {"": rates.currency} | {
        code: f"{decimal_text(rate.rate)} {rate.day.isoformat() if code != rates.currency else ''}".strip()
        for code, rate in rates.by_currency.items()
    }


_FIGURES = f"""
with figures as (
  select group_id, count(*) as open_items, coalesce(sum(amount_firm), 0) as amount_firm,
    count(*) filter (where amount is not null and amount_firm is null) as unconverted,
    count(*) filter (where amount is null) as unknown,
    min(due_at) as due_at, min(opened_at) as oldest_at, sum(rank) as rank
  from monitoring_exceptionitem where state in {UNSETTLED} group by group_id)
update monitoring_exceptiongroup g set open_items = coalesce(f.open_items, 0), amount_firm = coalesce(f.amount_firm, 0),
  unconverted = coalesce(f.unconverted, 0), unknown = coalesce(f.unknown, 0),
  due_at = f.due_at, oldest_at = f.oldest_at, rank = coalesce(f.rank, 0)
from monitoring_exceptiongroup o left join figures f on f.group_id = o.id
where o.id = g.id and (g.open_items, g.amount_firm, g.unconverted, g.unknown, g.rank) is distinct from
  (coalesce(f.open_items, 0), coalesce(f.amount_firm, 0), coalesce(f.unconverted, 0), coalesce(f.unknown, 0),
    coalesce(f.rank, 0))
  or o.id = g.id and (g.due_at, g.oldest_at) is distinct from (f.due_at, f.oldest_at)
"""


def refresh_groups(cursor: psycopg.Cursor[Any]) -> int:
    """Set the figures of groups to those of their open items, where they are others; returns how many."""
    cursor.execute(_FIGURES)
    return cursor.rowcount


def refresh() -> None:
    """After people have changed items: order and figures as they are now, inside the caller's transaction."""
    with plain_cursor() as cursor:
        rerank(cursor, moments())
        refresh_groups(cursor)
