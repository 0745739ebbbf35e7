"""What pages say of a gap: where its evidence is looked at, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from hub.records.models import CanonicalRecord
from hub.sync.keys import DeliveryKey, HeldKey
from hub.sync.models import Sync
from monitoring.models import ReconciliationGap
from monitoring.reconciliation.definition import Definition

Label = ReconciliationGap.Label


@dataclass(frozen=True, slots=True)
class Step:
    """A way on: a page to look at, or the place of an act."""

    word: str
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """A gap with its evidence and its fix, as one line of a table."""

    gap: ReconciliationGap
    evidence: Step | None
    fix: Step | None
    shown: list[str]


# What helps, by label: the word on the button.
_FIXES = {
    Label.DEAD_LETTER: "Put again",
    Label.EXCEPTION: "Open exception",
    Label.DELETED: "Look at the removal",
    Label.CHANGED_AT_TARGET: "Send again",
    Label.MAPPING: "Open mapping",
}


def rows(gaps: list[ReconciliationGap], definition: Definition | None = None) -> list[Row]:
    """Gaps with their addresses: two queries for a page of them. With a definition also what tells a line apart."""
    roles = definition.roles if definition else {}
    names = (
        [name for name in definition.names if name not in (roles.get("amount"), roles.get("project"))]
        if definition
        else []
    )
    records = dict(
        CanonicalRecord.objects.filter(pk__in={gap.record_id for gap in gaps if gap.record_id}).values_list(
            "pk", "entity__slug"
        )
    )
    syncs = dict(Sync.objects.values_list("pk", "slug"))
    return [_row(gap, records, syncs, names) for gap in gaps]


def _row(gap: ReconciliationGap, records: dict[int, str], syncs: dict[int, str], names: list[str]) -> Row:
    evidence = _evidence(gap.evidence, gap.record_id, records, syncs)
    values = gap.left or gap.right or {}
    return Row(gap, evidence, _fix(gap, evidence), [str(values[name]) for name in names if name in values])


def _evidence(
    found: dict[str, Any], record_id: int | None, records: dict[int, str], syncs: dict[int, str]
) -> Step | None:
    if "held" in found:
        return _step("Held record", "sync:held_detail", HeldKey(*found["held"]))
    if "delivery" in found:
        return _step("Delivery", "sync:delivery_detail", DeliveryKey(*found["delivery"]))
    if "transaction" in found:
        return _step(f"T-{found['transaction']}", "sync:transaction_detail", found["transaction"])
    if "mapping" in found:
        return _step("Mapping", "mappings:editor", found["mapping"])
    if "sync" in found and found["sync"] in syncs:
        return _step("Sync", "sync:sync_detail", syncs[found["sync"]])
    number = found.get("record") or record_id
    return _step("Record", "records:record", records[number], number) if number in records else None


def _fix(gap: ReconciliationGap, evidence: Step | None) -> Step | None:
    word = _FIXES.get(Label(gap.label))
    if word == "Open mapping":
        return _step(word, "mappings:editor", gap.evidence.get("mapping", ""))
    return Step(word, evidence.url) if word and evidence else None


def _step(word: str, name: str, *args: Any) -> Step | None:
    try:
        return Step(word, reverse(name, args=args))
    except NoReverseMatch:
        return None
