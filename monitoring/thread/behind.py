"""The work behind a document: what an invoice bills, and which records it refers to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from governance.models import Entity
from hub.accounts.models import User
from hub.common.money import decimal_text
from hub.records.models import CanonicalRecord
from hub.records.queries import known_ids
from hub.records.reading import Described
from monitoring.thread.wiring import SEE

# Entities whose records say in a field which document bills them.
BILLED = ("time_entry", "expense", "milestone", "purchase_cost", "invoice_line")
FIELD = "invoice"
LISTED = 50


def behind(user: User | None, record: CanonicalRecord) -> list[dict[str, Any]]:
    """What the record names, then what names it as its invoice: by entity, with count, amounts, and the first LISTED keys."""
    seen = user.domain_ids_for(SEE) if user else None
    entities = {entity.slug: entity for entity in Entity.objects.all()}
    found = [*_named(record, entities, seen), *_billed(record, entities, seen)]
    return found


def _named(record: CanonicalRecord, entities: dict[str, Entity], seen: frozenset[int] | None) -> list[dict[str, Any]]:
    described = Described(record.entity)
    refs = [
        (name, ref, record.body[name]) for name, ref in described.markers.refs if isinstance(record.body.get(name), str)
    ]
    refs = [(name, ref, key) for name, ref, key in refs if ref in entities]
    known = known_ids([entities[ref].pk for _, ref, _ in refs], [key for _, _, key in refs]) if refs else {}
    rows = []
    for name, ref, key in refs:
        if _may_see(entities[ref], seen):
            here = (entities[ref].pk, key) in known
            rows.append(_part(f"{described.describe(name).title} that it names", ref, [key], 1, {}, here))
        else:
            rows.append(_hidden(described.describe(name).title))
    return rows


def _billed(record: CanonicalRecord, entities: dict[str, Entity], seen: frozenset[int] | None) -> list[dict[str, Any]]:
    if record.entity.slug != FIELD:
        return []
    rows = []
    for slug in BILLED:
        entity = entities.get(slug)
        if entity is None:
            continue
        lines = CanonicalRecord.objects.filter(entity=entity, deleted_at__isnull=True, **{f"body__{FIELD}": record.key})
        lines = lines.filter(project=record.project) if record.project else lines
        if not _may_see(entity, seen):
            rows += [_hidden(entity.name)] if lines.exists() else []
            continue
        keys, amounts, count = [], dict[str, Decimal](), 0
        for key, amount, currency in lines.order_by("key").values_list("key", "amount", "currency").iterator(2_000):
            count += 1
            keys += [key] if count <= LISTED else []
            if amount is not None:
                amounts[currency or ""] = amounts.get(currency or "", Decimal(0)) + amount
        rows += [_part(f"{entity.name} billed by it", slug, keys, count, amounts, True)] if count else []
    return rows


def _may_see(entity: Entity, seen: frozenset[int] | None) -> bool:
    return seen is None or entity.domain_id in seen


def _part(
    what: str, entity: str, keys: list[str], count: int, amounts: dict[str, Decimal], here: bool
) -> dict[str, Any]:
    money = {currency: decimal_text(amount) for currency, amount in sorted(amounts.items())}
    return {
        "what": what,
        "entity": entity,
        "keys": keys,
        "count": count,
        "amounts": money,
        "is_known": here,
        "is_hidden": False,
    }


def _hidden(what: str) -> dict[str, Any]:
    return {"what": what, "entity": "", "keys": [], "count": 0, "amounts": {}, "is_known": True, "is_hidden": True}
