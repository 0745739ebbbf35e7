"""manage.py evaluate [--json]: what is expected, late and promised now; takes the ledger to the present first.

Prints {"expectations", "service_levels", "freshness", "alerts"}. Exit 0 = evaluated, whatever it found.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import HubError
from monitoring.evaluation import evaluate


class Command(BaseCommand):
    help = "Evaluate expectations, service levels, freshness and alerts now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = evaluate()
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(found) if options["json"] else in_words(found))


def in_words(found: dict[str, Any]) -> str:
    counts = found["expectations"]
    lines = [
        f"expectations: {counts['open']:,} due, {counts['late']:,} late; now opened {counts['opened']:,},"
        f" met {counts['met']:,}, warned {counts['warned']:,}, breached {counts['breached']:,}",
        *(
            f"  {each['service_level']}: {each['state']}, {each['attained_percent'] or '–'} % of"
            f" {each['objective_percent']} % in {each['window']}"
            for each in found["service_levels"]
        ),
        *(f"  {each['stream']}: {each['state']}" for each in found["freshness"]),
        f"alerts: {len(found['alerts'])}",
    ]
    return "\n".join(lines)
