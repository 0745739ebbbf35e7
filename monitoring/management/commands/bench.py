"""manage.py bench WHAT --records N --json: figures of one part of the hub, as ratios, on a scratch hub that is thrown away.

`bench pages --transactions N --exceptions N` says how fast every list and page of tiles is: exit 0 = all below the limit. It
stands in the last package, because it knows the benchmarks of all.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from connectors.bench.extract import PROTOCOLS, bench_extract
from governance.audit.bench import bench_audit
from governance.ownership.bench import bench_arbitrate
from hub.sync.bench.deliver import bench_deliver
from hub.sync.bench.ledger import bench_ledger
from hub.sync.bench.run import bench_sync
from hub.webhooks.bench import bench_event
from mappings.bench import measure
from monitoring.bench.gateway import SECONDS, bench_gateway
from monitoring.bench.pages import REPEATS, bench_pages
from monitoring.reconciliation.bench import bench_reconcile

RECORDS = {
    "sync": 100_000,
    "deliver": 100_000,
    "event": 2_000,
    "ledger": 1_000_000,
    "mapping": 100_000,
    "audit": 1_000_000,
    "arbitrate": 20_000,
    "reconcile": 1_000_000,
    "pages": 1_000_000,
    "extract": 20_000,
    "gateway": 1_000_000,
}


class Command(BaseCommand):
    help = "Measure the hub beside a hand-written path in one run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=list(RECORDS))
        parser.add_argument(
            "--records", type=int, help="How many; without it, as many as the figures are published for."
        )
        parser.add_argument("--keys", type=int, dest="records", help="The same, of each side (reconcile).")
        parser.add_argument("--workers", type=int, default=2)
        parser.add_argument(
            "--latency-ms", type=float, default=0.0, help="What each call to the target takes (deliver)."
        )
        parser.add_argument(
            "--rate", type=float, help="A second: messages (event, 50), reads (gateway, 200), while latency is taken."
        )
        parser.add_argument("--seconds", type=float, default=SECONDS, help="How long each read is asked (gateway).")
        parser.add_argument("--transactions", type=int, help="Ledger rows (pages).")
        parser.add_argument("--exceptions", type=int, default=50_000, help="Exception items (pages).")
        parser.add_argument("--only", default="", help="Pages whose address contains this (pages).")
        parser.add_argument("--protocol", choices=PROTOCOLS, default="rest", help="Which connector reads (extract).")
        parser.add_argument("--repeats", type=int, default=REPEATS, help="How often each page is asked for (pages).")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, what: str, records: int | None, **options: Any) -> None:
        if what == "pages":
            found = self._pages(options["transactions"] or records or RECORDS[what], options)
        elif what == "gateway":
            number, rate = records or RECORDS[what], options["rate"] or 200.0
            found = bench_gateway(number, rate=rate, seconds=options["seconds"], say=self._say)
        elif what == "extract":
            found = bench_extract(options["protocol"], records or RECORDS[what])
        else:
            found = _measured(what, records or RECORDS[what], **options)
        self.stdout.write(json.dumps(found, default=str) if options["json"] else _in_words(found))
        if not found.get("passed", True):
            sys.exit(1)

    def _say(self, words: str) -> None:
        self.stderr.write(words)
        self.stderr.flush()

    def _pages(self, transactions: int, options: dict[str, Any]) -> dict[str, Any]:
        return bench_pages(
            transactions, options["exceptions"], say=self._say, only=options["only"], repeats=options["repeats"]
        )


def _measured(
    what: str, records: int, *, workers: int, latency_ms: float, rate: float | None, **options: Any
) -> dict[str, Any]:
    if what == "sync":
        return bench_sync(records, workers=workers)
    if what == "deliver":
        return bench_deliver(records, workers=workers, latency_ms=latency_ms)
    if what == "event":
        return bench_event(records, workers=workers, rate=rate or 50.0)
    if what == "audit":
        return bench_audit(records)
    if what == "arbitrate":
        return bench_arbitrate(records)
    if what == "reconcile":
        return bench_reconcile(records)
    return bench_ledger(records) if what == "ledger" else measure(records)


def _in_words(found: dict[str, Any]) -> str:
    return "\n".join(f"{name:28s} {value}" for name, value in found.items())
