"""The only writer of the ledger: batches, and a row for everything that happened to a record."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard

from hub.common import facts
from hub.common.records import Record
from hub.records.copying import NULL, array, ids, text
from hub.records.store import allocate
from hub.sync.states import Outcome

COLUMNS = (
    "id, at, run_id, sync_id, batch_id, position, correlation_id, record_id, external_id, key, outcome, version, changed,"
    " refused, attempt, error_code, error_detail, target_ref, http_status, amount, currency, source_updated_at, duration_us"
)
SEQUENCE = "sync_transaction_seq"


@dataclass(slots=True)
class Entry:
    """One ledger row to be written. `id` may be given ahead, so that deliveries can name it as their cause.

    `body` is the canonical record that an inbound row made, `before` what it was until then, None for one that was not
    there or was gone: told to listeners, not written.
    """

    position: int
    outcome: Outcome
    external_id: str | None = None
    key: str | None = None
    record_id: int | None = None
    version: int | None = None
    changed: tuple[str, ...] | None = None
    refused: tuple[str, ...] | None = None
    attempt: int = 1
    error_code: str | None = None
    error_detail: str | None = None
    target_ref: str | None = None
    http_status: int | None = None
    amount: str | None = None
    currency: str | None = None
    source_updated_at: str | None = None
    id: int = 0
    correlation_id: int = 0
    body: Record | None = None
    before: Record | None = None


def allocate_ids(cursor: Any, count: int) -> list[int]:
    return allocate(cursor, SEQUENCE, count)


def open_batch(
    cursor: Any,
    *,
    run_id: int,
    sync_id: int,
    page_no: int,
    read: int,
    mapping_version_id: int,
    contract_version_id: int,
    payload: bytes | None,
    status: int,
    sent_ids: Sequence[int] | None = None,
    sent_versions: Sequence[int] | None = None,
    unchanged_ids: Sequence[int] | None = None,
) -> tuple[int, str]:
    """Write the batch row; returns (id, the transaction's time as text for COPY). (run, page) exists once."""
    row = cursor.execute(
        "insert into sync_batch (run_id, sync_id, page_no, status, at, read, mapping_version_id, contract_version_id,"
        " unchanged_ids, sent_ids, sent_versions, payload)"
        " values (%s, %s, %s, %s, now(), %s, %s, %s, %s::bigint[], %s::bigint[], %s::int[], %s)"
        " returning id, at::text",
        [
            run_id,
            sync_id,
            page_no,
            status,
            read,
            mapping_version_id,
            contract_version_id,
            ids(unchanged_ids) if unchanged_ids else None,
            ids(sent_ids) if sent_ids is not None else None,
            ids(sent_versions) if sent_versions is not None else None,
            payload,
        ],
    ).fetchone()
    return row[0], row[1]


def write(
    cursor: Any, *, run_id: int, sync_id: int, batch_id: int, at: str, entries: Sequence[Entry], micros: int
) -> None:
    """Append rows. `micros` is the time of the batch, shared out evenly: records of a page are not timed one by one."""
    if not entries:
        return
    head = f"\t{at}\t{run_id}\t{sync_id}\t{batch_id}\t"
    tail = f"\t{micros // len(entries)}\n"
    unnumbered = [entry for entry in entries if not entry.id]
    for entry, number in zip(unnumbered, allocate_ids(cursor, len(unnumbered)), strict=True):
        entry.id = number
    with cursor.copy(f"copy sync_transaction ({COLUMNS}) from stdin") as copy:
        copy.write("".join([_line(entry, head, tail) for entry in entries]))
    facts.publish("ledger_written", cursor=cursor, sync_id=sync_id, run_id=run_id, at=at, entries=entries)


def _line(e: Entry, head: str, tail: str) -> str:
    """COPY text of one row; a row without error, which most are, takes the short way."""
    record = NULL if e.record_id is None else e.record_id
    version = NULL if e.version is None else e.version
    start = (
        f"{e.id}{head}{e.position}\t{e.correlation_id or e.id}\t{record}\t{text(e.external_id)}\t{text(e.key)}\t"
        f"{int(e.outcome)}\t{version}\t"
    )
    if e.error_code is None and e.changed is None and e.refused is None:
        middle = f"\\N\t\\N\t{e.attempt}\t\\N\t\\N\t"
    else:
        middle = f"{array(e.changed)}\t{array(e.refused)}\t{e.attempt}\t{text(e.error_code)}\t{text(e.error_detail)}\t"
    status = NULL if e.http_status is None else e.http_status
    money = f"{text(e.amount)}\t{text(e.currency)}\t{text(e.source_updated_at)}"
    return f"{start}{middle}{text(e.target_ref)}\t{status}\t{money}{tail}"


# Payloads --------------------------------------------------------------------------------------------------
class _Packers(threading.local):
    """A compressor for each thread: one that is shared spoils what two threads compress at once."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdCompressor(level=1)


_packers = _Packers()


def pack(records: Sequence[bytes]) -> bytes:
    """A page's records (each as JSON), compressed; the position in the list is the position in the ledger."""
    return _packers.zstd.compress(b"[" + b",".join(records) + b"]")


def unpack(payload: bytes) -> list[Any]:
    return list(orjson.loads(zstandard.ZstdDecompressor().decompress(payload)))


def count_outcomes(entries: Iterable[Entry]) -> dict[Outcome, int]:
    counts: dict[Outcome, int] = {}
    for entry in entries:
        counts[entry.outcome] = counts.get(entry.outcome, 0) + 1
    return counts
