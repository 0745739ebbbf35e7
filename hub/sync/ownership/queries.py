"""Reads of stopped values, and of who set a field when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.records.models import CanonicalRecord
from hub.records.reading import Described
from hub.sync.models import BlockedValue

SEE, DECIDE = "ledger.view", "exceptions.resolve"
MASK = "•••••"


def blocked_for(user: User, permission: str = SEE) -> QuerySet[BlockedValue]:
    rows = BlockedValue.objects.select_related("entity__domain", "record", "system", "decided_by")
    return scope_to_domains(rows.defer("record__body"), user, permission, "entity__domain")


@dataclass(frozen=True, slots=True)
class Shown:
    """A stopped value as a person may see it."""

    row: BlockedValue
    offered: Any
    kept: Any
    is_masked: bool
    currency: str  # of the field itself, where it is an amount
    title: str


def shown(rows: Iterable[BlockedValue]) -> Iterator[Shown]:
    """With what the contract masks hidden; each entity's contract is read once."""

    @cache
    def described(entity: Entity) -> Described:
        return Described(entity)

    for row in rows:
        about = described(row.entity)
        field = about.describe(row.field)
        hidden = bool(about.masked({row.field: True}))
        offered, kept = (MASK, MASK) if hidden else (row.offered, row.kept)
        currency = (row.currency or "") if field.currency and not hidden else ""
        yield Shown(row, offered, kept, hidden, currency, field.title)


# Provenance -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """When a field got its value, by which ledger row, and by whom where a person decided it."""

    at: datetime
    transaction_id: int
    by: str = ""


def origins(record: CanonicalRecord) -> Mapping[str, Origin]:
    """field → its last change, as far as the ledger is kept."""
    with connection.cursor() as cursor:
        cursor.execute(_ORIGINS, {"record": record.pk, "fields": list(record.body)})
        found = {field: Origin(at, number) for field, at, number in cursor.fetchall()}
    decided = BlockedValue.objects.filter(record=record.pk, state=BlockedValue.State.ACCEPTED)
    for row in decided.select_related("decided_by"):
        before = found.get(row.field)
        if row.decided_at and (before is None or before.at <= row.decided_at):
            found[row.field] = Origin(row.decided_at, row.transaction_id, str(row.decided_by or ""))
    return found


_ORIGINS = """
with arrived as (
  select t.id, t.at, t.outcome, t.changed from sync_transaction t
  join sync_sync s on s.id = t.sync_id join mappings_mapping m on m.id = s.mapping_id and m.direction = 'in'
  where t.record_id = %(record)s and (t.outcome = 1 or t.changed is not null))
select distinct on (f.name) f.name, a.at, a.id from unnest(%(fields)s::text[]) f(name)
join arrived a on f.name = any(a.changed) or (a.changed is null and a.outcome = 1)
order by f.name, a.id desc
"""
