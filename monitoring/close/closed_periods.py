"""Postings that came when their period was closed: each is put before people, with the choices that there are.

A record came late when it was approved (accepted, issued; else last changed) after its period was closed or frozen. It is no
longer late once it is billed or delivered, or somebody has decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction

from hub.common.db import plain_cursor
from hub.common.display import as_instant, date_text
from hub.sync.states import DeliveryState
from monitoring.close.books import Book, books
from monitoring.close.scope import DAYS
from monitoring.exceptions import intake
from monitoring.exceptions.intake import Found
from monitoring.models import ExceptionItem, LatePolicy

CAUSE = "closed-period"
ENTITIES = ("time_entry", "expense", "milestone", "invoice")
# Words of a record's status that mean it is meant to be posted.
FINAL = ("approved", "accepted", "completed", "issued")
UNBILLED = ("unbilled", "on_hold", "ready")
SECONDS = 60

_DAY = "left(coalesce(" + ", ".join(f"nullif(r.body ->> '{name}', '')" for name in DAYS) + "), 10)"
_AT = (
    "coalesce("
    + ", ".join(f"nullif(r.body ->> '{name}', '')" for name in ("approved_at", "accepted_at", "issued_at"))
    + ", nullif(r.body ->> 'source_updated_at', ''))"
)
# What is stuck at a target is put before people as a delivery; here it would be a second time.
_SQL = f"""
with shut as (
  select * from unnest(%(entities)s::text[], %(periods)s::text[], %(starts)s::text[], %(ends)s::text[],
    %(instants)s::timestamptz[]) as s(legal_entity, period, start_day, end_day, shut_at)
), final as (
  select r.id, r.version, r.key, r.entity_id, r.project, r.customer, r.period, r.amount, r.currency, r.body,
    r.updated_at, {_DAY} as day, {_AT} as arrived, coalesce(nullif(r.legal_entity, ''), p.legal_entity) as legal_entity
  from records_canonicalrecord r
  left join records_canonicalrecord p on p.key = r.project
    and p.entity_id = (select id from governance_entity where slug = 'project')
  where r.entity_id = any(%(ids)s) and r.deleted_at is null and r.body ->> 'status' = any(%(final)s)
)
select f.id, f.key, f.entity_id, f.project, f.customer, s.legal_entity, s.period, f.amount, f.currency, f.body, f.day,
  f.arrived, f.updated_at
from final f join shut s on s.legal_entity = f.legal_entity
  and (f.period = s.period or (f.period is null and f.day between s.start_day and s.end_day))
where ((f.body ->> 'billing_status' = any(%(unbilled)s) and f.body ->> 'is_billable' is distinct from 'false') or exists (
    select 1 from sync_delivery d where d.record_id = f.id and d.state = %(pending)s))
  and not exists (select 1 from sync_delivery d where d.record_id = f.id and d.state = any(%(stuck)s))
  and not exists (select 1 from monitoring_latedecision l where l.record_id = f.id and l.ended_at is null
    and l.version = f.version and l.choice = any(%(settled)s))
order by f.id
"""


@intake.origin(ExceptionItem.Origin.PERIOD)
def late_postings() -> Iterator[Found]:
    """Everything that came too late and is not settled now."""
    every, domains = books(), _entities()
    shut = {book.name: book for book in every if book.shut_at}
    if not shut or not domains:
        return
    due = {name: _due(book, every) for name, book in shut.items()}
    for row in _rows(list(shut.values()), list(domains)):
        book = shut[(row[5], row[6])]
        if (found := _found(row, book, domains[row[2]])) is not None:
            found.due_at = due[book.name]
            yield found


def _entities() -> dict[int, tuple[str, int]]:
    """Id → (slug, domain) of the entities that are posted."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select id, slug, domain_id from governance_entity where slug = any(%s)", [list(ENTITIES)]
        ).fetchall()
    return {pk: (slug, domain) for pk, slug, domain in rows}


def _rows(shut: list[Book], ids: list[int]) -> list[tuple[Any, ...]]:
    asked = {
        "entities": [book.legal_entity for book in shut],
        "periods": [book.period for book in shut],
        "starts": [book.start_date.isoformat() for book in shut],
        "ends": [book.end_date.isoformat() for book in shut],
        "instants": [book.shut_at for book in shut],
        "ids": ids,
        "final": list(FINAL),
        "unbilled": list(UNBILLED),
        "pending": int(DeliveryState.PENDING),
        "stuck": [
            int(s) for s in (DeliveryState.UNSURE, DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DEAD)
        ],
        # What was asked to be reopened, and what is held, stays before people until it is settled.
        "settled": [LatePolicy.NEXT_PERIOD.value, LatePolicy.WRITE_OFF.value],
    }
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute("select set_config('statement_timeout', %s, true)", [f"{SECONDS}s"])
        rows = cursor.execute(_SQL, asked).fetchall()
        cursor.execute("select set_config('statement_timeout', '0', true)")
    return rows


def _found(row: tuple[Any, ...], book: Book, entity: tuple[str, int]) -> Found | None:
    pk, key, entity_id, project, customer, legal_entity, period, amount, currency, body, day, arrived, updated = row
    came_at = as_instant(arrived) or updated
    assert book.shut_at is not None
    if came_at <= book.shut_at:
        return None
    slug, domain = entity
    return Found(
        key=str(pk),
        title=f"{slug.replace('_', ' ').capitalize()} {key}: {legal_entity} {period} was closed when it came",
        detail=_detail(book, day, came_at),
        cause=CAUSE,
        business=True,
        error_code="CLOSED_PERIOD",
        field="period",
        facts={"legal_entity": legal_entity, "period": period},
        entity_id=entity_id,
        domain_id=domain,
        record_id=pk,
        client=customer or "",
        project=project or "",
        period=period,
        legal_entity=legal_entity,
        amount=amount,
        currency=currency or "",
        since=came_at,
        body=orjson.loads(body),
    )


def _detail(book: Book, day: str | None, came_at: datetime) -> str:
    assert book.shut_at is not None
    shut = "frozen" if book.is_frozen and book.status != "closed" else "closed"
    of = f" It is for {day}." if day else ""
    return (
        f"The period was {shut} on {date_text(book.shut_at.date())} ({book.source});"
        f" this came on {date_text(came_at.date())}.{of}"
    )


def _due(book: Book, every: list[Book]) -> datetime | None:
    """When the period closes in which it can be posted instead."""
    later = (one for one in every if one.legal_entity == book.legal_entity and one.start_date > book.start_date)
    return next((one.closes_at for one in later if not one.is_shut and one.closes_at), None)
