"""manage.py demo prepare | load | status | check: the demo firm of this hub. `make run` calls the first two on an empty hub.

`check` works on a hub of its own: it loads the demo firm there, lets it work, and compares what people are asked about with the
faults that were planted. Exit 0 when every one is found, with cause, amount and team, and nothing else is.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from json import dumps
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import HubError
from hub.sync import demo
from monitoring.demo.comparing import in_words
from monitoring.demo.running import check


class Command(BaseCommand):
    help = "Prepare or load the demo firm, say whether this hub has one, or check that its planted faults are found."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["prepare", "load", "status", "check"])
        parser.add_argument("--profile", default="small", choices=["tiny", "small"])
        parser.add_argument("--seed", type=int, default=1, help="For check: another seed is another firm.")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, action: str, profile: str, **options: Any) -> None:
        try:
            if action == "check":
                return self._check(profile, **options)
            found = self._act(action, profile)
        except HubError as error:
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(dumps(found) if options["json"] else str(found.pop("sentence")))

    def _check(self, profile: str, *, seed: int, json: bool, **_: Any) -> None:
        found = check(profile, seed=seed, say=self.stderr.write)
        self.stdout.write(dumps(found) if json else in_words(found))
        if not found["passed"]:
            sys.exit(1)

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
