"""Writes the queue: groups, items and events, a chunk at a time through COPY and set-based SQL. Nothing else opens items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.utils import timezone
from psycopg.types.json import Jsonb

from monitoring.exceptions import ranking
from monitoring.exceptions.judging import Judge, Judged
from monitoring.models import ExceptionSweep

# column of the temporary table → its type; the columns of the item have the names that they have there
_COLUMNS = {
    "item_id": "bigint", "is_again": "boolean", "fingerprint": "text", "group_title": "text", "group_facts": "jsonb",
    "origin": "text", "origin_key": "text", "kind": "text", "cause": "text", "classified_as": "text", "title": "text",
    "detail": "text", "facts": "jsonb", "given": "jsonb", "digest": "text", "error_code": "text", "field": "text",
    "sync_id": "bigint", "entity_id": "bigint", "domain_id": "bigint", "system_id": "bigint", "record_id": "bigint",
    "external_id": "text", "name": "text", "transaction_id": "bigint", "client": "text", "client_name": "text",
    "project": "text", "project_name": "text", "period": "text", "legal_entity": "text", "amount": "numeric",
    "currency": "text", "amount_firm": "numeric", "rate_date": "date", "amount_note": "text", "due_at": "timestamptz",
    "opened_at": "timestamptz", "team": "text", "person_id": "bigint",
}  # fmt: skip
# What a source says, and what follows from it: written to new items and to those that are known.
_SAID = (
    "kind", "cause", "classified_as", "title", "detail", "facts", "given", "error_code", "field", "sync_id", "entity_id",
    "domain_id", "system_id", "record_id", "external_id", "name", "transaction_id", "client", "client_name", "project",
    "project_name", "period", "legal_entity", "amount", "currency", "amount_firm", "rate_date", "amount_note", "due_at",
)  # fmt: skip
_TABLE = "create temporary table if not exists exception_judged ({}) on commit drop".format(
    ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
)
# Each statement of one chunk sees what the one before has done.
_GROUPS = f"""
insert into monitoring_exceptiongroup (fingerprint, cause, title, entity_id, domain_id, facts, first_at, last_at, reopened,
  open_items, amount_firm, unconverted, unknown, rank)
select distinct on (fingerprint) fingerprint, cause, group_title, entity_id, domain_id, group_facts,
  min(opened_at) over w, max(opened_at) over w, 0, 0, 0, 0, 0, 0 from exception_judged
window w as (partition by fingerprint) order by fingerprint
on conflict (fingerprint) do update set title = excluded.title, facts = excluded.facts,
  last_at = greatest(monitoring_exceptiongroup.last_at, excluded.last_at),
  reopened = monitoring_exceptiongroup.reopened + (
    exists (select 1 from exception_judged j where j.fingerprint = excluded.fingerprint and j.item_id is null)
    and not exists (select 1 from monitoring_exceptionitem i where i.group_id = monitoring_exceptiongroup.id
      and i.state in {ranking.UNSETTLED}))::int
"""
_OPEN = f"""
with opened as (
  insert into monitoring_exceptionitem (origin, origin_key, digest, group_id, {", ".join(_SAID)}, team, assignee_id,
    routed_team, routed_person_id, state, urgency, rank, tags, version, opened_at, seen_at, times, resolution)
  select j.origin, j.origin_key, j.digest, g.id, {", ".join(f"j.{name}" for name in _SAID)}, j.team, j.person_id,
    j.team, j.person_id, 'open', {ranking.URGENCY.format(due="j.due_at")},
    abs(coalesce(j.amount_firm, 0)) * {ranking.URGENCY.format(due="j.due_at")}, '{{}}', 1, j.opened_at, %(seen)s, 1, ''
  from exception_judged j join monitoring_exceptiongroup g on g.fingerprint = j.fingerprint where j.item_id is null
  on conflict (origin_key) where state in {ranking.UNSETTLED} do nothing returning id, detail, transaction_id)
insert into monitoring_exceptionevent (item_id, at, act, text, transaction_id)
select id, %(seen)s, 'opened', detail, transaction_id from opened
"""
# A person's cause was kept when it was judged. Where a rule has put it, a rule may again; else a person has it.
_UPDATE = f"""
update monitoring_exceptionitem i set {", ".join(f"{name} = j.{name}" for name in _SAID)}, group_id = g.id,
  digest = case when j.is_again then i.digest else j.digest end,
  times = i.times + (not j.is_again)::int, seen_at = case when j.is_again then i.seen_at else %(seen)s end,
  state = case when i.state = 'retrying' and not j.is_again then 'open' else i.state end,
  team = case when {{routed}} then j.team else i.team end,
  assignee_id = case when {{routed}} then j.person_id else i.assignee_id end,
  routed_team = case when {{routed}} then j.team else i.routed_team end,
  routed_person_id = case when {{routed}} then j.person_id else i.routed_person_id end
from exception_judged j join monitoring_exceptiongroup g on g.fingerprint = j.fingerprint
where i.id = j.item_id and i.state in {ranking.UNSETTLED}
""".format(routed="(i.team = i.routed_team and i.assignee_id is not distinct from i.routed_person_id)")
_AGAIN = f"""
insert into monitoring_exceptionevent (item_id, at, act, text, transaction_id)
select i.id, %(seen)s, 'seen_again', j.detail, j.transaction_id from exception_judged j
join monitoring_exceptionitem i on i.id = j.item_id and i.state in {ranking.UNSETTLED} where not j.is_again
"""


def store(cursor: psycopg.Cursor[Any], judged: Sequence[Judged], digests: Mapping[str, str]) -> tuple[int, int]:
    """Open what is new and write what is known anew; returns how many of each. `digests` by key, of what sources said."""
    if not judged:
        return 0, 0
    cursor.execute(_TABLE)
    cursor.execute("truncate exception_judged")
    with cursor.copy(f"copy exception_judged ({', '.join(_COLUMNS)}) from stdin") as copy:
        for one in judged:
            copy.write_row([_plain(value) for value in _row(one, digests).values()])
    cursor.execute("analyze exception_judged")
    cursor.execute(_GROUPS)
    now = {"seen": timezone.now(), **ranking.moments().params}
    cursor.execute(_OPEN, now)
    opened = cursor.rowcount
    cursor.execute(_AGAIN, now)
    cursor.execute(_UPDATE, now)
    return opened, cursor.rowcount


def _row(one: Judged, digests: Mapping[str, str]) -> dict[str, Any]:
    found = one.found
    given = {"cause": found.cause, "business": found.business, "due": True if found.due_at else None}
    return {
        "item_id": one.item_id,
        "is_again": one.is_again,
        "fingerprint": one.fingerprint,
        "group_title": one.group_title,
        "group_facts": Jsonb(one.group_facts),
        "origin": one.origin,
        "origin_key": found.key,
        "kind": one.kind,
        "cause": one.cause,
        "classified_as": one.classified_as,
        "title": one.title,
        "detail": found.detail,
        "facts": Jsonb(found.facts),
        "given": Jsonb({name: value for name, value in given.items() if value not in (None, "")}),
        "digest": digests.get(found.key, ""),
        "error_code": found.error_code[:60],
        "field": found.field[:120],
        "sync_id": found.sync_id,
        "entity_id": found.entity_id,
        "domain_id": found.domain_id,
        "system_id": one.system_id,
        "record_id": found.record_id,
        "external_id": found.external_id,
        "name": found.name,
        "transaction_id": found.transaction_id,
        "client": found.client,
        "client_name": found.client_name,
        "project": found.project,
        "project_name": found.project_name,
        "period": found.period[:10],
        "legal_entity": found.legal_entity[:40],
        "amount": found.amount,
        "currency": found.currency[:8],
        "amount_firm": one.amount_firm,
        "rate_date": one.rate_date,
        "amount_note": found.amount_note,
        "due_at": one.due_at,
        "opened_at": one.opened_at,
        "team": one.route.team,
        "person_id": one.route.person_id,
    }


def _plain(value: Any) -> Any:
    """Text for COPY never holds NUL."""
    return value.replace("\x00", "") if isinstance(value, str) and "\x00" in value else value


def remember_rules(judge: Judge) -> None:
    kept = {"rules_digest": judge.digest, "rates": ranking.said(judge.rates)}
    ExceptionSweep.objects.update_or_create(pk=1, defaults=kept | {"checked_at": timezone.now()})
