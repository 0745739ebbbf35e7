"""manage.py run_sync SLUG [--wait] [--json]: run a sync now. Exit code 0 only when it succeeded."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.sync import services
from hub.sync.models import Sync
from hub.sync.states import RunStatus


class Command(BaseCommand):
    help = "Run a sync now and say what became of every record."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--wait", action="store_true", help="Work here until the run has ended.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, slug: str, **options: Any) -> None:
        try:
            run = self._run(slug, wait=options["wait"])
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        report = services.report(run)
        self.stdout.write(json.dumps(report) if options["json"] else _in_words(report))
        if run.error:
            self.stderr.write(run.error)
        if options["wait"] and run.status != RunStatus.SUCCEEDED:
            sys.exit(1)

    def _run(self, slug: str, *, wait: bool) -> Any:
        sync = Sync.objects.filter(slug=slug).select_related("mapping__stream__connection").first()
        if sync is None:
            known = ", ".join(Sync.objects.values_list("slug", flat=True)[:20]) or "none yet"
            raise ConfigError(f"There is no sync {slug!r}.", fix=f"Known: {known}.")
        return services.run_here(sync=sync) if wait else services.start_run(sync=sync)[0]


def _in_words(report: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{name} {report[name]}" for name in ("created", "updated", "unchanged", "rejected", "waiting", "failed")
    )
    held = f" {report['possible_duplicates']} held as possible duplicates." if "possible_duplicates" in report else ""
    return f"Run {report['run']} {report['status'].replace('_', ' ')}: read {report['read']}: {counts}.{held}"
