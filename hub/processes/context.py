"""What expressions of a process see: the record as it is now, what it was started with, look-ups, results of steps.

record.status · given.amount · customer.legal_entity (a look-up) · steps.approval.rate_card
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from governance.models import Entity
from hub.common.errors import RecordError
from hub.processes.definition import Definition
from hub.processes.models import ProcessInstance, as_text
from hub.records.models import CanonicalRecord
from mappings.expressions import Expression, compile_expression
from mappings.paths import MISSING

Context = dict[str, Any]


@lru_cache(maxsize=2_000)
def compiled(text: str) -> Expression:
    return compile_expression(text)


def evaluate(text: str, context: Context) -> Any:
    """The value of an expression, None where it has none. RecordError where it cannot be evaluated on this context."""
    found = compiled(text).evaluate(context)
    return None if found is MISSING else found


def holds(text: str, context: Context) -> bool:
    """Whether a condition holds: anything but false, nothing, 0, and what is empty."""
    found = evaluate(text, context)
    return bool(found)


def values_of(texts: Mapping[str, str], context: Context) -> dict[str, Any]:
    """Each value that there is, by name."""
    found = {name: evaluate(text, context) for name, text in texts.items()}
    return {name: value for name, value in found.items() if value is not None}


def context_of(instance: ProcessInstance, definition: Definition, results: Mapping[str, Any]) -> Context:
    """Read anew each time: what was corrected since counts."""
    context: Context = {"given": instance.given, "key": instance.key, "steps": dict(results), "record": None}
    if instance.process.entity_id:
        context["record"] = _body(instance.process.entity_id, instance.key)
    for name, wanted in (definition.get("lookups") or {}).items():
        context[name] = _looked_up(wanted, context)
    return context


def _looked_up(wanted: Mapping[str, str], context: Context) -> Any:
    try:
        key = as_text(evaluate(wanted["key"], context))
    except RecordError:
        return None
    entity = Entity.objects.filter(slug=wanted["entity"]).values_list("pk", flat=True).first()
    return _body(entity, key) if entity and key else None


def _body(entity_id: int, key: str) -> Any:
    rows = CanonicalRecord.objects.filter(entity_id=entity_id, key=key, deleted_at__isnull=True)
    return rows.values_list("body", flat=True).first()
