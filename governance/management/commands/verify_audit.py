"""manage.py verify_audit [--json]: check the audit from its first entry to its last. Exit 0 only when nobody touched it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from governance.audit.verifying import Report, verify


class Command(BaseCommand):
    help = "Check that no entry of the audit was changed, removed, moved or added from outside."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        report = verify()
        self.stdout.write(json.dumps(report.as_data()) if options["json"] else in_words(report))
        if not report.ok:
            sys.exit(2)


def in_words(report: Report) -> str:
    if report.ok:
        return f"{report.rows:,} entries, none was touched."
    lines = [f"{t.seq:>10} entry {t.entry_id or '-'}: {t.what}" for t in report.tampered]
    return "\n".join([*lines, f"{report.rows:,} entries read, {len(report.tampered):,} were touched."])
