"""manage.py bench sync|deliver|event|ledger|mapping|audit|arbitrate --records N --json: figures as ratios, on a scratch hub."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from governance.audit.bench import bench_audit
from governance.ownership.bench import bench_arbitrate
from hub.sync.bench.deliver import bench_deliver
from hub.sync.bench.ledger import bench_ledger
from hub.sync.bench.run import bench_sync
from hub.webhooks.bench import bench_event
from mappings.bench import measure

RECORDS = {
    "sync": 100_000,
    "deliver": 100_000,
    "event": 2_000,
    "ledger": 1_000_000,
    "mapping": 100_000,
    "audit": 1_000_000,
    "arbitrate": 20_000,
}


class Command(BaseCommand):
    help = "Measure the hub beside a hand-written path in one run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=list(RECORDS))
        parser.add_argument(
            "--records", type=int, help="How many; without it, as many as the figures are published for."
        )
        parser.add_argument("--workers", type=int, default=2)
        parser.add_argument(
            "--latency-ms", type=float, default=0.0, help="What each call to the target takes (deliver)."
        )
        parser.add_argument(
            "--rate", type=float, default=50.0, help="Messages a second while latency is taken (event)."
        )
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, what: str, records: int | None, **options: Any) -> None:
        found = _measured(what, records or RECORDS[what], **options)
        self.stdout.write(json.dumps(found, default=str) if options["json"] else _in_words(found))
        if not found.get("passed", True):
            sys.exit(1)


def _measured(
    what: str, records: int, *, workers: int, latency_ms: float, rate: float, **options: Any
) -> dict[str, Any]:
    if what == "sync":
        return bench_sync(records, workers=workers)
    if what == "deliver":
        return bench_deliver(records, workers=workers, latency_ms=latency_ms)
    if what == "event":
        return bench_event(records, workers=workers, rate=rate)
    if what == "audit":
        return bench_audit(records)
    if what == "arbitrate":
        return bench_arbitrate(records)
    return bench_ledger(records) if what == "ledger" else measure(records)


def _in_words(found: dict[str, Any]) -> str:
    return "\n".join(f"{name:28s} {value}" for name, value in found.items())
