"""manage.py replay --filter "state=dead sync=psa-out since=2h"  --plan | --go [--wait SECONDS]  --json: dead letters again.

--plan only counts. --go makes the job and puts here what it can; workers deliver it. Exit code 0 = planned, or put; with
--wait only when everything has arrived.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from hub.sync.management.aimed import AimedCommand
from hub.sync.models import Replay
from hub.sync.replays import jobs, letters, reads, work
from hub.sync.replays import plan as planning
from hub.sync.replays.plan import ReplayPlan, Wanted

POLL_SECONDS = 0.5


class Command(AimedCommand):
    help = "Put dead letters again, or discard them, by filter; planned first, then as a tracked job."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--filter", required=True, help=f"key=value words: {', '.join(letters.KEYS)}. '' is all.")
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument("--plan", action="store_true", help="Count what would be done.")
        step.add_argument("--go", action="store_true", help="Do it.")
        parser.add_argument("--action", choices=Replay.Action.values, default="retry")
        parser.add_argument("--versions", choices=Replay.Versions.values, default="current")
        parser.add_argument("--from", choices=Replay.Scope.values, default="failed", dest="scope")
        parser.add_argument("--reason", default="", help="Kept with the job; a discard needs one.")
        parser.add_argument("--token", default="", help="The same token twice is one job.")
        parser.add_argument("--expect", type=int, help="Go only if the plan still has this number.")
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="Wait for workers to deliver.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.is_unfinished:
            sys.exit(1)

    is_unfinished = False

    def act(self, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
        names = ("action", "versions", "scope")
        wanted = Wanted(letters.parse(options["filter"]), **{name: options[name] for name in names})
        if options["plan"]:
            found = planning.plan(wanted, by=None)
            return {**found.as_data(), "is_done": False}, _plan_words(found)
        asked = {name: options[name] for name in ("reason", "token", "expect")}
        replay, made = jobs.go(wanted, by=None, **asked)
        if replay is None:
            return {"replay": None, "made": False, "planned": 0, "state": "done"}, "Nothing is left to put again."
        self._carry_out(replay, options["wait"])
        return {"made": made, **reads.as_data(replay)}, _words(replay, made)

    def _carry_out(self, replay: Replay, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds
        while True:
            work.execute(replay.pk)
            replay.refresh_from_db()
            if replay.state != Replay.State.RUNNING or time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        counts = reads.numbers(replay)
        self.is_unfinished = replay.state == Replay.State.NEEDS_APPROVAL or (
            wait_seconds > 0 and (replay.state != Replay.State.DONE or counts["failed"] > 0)
        )
        if self.is_unfinished:
            self.stderr.write(replay.plan["needs_approval"] or f"{counts['failed']} failed again.")


def _plan_words(found: ReplayPlan) -> str:
    data = found.as_data()
    parts = [f"{number:,} {act}" for act, number in found.by_act.items() if act != "leave"]
    amounts = ", ".join(f"{total} {currency}" for currency, total in data["amounts"].items())
    lines = [
        f"{found.number:,} would be put again{f' ({amounts})' if amounts else ''}: {', '.join(parts) or 'nothing'}."
    ]
    lines += [f"{found.left:,} are left to a person."] if found.left else []
    return "\n".join([*lines, *([found.approval] if found.approval else [])])


def _words(replay: Replay, made: bool) -> str:
    counts = ", ".join(f"{number:,} {name}" for name, number in reads.numbers(replay).items() if number)
    known = "" if made else " It was asked for before; nothing was started twice."
    return f"{replay} is {replay.get_state_display().lower()}: {counts}.{known}"
