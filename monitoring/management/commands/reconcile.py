"""manage.py reconcile SLUG [--json]: compare the two sides of a reconciliation now, and say what differs.

Exit 0 when it was compared and nothing is unexplained; 1 when something is, or when it could not be compared. The JSON is
whole either way: `status` is done, not_comparable or failed, `reason` says why.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from monitoring.models import Reconciliation, ReconciliationRun
from monitoring.reconciliation import queries, services
from monitoring.reconciliation.results import as_data


class Command(BaseCommand):
    help = "Compare the two sides of a reconciliation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="SLUG", help="the short name of the reconciliation")
        parser.add_argument(
            "--accept-small", action="store_true", help="few records, or none, are right: compare them all the same"
        )
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, name: str, accept_small: bool, **options: Any) -> None:
        try:
            run = services.compare_here(_find(name), is_small_accepted=accept_small)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(as_data(run)) if options["json"] else _in_words(run))
        if run.status != ReconciliationRun.Status.DONE or run.unexplained:
            sys.exit(1)


def _find(name: str) -> Reconciliation:
    found = Reconciliation.objects.filter(slug=name).first()
    if found is None:
        known = ", ".join(Reconciliation.objects.values_list("slug", flat=True)[:20]) or "there is none yet"
        raise ConfigError(f"There is no reconciliation {name!r}.", fix=f"Known: {known}.")
    return found


def _in_words(run: ReconciliationRun) -> str:
    if run.status != ReconciliationRun.Status.DONE:
        return f"{run.reconciliation}: {run.get_status_display()}. {run.reason}"
    lines = [
        f"{run.reconciliation}: {queries.headline(run)}",
        f"left {run.left:,}, right {run.right:,}, only left {run.only_left:,}, only right {run.only_right:,},"
        f" differing {run.differing:,}",
    ]
    for row in as_data(run)["totals"]:
        lines.append(
            f"  {row['currency'] or '-'} {row['legal_entity'] or '-'} {row['period']}: {row['left_amount']} against"
            f" {row['right_amount']}, {row['left']} and {row['right']} records"
        )
    return "\n".join(lines)
