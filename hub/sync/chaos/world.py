"""The hub's side of a chaos run, set up as a user would: a paged source, the fault target, one sync in and one out."""

from __future__ import annotations

import json
import random
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.sync import harness

PAGE_SIZE = 500
# Large enough that one slow answer does not set the pace, small enough that a short run has many batches to break.
BATCH_SIZES = (25, 250)
# Shorter than a slow answer of the target, so that answers are given up on; settling is longer than its longest work.
TIMEOUT_SECONDS = 1.0
SETTLE_SECONDS = 3.0
CURRENCIES = ("EUR", "USD", "GBP")


Document = dict[str, Any]


def record(number: int, seed: int, edition: int = 0) -> dict[str, Any]:
    """A record as it stands in an edition of the source; its amount is drawn anew in each."""
    pick = random.Random(f"{seed}:{number}:{edition}" if edition else f"{seed}:{number}")
    amount = Decimal(pick.randrange(1, 10_000_000)).scaleb(-2)
    return {"number": f"TE-{number:07d}", "amount": f"{amount:.2f}", "currency": pick.choice(CURRENCIES)}


@dataclass
class Source:
    """The paged source: files that its server reads anew for each request."""

    folder: Path
    records: int
    seed: int
    edition: int = 0

    def write(self) -> None:
        rows = self.rows()
        pages = [rows[start : start + PAGE_SIZE] for start in range(0, len(rows), PAGE_SIZE)]
        for number, page in enumerate(pages, start=1):
            harness.write_page(self.folder, page, number=number, total=len(pages))

    def revise(self) -> None:
        """Every record gets another amount."""
        self.edition += 1
        self.write()

    def rows(self) -> list[dict[str, Any]]:
        return [record(number, self.seed, self.edition) for number in range(self.records)]


SETTLING = {"settle_seconds": SETTLE_SECONDS}
_UPDATE = {"path": "/rows/${ref}", "safety": "B", **SETTLING}
WRITES: dict[str, dict[str, Any]] = {
    "A": {
        "create": {"path": "/rows", "safety": "A", "idempotency_header": "Idempotency-Key"},
        "update": _UPDATE,
    },
    "B": {"upsert": {"method": "PUT", "path": "/rows/${key}", "safety": "B", **SETTLING}},
    "C": {"create": {"path": "/rows", "safety": "C", **SETTLING}, "update": _UPDATE},
    "D": {"create": {"path": "/rows", "safety": "D"}, "update": _UPDATE},
}


def _declaration(name: str, port: int, streams: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {
        "name": name,
        "label": name.title(),
        "category": "erp",
        "protocol": "rest",
        "time_zone": "UTC",
        "config": {},
    }
    return {**head, "base_url": f"http://127.0.0.1:{port}", "streams": streams, **more}


def documents(source_port: int, target_port: int, safety: str, *, records: int) -> list[Document]:
    """Everything that `config apply` needs."""
    entries = {
        "label": "Entries", "key": "number", "path": "/entries", "records": "data",
        "paging": {"type": "page", "next_page_path": "next_page"},
    }  # fmt: skip
    rows: dict[str, Any] = {"label": "Rows", "key": "id", "path": "/rows", "records": "data", "write": WRITES[safety]}
    if safety in "AC":
        rows["find"] = {"path": "/rows", "query": {"number": "${keys|join}"}, "records": "data", "key": "number"}
    source = _declaration("chaos_source", source_port, {"entries": entries})
    limits = {"timeout_seconds": TIMEOUT_SECONDS, "concurrency": 8}
    target = _declaration("chaos_target", target_port, {"rows": rows}, limits=limits)
    fields = [{"target": name, "source": name} for name in ("number", "amount", "currency")]
    return [
        {"kind": "System", "slug": "chaos-source", "name": "Source"},
        {"kind": "System", "slug": "chaos-target", "name": "Target"},
        _connection("chaos-source", source),
        _connection("chaos-target", target),
        {"kind": "Stream", "slug": "chaos-entries", "name": "entries", "connection": "chaos-source", "key": ["number"]},
        {
            "kind": "Stream",
            "slug": "chaos-rows",
            "name": "rows",
            "connection": "chaos-target",
            "key": ["id"],
            "page_size": max(BATCH_SIZES[0], min(BATCH_SIZES[1], records // 20)),
        },
        {"kind": "Entity", "slug": "chaos-entry", "name": "Chaos entry", "domain": "time-expense"},
        {"kind": "Contract", "slug": "chaos-entry", "name": "Chaos entry", "entity": "chaos-entry", "schema": SCHEMA},
        harness.mapping("chaos-in", "in", "chaos-entries", "chaos-entry", fields),
        harness.mapping("chaos-out", "out", "chaos-rows", "chaos-entry", fields),
        {"kind": "Sync", "slug": "chaos-in", "name": "In", "mapping": "chaos-in", "mode": "full"},
        {"kind": "Sync", "slug": "chaos-out", "name": "Out", "mapping": "chaos-out", "max_attempts": 30},
    ]


SCHEMA = {
    "type": "object",
    "required": ["number", "amount", "currency"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "amount": {"type": "string", "format": "decimal", "x-money": "currency"},
        "currency": {"type": "string", "x-currency": True},
    },
}


def _connection(slug: str, declaration: dict[str, Any]) -> dict[str, Any]:
    head = {"kind": "Connection", "slug": slug, "name": slug, "system": slug}
    return {**head, "config": {"declaration": declaration}, "allowed_networks": ["127.0.0.0/8"]}


def control(port: int, what: str) -> Any:
    """What the target itself says: its rows, or the faults that have fired."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_control/{what}", timeout=60) as answer:
        return json.load(answer)
