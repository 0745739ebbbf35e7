"""Where a record comes from: the payloads behind it, the versions they went through, who approved those, and who edited.

Everything is as the person may see it: payloads, fields and sentences are masked like on their own pages, and what lies in
domains that the person may not see is counted, not shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.http import Http404

from hub.accounts.models import User
from hub.common import display
from hub.common.money import decimal_text
from hub.common.times import business_now, format_instant
from hub.records import queries as records
from hub.records.models import CanonicalRecord
from hub.records.reading import Described, plain_amount, show, title_of
from hub.sync import payloads, threads
from hub.sync.models import Sync, Transaction
from hub.sync.ownership.queries import origins
from hub.sync.states import Outcome
from monitoring.thread import people, versions
from monitoring.thread.anchors import record_of
from monitoring.thread.behind import behind

# Newest first; what is left out is told.
ROWS = 100
FORMAT = "syncline-evidence/1"


def explain(user: User | None, entity: str, key: str) -> dict[str, Any]:
    """The evidence pack as plain data, with a SHA-256 over all of it; 404 for a record that the person may not see."""
    record = record_of(user, entity, key)
    if record is None:
        raise Http404
    rows, left_out = _rows(record)
    syncs = threads.syncs_of(rows)
    used = versions.of_rows(rows)
    versions_used = versions.with_approvals(used, record.entity, rows)
    pack = {
        "format": FORMAT,
        "made_at": format_instant(business_now()),
        "made_for": str(user) if user else "the command line",
        "record": _record(record),
        "fields": list(_fields(record, rows, syncs)),
        "steps": [_step(row, syncs.get(row.sync_id), used) for row in rows],
        "steps_left_out": left_out,
        "behind": behind(user, record),
        "versions": versions_used,
        "edits": list(people.edits(record)),
        "looked_at": list(people.reveals(record)),
        "audit": people.audit_chain(record, versions_used),
    }
    return {**pack, "content_sha256": content_hash(pack)}


def content_hash(pack: dict[str, Any]) -> str:
    """Over the pack as JSON with sorted keys and without its own hash: whoever holds the file can work it out again."""
    plain = {name: value for name, value in pack.items() if name != "content_sha256"}
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _rows(record: CanonicalRecord) -> tuple[list[Transaction], int]:
    """The ledger rows of the record in the order of time; of very many the first and the newest."""
    every = Transaction.objects.filter(record_id=record.pk)
    newest = list(every.order_by("-pk")[: ROWS + 1])
    if len(newest) <= ROWS:
        return newest[::-1], 0
    first = every.order_by("pk").first()
    kept = [*([first] if first else []), *newest[: ROWS - 1][::-1]]
    return kept, every.count() - len(kept)


def _record(record: CanonicalRecord) -> dict[str, Any]:
    ids = records.links_of(record)
    return {
        "entity": record.entity.slug,
        "key": record.key,
        "id": record.pk,
        "name": title_of(record, Described(record.entity)),
        "version": record.version,
        "updated_at": format_instant(record.updated_at),
        "removed_at": format_instant(record.deleted_at) if record.deleted_at else None,
        "amount": decimal_text(amount) if (amount := plain_amount(record)) is not None else None,
        "currency": record.currency,
        "hash": bytes(record.hash).hex(),
        "ids": [
            {
                "system": link.stream.connection.system.name,
                "stream": link.stream.slug,
                "id": link.external_id,
                "url": link.url,
            }
            for link in ids
        ],
    }


def _fields(
    record: CanonicalRecord, rows: Sequence[Transaction], syncs: Mapping[int, Sync]
) -> Iterator[dict[str, Any]]:
    """Who set each field, when, and by which ledger row; masked values stay masked."""
    found = origins(record)
    systems = {row.pk: syncs[row.sync_id].stream.connection.system.name for row in rows if row.sync_id in syncs}
    for shown in show(record, Described(record.entity)):
        if shown.field.name not in record.body:
            continue
        origin = found.get(shown.field.name)
        yield {
            "field": shown.field.name,
            "title": shown.field.title,
            "value": display.MASK if shown.is_masked else shown.value,
            "is_masked": shown.is_masked,
            "system": shown.source or (systems.get(origin.transaction_id, "") if origin else ""),
            "at": format_instant(origin.at) if origin else None,
            "transaction": origin.transaction_id if origin else None,
            "by": origin.by if origin else "",
        }


# One step of the way ---------------------------------------------------------------------------------------------
def _step(row: Transaction, sync: Sync | None, used: versions.Used) -> dict[str, Any]:
    mapping, contract = used.of(row)
    masked, payload = _payload(row, sync, used)
    return {
        "transaction": row.pk,
        "at": format_instant(row.at),
        "direction": sync.direction if sync else None,
        "system": sync.stream.connection.system.name if sync else "a sync that is gone",
        "sync": sync.slug if sync else None,
        "run": row.run_id or None,
        "said": threads.sentence(row, sync),
        "outcome": Outcome(row.outcome).label,
        "external_id": row.external_id,
        "target_id": row.target_ref,
        "answer": row.http_status,
        "attempt": row.attempt,
        "record_version": row.version,
        "changed": list(row.changed or ()),
        "kept": list(row.refused or ()),
        "error": payloads.masked_sentence(row.error_detail, payloads.secret_by_sync([sync])[sync.pk] if sync else ()),
        "mapping": str(mapping) if mapping else None,
        "contract": str(contract) if contract else None,
        "payload": payload,
        "masked_paths": masked,
    }


def _payload(row: Transaction, sync: Sync | None, used: versions.Used) -> tuple[list[str], Any]:
    """What was read or sent, without what is masked; None where it is not kept (any more)."""
    stored = payloads.payload_of(row)
    if stored is None or sync is None:
        return [], None
    mapping, contract = used.of(row)
    paths = payloads.masked_paths(stored, sync, mapping=mapping, contract=contract)
    return sorted(paths), display.mask(stored, frozenset(paths))
