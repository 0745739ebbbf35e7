"""manage.py whatif FILE --days 30 --json: what ownership rules of a file would have stopped. Writes nothing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand

from hub.common.errors import HubError
from hub.sync.ownership import whatif
from hub.sync.ownership.whatif import Forecast


class Command(BaseCommand):
    help = "Replay past traffic against ownership rules that are not in force."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="OwnershipRule documents, YAML or JSON.")
        parser.add_argument("--days", type=int, default=whatif.DAYS)
        parser.add_argument("--seconds", type=float, help="Stop after so long; the answer says how far it came.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, file: Path, days: int, seconds: float | None, **options: Any) -> None:
        try:
            given = whatif.read(file)
            found = whatif.forecast_documents(given, days=days, seconds=seconds, on_page=self._progress)
        except HubError as error:
            if options["json"]:
                self.stdout.write(orjson.dumps({"error": str(error), "code": error.code}).decode())
            self.stderr.write(str(error))
            sys.exit(1)
        if options["json"]:
            self.stdout.write(orjson.dumps(whatif.totals(found, days)).decode())
        else:
            self.stdout.write("\n".join(line for one in found for line in _in_words(one)))

    def _progress(self, done: int, total: int) -> None:
        if done % 200 == 0 or done == total:
            print(f"{done} of {total} pages", file=sys.stderr)


def _in_words(one: Forecast) -> list[str]:
    lines = [f"{one.entity}: {one.blocked} updates stopped, {one.reverted} sent back, {one.records} records"]
    lines += [
        f"  {t.rule:30s} {t.field:24s} {t.system:16s} {t.policy:10s} {t.updates:8d} {len(t.records):8d}"
        for t in one.tallies
    ]
    return lines + [f"  {sentence}" for sentence in (*one.problems, *one.replay.notes)]
