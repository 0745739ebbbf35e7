"""manage.py backfill SYNC --from A --to B | --keys FILE  --plan | --go [--per-second N] [--reason R] [--wait] [--json].

FILE is a CSV or one key a line, - for standard input. --plan only says what would be read. Exit code 0: planned, in its lane,
or with --wait done; keys that the source does not have are named on stderr, and make --wait exit with 1.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.sync import backfills, services
from hub.sync.backfills import Asked
from hub.sync.management.aimed import find_sync
from hub.sync.models import Backfill, Sync

LONGEST_WAIT_SECONDS = 7 * 86_400


class Command(BaseCommand):
    help = "Read a part of a source once more, in its own lane and at its own pace; the cursor stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC")
        parser.add_argument(
            "--from", dest="from_value", default="", help="First cursor value, as the source writes it."
        )
        parser.add_argument("--to", dest="to_value", default="", help="Last cursor value; a date is that whole day.")
        parser.add_argument("--keys", metavar="FILE", help="Ids at the source: CSV or one a line; - is standard input.")
        parser.add_argument("--per-second", type=float, default=0.0, help="Most requests a second.")
        parser.add_argument("--reason", default="", help="Kept with the backfill.")
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument("--plan", action="store_true", help="Say what would be read.")
        step.add_argument("--go", action="store_true", help="Put it in its lane.")
        parser.add_argument("--wait", action="store_true", help="With --go: wait until workers have finished it.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sync = find_sync(options["sync"])
            asked = _asked(sync, options)
            if options["plan"]:
                planned = backfills.plan(sync, asked)
                self._say(planned.as_data(), planned.in_words, options)
                return
            found = backfills.start(sync, asked, by=None)
            if options["wait"]:
                services.wait_for(found.run, timeout_seconds=LONGEST_WAIT_SECONDS)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self._end(Backfill.objects.select_related("run", "sync").get(pk=found.pk), options)

    def _end(self, found: Backfill, options: dict[str, Any]) -> None:
        report = backfills.report(found)
        if options["wait"] and found.not_found:
            report["not_found_keys"] = found.not_found
            self.stderr.write(f"The source does not have: {', '.join(found.not_found)}")
        words = f"Backfill {found.pk} of {found.sync.name} ({found}): {report['state']}, read {report['read']}."
        self._say(report, words, options)
        if options["wait"] and (found.not_found or found.run.status != "succeeded"):
            sys.exit(1)

    def _say(self, data: dict[str, Any], words: str, options: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(data, default=str) if options["json"] else words)


def _asked(sync: Sync, options: dict[str, Any]) -> Asked:
    keys = _keys(options["keys"], sync) if options["keys"] else []
    if options["keys"] and not keys:
        raise ConfigError("The file holds no key.", where=options["keys"], code="BACKFILL")
    return Asked(options["from_value"], options["to_value"], keys, options["per_second"], options["reason"])


def _keys(name: str, sync: Sync) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file cannot be read: {error}.", where=name) from None
    return backfills.keys_in(text.splitlines(), header="|".join(sync.stream.key_fields))
