"""The demo firm run through in this process: its systems, its configuration, its syncs, and everything that watches them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.test.utils import override_settings

from connectors.simulators.firm import build_firm
from connectors.simulators.server import Landscape
from hub.sync import demo, engine
from hub.sync.models import Run
from hub.sync.states import RunStatus
from monitoring.demo.comparing import compare
from monitoring.exceptions import collect
from monitoring.expectations import services as expectations
from monitoring.models import Reconciliation
from monitoring.reconciliation import services as reconciliations

MOST_RUNS = 500


def check(profile: str, *, seed: int = 1, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Load the demo into this (empty) hub, let it work until nothing is due, and compare the queue with what was planted."""
    prepared = demo.prepare(profile=profile, seed=seed)
    today = date.fromisoformat(prepared.today)
    with Landscape(prepared.base_port) as systems:
        systems.seed(profile, seed=seed, today=today)
        say(f"{demo.load(prepared)} documents applied")
        demo.start_first_syncs()
        say(f"{run_until_quiet()} runs")
        watch()
        say("judged")
    return compare(build_firm(profile, today=today, seed=seed))


def run_until_quiet() -> int:
    """Carry out every queued run, and those that they start, until none is left."""
    for number in range(MOST_RUNS):
        run = Run.objects.filter(status=RunStatus.QUEUED).order_by("pk").first()
        if run is None:
            return number
        engine.execute(run.pk)
    raise RuntimeError(f"After {MOST_RUNS} runs there is still something to do.")


def watch() -> None:
    """What beats ring for in a hub that runs: expectations, reconciliations, exceptions."""
    expectations.sweep()
    for each in Reconciliation.objects.filter(is_paused=False):
        reconciliations.compare_here(each)
    with override_settings(HUB_EXCEPTION_WAIT_SECONDS=0):  # half an hour later: what waits still, waits for a person
        collect.collect()
