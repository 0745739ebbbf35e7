"""manage.py chaos list | mutants | crash-points | F1 --records N --kills K --seed S --class B --json: break, then compare."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.sync.chaos import crashes, faults, faults_reading, faults_values, mutants, proofs, scenarios
from hub.sync.chaos.fault import Options
from hub.sync.chaos.faults import FAULTS
from hub.sync.chaos.points import POINTS
from hub.sync.chaos.proofs import PROOFS

CRASH_POINTS = "crash-points"
SCENARIOS = scenarios.catalogue(faults_reading.SCENARIOS, faults_values.SCENARIOS)


class Command(BaseCommand):
    help = "Carry out one fault of the catalogue and compare the target with the source."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="`list`, `mutants`, or a fault such as F1.")
        parser.add_argument("--records", type=int, default=5_000)
        parser.add_argument("--kills", type=int, default=20, help="How often the fault happens.")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--class", dest="safety", choices="ABCD", default="B", help="Write safety of the target.")
        parser.add_argument("--seconds", type=float, default=60.0, help="How long a soak (F38) lasts.")
        parser.add_argument(
            "--within", type=float, default=0.0, help="Seconds after which work has to go on; 0: as listed."
        )
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        chosen = Options(options["records"], options["kills"], options["seed"], options["safety"])
        chosen.seconds, chosen.within = options["seconds"], options["within"]
        found = self._found(name, chosen)
        self._say(found, options["json"])
        if not found.get("passed", True):
            sys.exit(1)

    def _found(self, name: str, chosen: Options) -> dict[str, Any]:
        if name == "list":
            return self._catalogue()
        if name == "mutants":
            return mutants.plant_all(say=self.stderr.write)
        self.stderr.write(f"{name}, class {chosen.safety}, seed {chosen.seed}")
        if name == CRASH_POINTS:
            return crashes.run(chosen.kills, chosen.seed, chosen.safety)
        if name in PROOFS:
            return proofs.run(PROOFS[name])
        if name in SCENARIOS:
            return scenarios.run(SCENARIOS[name], chosen)
        return faults.run(name, chosen).as_data()

    def _catalogue(self) -> dict[str, Any]:
        catalogue = [{"name": f.name, "title": f.title, "classes": f.classes} for f in FAULTS.values()]
        stories = [{"name": s.name, "title": s.title} for s in SCENARIOS.values()]
        tests = [{"name": p.name, "title": p.title, "tests": p.tests} for p in PROOFS.values()]
        points = {"name": CRASH_POINTS, "title": "Workers end at every crash point", "points": len(POINTS)}
        planted = [{"name": m.name, "detector": m.detector} for m in mutants.MUTANTS]
        return {"faults": [*catalogue, *stories, *tests, points], "mutants": planted}

    def _say(self, found: dict[str, Any], as_json: bool) -> None:
        text = json.dumps(found) if as_json else "\n".join(f"{name:16s} {value}" for name, value in found.items())
        self.stdout.write(text)
