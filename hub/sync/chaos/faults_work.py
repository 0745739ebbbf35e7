"""Faults of the work itself: several schedulers, several workers at one record, a mapping that changes under a run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connections
from django.utils import timezone

from hub.cli.paths import ROOT, data_dir
from hub.cli.process import kill_group, spawn
from hub.sync import services, sweeper
from hub.sync.chaos import locks, target, world
from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import Fault, Nemesis, Options, Stage
from hub.sync.chaos.faults_services import missing
from hub.sync.models import Run, Schedule, ScheduleSlot, Transaction
from hub.sync.states import Outcome
from mappings.models import MappingVersion
from mappings.services import activate_rules

# A write that the target carries out late may land on a newer one; where order is looked at, none is late.
PROMPT = ("--mix", json.dumps({name: chance for name, chance in target.MIX.items() if name != "slow"}))
SCHEDULERS = 3
FAR = timedelta(days=3650)


@dataclass
class Schedulers(Nemesis):
    """`left` slots become due, one after the other, before the eyes of several schedulers; now and then all are down."""

    pick: random.Random
    left: int
    fired: int = 0
    drives: bool = True
    missed: int = 0
    beats: list[subprocess.Popen[bytes]] = field(default_factory=list)
    schedule: Schedule = field(init=False)

    def enter(self, stage: Stage) -> None:
        self.schedule = Schedule.objects.create(sync=stage.inbound, cron="* * * * *", next_at=timezone.now() + FAR)
        self._start()

    def _start(self) -> None:
        for number in range(SCHEDULERS):
            command = [sys.executable, "-m", "celery", "-A", "hub", "beat", "--loglevel", "ERROR", "--pidfile="]
            with open(data_dir() / "beats.log", "ab") as log:
                self.beats.append(
                    spawn([*command, "-s", str(data_dir() / f"beat-{number}")], log=log.fileno(), cwd=ROOT)
                )

    def act(self, crew: Crew) -> None:
        if not self.left or not crew.is_idle:
            return
        crew.is_idle = False
        if self.pick.random() < 0.2:
            self.leave()
            self.missed += 1
            self._due(timezone.now() - timedelta(hours=3))
            self._start()
        else:
            self._due(timezone.now() - timedelta(seconds=self.pick.uniform(0, 50)))
        self._race()
        self.left, self.fired = self.left - 1, self.fired + 1

    def _due(self, at: datetime) -> None:
        Schedule.objects.filter(pk=self.schedule.pk).update(next_at=at)

    def _race(self) -> None:
        """As many schedulers once more, all at the same moment."""
        together = threading.Barrier(SCHEDULERS)

        def fire() -> None:
            together.wait()
            try:
                sweeper.fire_schedules()
            finally:
                connections.close_all()

        threads = [threading.Thread(target=fire) for _ in range(SCHEDULERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Schedule.objects.filter(pk=self.schedule.pk).update(next_at=timezone.now() + FAR)

    def wants_work(self, crew: Crew) -> bool:
        return False

    def leave(self) -> None:
        while self.beats:
            kill_group(self.beats.pop())

    def figures(self) -> dict[str, Any]:
        return {"slots": self._slots(), "runs": self._runs(), "times_all_were_down": self.missed}

    def _slots(self) -> int:
        return ScheduleSlot.objects.filter(schedule=self.schedule).count()

    def _runs(self) -> int:
        return Run.objects.filter(sync=self.schedule.sync, trigger=Run.Trigger.SCHEDULE).count()

    def problem(self) -> str:
        if self._slots() == self._runs() == self.fired:
            return ""
        return f"{self.fired} slots were due, {self._slots()} were claimed and {self._runs()} runs were made for them."


@dataclass
class Meddler(Nemesis):
    """Changes something while there is work, again and again with `pause_seconds` between."""

    pick: random.Random
    left: int
    fired: int = 0
    drives: bool = True
    next_at: float = 0.0
    pause_seconds: float = 0.1
    stage: Stage = field(init=False)

    def enter(self, stage: Stage) -> None:
        self.stage = stage

    def act(self, crew: Crew) -> None:
        if not self.left or time.monotonic() < self.next_at or not crew.done:
            return
        self.meddle()
        self.left, self.fired, self.next_at = self.left - 1, self.fired + 1, time.monotonic() + self.pause_seconds

    def meddle(self) -> None:
        raise NotImplementedError


@dataclass
class Editor(Meddler):
    """The outbound mapping gets another active version every tenth of a second."""

    def meddle(self) -> None:
        mapping = self.stage.outbound.mapping
        rules = [rule for rule in self._rules() if rule["target"] != "edition"]
        constant = {"target": "edition", "kind": "constant", "value": f"v{self.fired + 1}"}
        activate_rules(mapping=mapping, rules=[*rules, constant], by=None)

    def _rules(self) -> list[dict[str, Any]]:
        return list(self.stage.outbound.mapping.versions.get(status=MappingVersion.Status.ACTIVE).rules)

    def problem(self) -> str:
        """Each row carries what the version says that its run was pinned to."""
        if self._versions_used() < 2:
            return "No run began after an edit, so that nothing could be mixed up."
        said = {row["number"]: row.get("edition") for row in world.control(self.stage.target_port, "rows")}
        wrong = [key for key, edition in self._pinned().items() if said.get(key) != edition]
        return f"{len(wrong)} rows are not of the version that their run was pinned to: {wrong[:5]}." if wrong else ""

    def _pinned(self) -> dict[str, str | None]:
        """key → what the pinned version of the run that wrote it last would have written."""
        of_run = dict(Run.objects.filter(sync=self.stage.outbound).values_list("pk", "mapping_version_id"))
        of_version = {
            version.pk: next((rule.get("value") for rule in version.rules if rule["target"] == "edition"), None)
            for version in self.stage.outbound.mapping.versions.all()
        }
        written = Transaction.objects.filter(
            sync_id=self.stage.outbound.pk, outcome__in=(Outcome.CREATED, Outcome.UPDATED)
        ).order_by("id")
        return {str(key): of_version[of_run[run]] for key, run in written.values_list("key", "run_id")}

    def figures(self) -> dict[str, Any]:
        return {"versions_used": self._versions_used()}

    def _versions_used(self) -> int:
        return Run.objects.filter(sync=self.stage.outbound).values("mapping_version").distinct().count()


@dataclass
class Reviser(Meddler):
    """The same few records change all the time, faster than they can be read and delivered."""

    pause_seconds: float = 0.25

    def meddle(self) -> None:
        self.stage.source.revise()
        services.start_run(sync=self.stage.inbound)

    def wants_work(self, crew: Crew) -> bool:
        return True

    def _backwards(self) -> list[str]:
        """Records of which the target was told an older value after a newer one."""
        source = self.stage.source
        editions: dict[str, list[int]] = defaultdict(list)
        numbered = {
            (row["number"], row["amount"]): edition
            for edition in range(source.edition + 1)
            for row in world.Source(Path(), source.records, source.seed, edition).rows()
        }
        for number, amount in world.control(self.stage.target_port, "history"):
            editions[number].append(numbered[number, amount])
        return [number for number, told in editions.items() if told != sorted(told)]

    def figures(self) -> dict[str, Any]:
        return {"writes": len(world.control(self.stage.target_port, "history"))}

    def problem(self) -> str:
        back = self._backwards()
        return f"{len(back)} records went back to an older value: {', '.join(back[:5])}." if back else ""


def _locker(options: Options, pick: random.Random) -> Nemesis:
    return locks.Locker(pick, options.kills, locks.lock_in_reverse_or_long)


FAULTS = (
    Fault("F7", "Deadlocks, and locks that are not given in time", _locker, missing=missing),
    Fault(
        "F22",
        "Several schedulers see the same slots; all of them are down for hours",
        lambda options, pick: Schedulers(pick, options.kills),
        env={"HUB_TICK_SECONDS": "1"},
    ),
    Fault(
        "F23",
        "Eight workers at a few records that change all the time",
        lambda options, pick: Reviser(pick, options.kills),
        classes="B",
        target=PROMPT,
        concurrency=8,
    ),
    Fault(
        "F25",
        "The mapping is edited in the middle of a run",
        lambda options, pick: Editor(pick, options.kills),
        target=PROMPT,
    ),
)
