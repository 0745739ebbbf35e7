"""manage.py confirm_run RUN --reason R [--json]: say that what a suspect run has shown is right."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.sync.models import Run
from hub.sync.removals import services


class Command(BaseCommand):
    help = "Say that a suspect run's source is right: what it did not show is gone, and its volume is usual."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int)
        parser.add_argument("--reason", default="", help="How you know; kept with the run.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, run: int, **options: Any) -> None:
        try:
            data = _confirm(run, options["reason"])
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        words = f"Run {data['run']} is called right; {data['missing']} records are missing."
        self.stdout.write(json.dumps(data) if options["json"] else words)


def _confirm(pk: int, reason: str) -> dict[str, Any]:
    found = Run.objects.filter(pk=pk).first()
    if found is None:
        raise ConfigError(f"There is no run {pk}.", fix="See /runs/ for its number.")
    taking = services.confirm(run=found, reason=reason, by=None)
    crawl = found.crawl
    return {"run": pk, "status": found.status, "missing": crawl.missing, "removal_run": taking.pk if taking else None}
