"""What people did with a record: decisions, edits, merges, looks at masked values; and where the audit chain holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from governance.models import AuditEntry, AuditHead
from hub.common.times import format_instant
from hub.records.models import CanonicalRecord
from hub.sync.models import BlockedValue, Merge, Transaction
from hub.sync.states import Outcome
from monitoring.models import ExceptionEvent

MOST = 200


def edits(record: CanonicalRecord) -> list[dict[str, Any]]:
    """In the order of time. Values before and after are left out: they may be masked, and stand in the record's own pages."""
    found = [*_exceptions(record), *_decided_values(record), *_decisions(record), *_merges(record)]
    return sorted(found, key=lambda one: one["at"])


def _exceptions(record: CanonicalRecord) -> Iterator[dict[str, Any]]:
    events = ExceptionEvent.objects.filter(item__record_id=record.pk).select_related("by", "item")
    for event in events.order_by("-pk")[:MOST]:
        fields = sorted({*(event.before or {}), *(event.after or {})}) if _are_dicts(event) else []
        yield _edit(event.at, event.by, f"{event.act}: {event.item.title}", event.text, fields, event.transaction_id)


def _are_dicts(event: ExceptionEvent) -> bool:
    return isinstance(event.before or {}, dict) and isinstance(event.after or {}, dict)


def _decided_values(record: CanonicalRecord) -> Iterator[dict[str, Any]]:
    rows = BlockedValue.objects.filter(record=record, decided_at__isnull=False).select_related("decided_by", "system")
    for row in rows[:MOST]:
        what = f"{row.get_state_display()}: what {row.system.name} offered for {row.field}"
        yield _edit(row.decided_at, row.decided_by, what, row.reason, [row.field], row.transaction_id)


def _decisions(record: CanonicalRecord) -> Iterator[dict[str, Any]]:
    """Rows of the ledger that a person wrote: they have no run."""
    for row in Transaction.objects.filter(record_id=record.pk, run_id=0, batch_id=0, duration_us=None)[:MOST]:
        if row.error_code or row.outcome == Outcome.DISCARDED:
            yield _edit(row.at, None, f"{Outcome(row.outcome).label} by a person", row.error_detail or "", [], row.pk)


def _merges(record: CanonicalRecord) -> Iterator[dict[str, Any]]:
    for merge in Merge.objects.filter(Q(winner=record) | Q(loser=record)).select_related(
        "by", "undone_by", "loser", "winner"
    ):
        yield _edit(merge.at, merge.by, f"Merged {merge}", merge.reason, [], None)
        if merge.undone_at:
            yield _edit(merge.undone_at, merge.undone_by, f"Parted {merge}", merge.undone_reason, [], None)


def _edit(at: Any, by: Any, what: str, reason: str, fields: list[str], transaction: int | None) -> dict[str, Any]:
    return {
        "at": format_instant(at), "by": str(by or ""), "what": what, "reason": reason, "fields": fields,
        "transaction": transaction,
    }  # fmt: skip


def reveals(record: CanonicalRecord) -> Iterator[dict[str, Any]]:
    """Who looked at masked values."""
    for row in record.reveals.select_related("by")[:MOST]:
        yield {"at": format_instant(row.at), "by": str(row.by), "fields": row.fields}


def audit_chain(record: CanonicalRecord, versions: list[dict[str, Any]]) -> dict[str, Any]:
    """The audit's entries on the record, on its versions and on the changes that brought them, with the seal that holds each;
    and the head of the chain."""
    named = [("CanonicalRecord", f"{record.entity.slug}/{record.key}")]
    named += [(version["kind"], version["name"]) for version in versions]
    named += [("ChangeRequest", str(version["change"])) for version in versions if version["change"]]
    about = Q(pk__in=[])
    for kind, name in dict.fromkeys(named):
        about |= Q(kind=kind, name=name)
    entries = AuditEntry.objects.filter(about).select_related("seal").order_by("-pk")[:MOST]
    head = AuditHead.objects.order_by("-seq").first()
    return {
        "entries": [_entry(entry) for entry in reversed(entries)],
        "head": {"seq": head.seq, "sha256": bytes(head.hash).hex()} if head else None,
    }


def _entry(entry: AuditEntry) -> dict[str, Any]:
    seal = getattr(entry, "seal", None)
    return {
        "entry": entry.pk, "at": format_instant(entry.at), "act": entry.act, "kind": entry.kind, "name": entry.name,
        "by": entry.actor, "before_sha256": entry.before_hash, "after_sha256": entry.after_hash,
        "seal": seal.seq if seal else None, "seal_sha256": bytes(seal.hash).hex() if seal else None,
    }  # fmt: skip
