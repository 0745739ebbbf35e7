"""manage.py demo prepare | load | status: the demo firm of this hub. `make run` calls these by itself on an empty hub."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import HubError
from hub.sync import demo


class Command(BaseCommand):
    help = "Prepare or load the demo firm, or say whether this hub has one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["prepare", "load", "status"])
        parser.add_argument("--profile", default="small", choices=["tiny", "small"])
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, action: str, profile: str, **options: Any) -> None:
        try:
            found = self._act(action, profile)
        except HubError as error:
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(found) if options["json"] else str(found.pop("sentence")))

    def _act(self, action: str, profile: str) -> dict[str, Any]:
        if action == "status":
            present = demo.current()
            sentence = "This hub has a demo firm." if present else "This hub has no demo firm."
            return {"sentence": sentence, "demo": asdict(present) if present else None}
        prepared = demo.prepare(profile=profile)
        if action == "prepare":
            return {"sentence": f"The simulated systems use the ports {prepared.ports}.", "demo": asdict(prepared)}
        changed = demo.load(prepared)
        runs = demo.start_first_syncs()
        return {
            "sentence": f"Demo firm loaded: {changed} documents, {len(runs)} syncs started.",
            "runs": [r.pk for r in runs],
        }
