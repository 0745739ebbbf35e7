"""manage.py bench sync --records N [--workers 2] --json | bench mapping --json: figures as ratios, on a scratch hub."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.sync.bench.run import bench_sync
from mappings.bench import measure


class Command(BaseCommand):
    help = "Measure the hub beside a hand-written path in one run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["sync", "mapping"])
        parser.add_argument("--records", type=int, default=100_000)
        parser.add_argument("--workers", type=int, default=2)
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, what: str, records: int, workers: int, **options: Any) -> None:
        found = bench_sync(records, workers=workers) if what == "sync" else measure(records)
        self.stdout.write(json.dumps(found, default=str) if options["json"] else _in_words(found))
        if not found.get("passed", True):
            sys.exit(1)


def _in_words(found: dict[str, Any]) -> str:
    return "\n".join(f"{name:28s} {value}" for name, value in found.items())
