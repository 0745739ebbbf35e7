"""A thread as plain data: for the API, the command line and the download."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.common.money import decimal_text
from hub.common.times import format_instant
from monitoring.thread.shapes import Leg, Thread


def as_data(thread: Thread) -> dict[str, Any]:
    """Instants as ISO 8601 in UTC, business dates as dates, amounts as text by currency; `hidden_legs` are not listed."""
    return {
        "entity": thread.spec.anchor,
        "key": thread.key,
        "title": thread.title,
        "customer": thread.customer,
        "at": format_instant(thread.now),
        "state": thread.state_words,
        "missing_legs": [leg.spec.slug for leg in thread.red],
        "hidden_legs": thread.hidden,
        "legs": [_leg(leg, thread) for leg in thread.legs],
    }


def _leg(leg: Leg, thread: Thread) -> dict[str, Any]:
    return {
        "leg": leg.spec.slug,
        "what": leg.spec.sentence,
        "entity": leg.spec.entity,
        "state": leg.state.value,
        "systems": [system.slug for system in leg.systems],
        "ids": [{"system": one.system, "id": one.external_id, "url": one.url} for one in leg.ids],
        "records": leg.total,
        "done": leg.done,
        "missing": leg.missing,
        "quantity": decimal_text(leg.members.quantity()) if leg.spec.quantity else None,
        "amounts": _amounts(leg.amounts),
        "missing_amounts": _amounts(leg.missing_amounts),
        "left_at": format_instant(leg.left_at) if leg.left_at else None,
        "happened_date": leg.left_day or None,
        "arrived_at": format_instant(leg.arrived_at) if leg.arrived_at else None,
        "expected_at": format_instant(leg.expected_at) if leg.expected_at else None,
        "promise": _promise(leg, thread),
        "transaction": leg.evidence.pk if leg.evidence else None,
        "run": leg.evidence.run_id or None if leg.evidence else None,
        "versions": leg.versions,
        "why": leg.why,
        "turn": leg.turn,
        "problems": [{"what": one.title, "why": one.detail, "turn": one.turn, "url": one.url} for one in leg.problems],
        "notes": leg.notes,
    }


def _promise(leg: Leg, thread: Thread) -> dict[str, Any] | None:
    if leg.sla is None:
        return None
    return {
        "service_level": leg.sla.level.slug,
        "verdict": leg.sla.verdict.value,
        "business_seconds": round(leg.sla.taken.total_seconds()),
        "due_at": format_instant(leg.sla.due_at),
        "words": leg.sla.words(thread.now),
    }


def _amounts(found: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: decimal_text(amount) for currency, amount in sorted(found.items())}
