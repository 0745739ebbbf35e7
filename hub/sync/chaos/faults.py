"""The fault catalogue: what is broken, how often it really happened, and whether what was promised still holds."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import redis
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from hub.common.errors import ConfigError
from hub.sync import harness, services, sweeper
from hub.sync.chaos import world
from hub.sync.chaos.checker import Verdict, judge
from hub.sync.chaos.nemesis import Crew, Freezer, Killer
from hub.sync.models import Delivery, Run, Sync
from hub.sync.outbox import NEVER
from hub.sync.states import ACTIVE, DeliveryState, RunStatus

LEASE_SECONDS = 4.0
TICK_SECONDS = 0.5
# Without progress for this long a run has failed: nothing may be stuck.
PATIENCE_SECONDS = 120.0


class Nemesis(Protocol):
    left: int
    fired: int

    def act(self, crew: Crew) -> None: ...


@dataclass
class Options:
    records: int = 5_000
    kills: int = 20
    seed: int = 1
    safety: str = "B"


@dataclass
class Flusher:
    """The broker forgets everything: `left` times all its keys are dropped."""

    pick: random.Random
    left: int
    fired: int = 0
    next_at: float = field(default_factory=time.monotonic)

    def act(self, crew: Crew) -> None:
        if not self.left or time.monotonic() < self.next_at:
            return
        client = redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket://", "unix://"))
        client.flushall()
        client.close()
        self.left, self.fired = self.left - 1, self.fired + 1
        self.next_at = time.monotonic() + self.pick.uniform(0.5, 1.5)


@dataclass
class Nobody:
    """Nothing but the target's own faults."""

    left: int = 0
    fired: int = 0

    def act(self, crew: Crew) -> None:
        pass


@dataclass(frozen=True)
class Fault:
    """One line of the catalogue. `doubles_allowed` names classes of safety at which a double may be found, not avoided."""

    name: str
    title: str
    nemesis: Callable[[Options, random.Random], Nemesis]
    classes: str = "ABCD"
    doubles_allowed: str = ""


def _killer(options: Options, pick: random.Random) -> Nemesis:
    return Killer(pick, options.kills)


def _freezer(options: Options, pick: random.Random) -> Nemesis:
    return Freezer(pick, options.kills, LEASE_SECONDS)


def _flusher(options: Options, pick: random.Random) -> Nemesis:
    return Flusher(pick, options.kills)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("F1", "Workers are killed (SIGKILL) in the middle of their work", _killer),
        Fault("F2", "Workers are frozen past their lease, then wake up", _freezer, doubles_allowed="CD"),
        Fault("F3", "The broker forgets everything", _flusher),
        Fault("F8", "The target fails, dawdles and loses answers", lambda options, pick: Nobody()),
    )
}


@dataclass
class Report:
    """One run. `fired` counts faults that really happened, those of the target apart."""

    fault: str
    safety: str
    records: int
    seed: int
    fired: int
    target_faults: dict[str, int]
    verdict: Verdict
    seconds: float
    passed: bool
    reason: str = ""

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        return {**data.pop("verdict"), **data}


def run(name: str, options: Options) -> Report:
    """Carry one fault out on a fresh hub. Raises ConfigError for a name that is not in the catalogue."""
    fault = FAULTS.get(name)
    if fault is None:
        raise ConfigError(f"There is no fault {name!r}.", fix=f"Choose one of: {', '.join(FAULTS)}.")
    if options.safety not in fault.classes:
        raise ConfigError(f"{name} says nothing about class {options.safety}.", fix=f"Choose among {fault.classes}.")
    started = time.monotonic()
    nemesis = fault.nemesis(options, random.Random(options.seed))
    with tempfile.TemporaryDirectory() as folder:
        world.write_pages(Path(folder), options.records, options.seed)
        arguments = ["--class", options.safety, "--seed", str(options.seed)]
        with (
            harness.server("hub.sync.bench.source", folder) as source,
            harness.server("hub.sync.chaos.target", *arguments) as target,
        ):
            harness.apply(world.documents(source, target, options.safety, records=options.records))
            stuck = _work(options, nemesis, Crew(Path(folder) / "worker.log", LEASE_SECONDS))
            rows, fired = world.control(target, "rows"), world.control(target, "fired")
    records = [world.record(number, options.seed) for number in range(options.records)]
    verdict = judge(records, rows, sync_id=Sync.objects.get(slug="chaos-out").pk)
    reason = _reason(fault, options, nemesis, fired, verdict, stuck)
    seconds = round(time.monotonic() - started, 1)
    return Report(
        name, options.safety, options.records, options.seed, nemesis.fired, fired, verdict, seconds, not reason, reason
    )


def _reason(
    fault: Fault, options: Options, nemesis: Nemesis, fired: dict[str, int], verdict: Verdict, stuck: str
) -> str:
    """Why the run has not passed; empty when it has. A fault that never happened proves nothing."""
    if stuck:
        return stuck
    if nemesis.left:
        return f"{nemesis.left} of the faults did not happen before the work was done."
    if not nemesis.fired and not sum(fired.values()):
        return "No fault happened."
    if options.safety in fault.doubles_allowed:
        verdict = Verdict(lost=verdict.lost, wrong=verdict.wrong, broken=verdict.broken)
    if not verdict.holds:
        return "What was promised does not hold; see the figures."
    if options.safety != "D" and (verdict.unsure or verdict.in_queue):
        return "Doubts were left to a person although this target can be asked."
    return ""


# The work ------------------------------------------------------------------------------------------------------
def _work(options: Options, nemesis: Nemesis, crew: Crew) -> str:
    """Until everything is read and delivered; returns what is stuck, or nothing."""
    inbound, outbound = Sync.objects.get(slug="chaos-in"), Sync.objects.get(slug="chaos-out")
    patience = Patience()
    try:
        while True:
            crew.keep_alive()
            nemesis.act(crew)
            if patience.is_time_to_tick():
                close_old_connections()
                _tick(inbound)
                crew.done = sum(patience.look(outbound))
                if _is_done(options, inbound, outbound):
                    return ""
                if patience.is_over():
                    return f"Nothing moved for {PATIENCE_SECONDS:.0f} s."
            time.sleep(0.02)
    finally:
        if isinstance(nemesis, Freezer):
            nemesis.thaw()
        crew.stop()


@dataclass
class Patience:
    """Notices that nothing moves."""

    seen: tuple[int, ...] = ()
    moved_at: float = field(default_factory=time.monotonic)
    tick_at: float = 0.0

    def is_time_to_tick(self) -> bool:
        if time.monotonic() < self.tick_at:
            return False
        self.tick_at = time.monotonic() + TICK_SECONDS
        return True

    def look(self, outbound: Sync) -> tuple[int, ...]:
        """(records read, delivered, tried): whatever of these changes is movement."""
        rows = Delivery.objects.filter(sync=outbound)
        now = (rows.count(), rows.filter(state=DeliveryState.DELIVERED).count(), rows.filter(attempts__gt=0).count())
        if now != self.seen:
            self.seen, self.moved_at = now, time.monotonic()
        return now

    def is_over(self) -> bool:
        return time.monotonic() - self.moved_at > PATIENCE_SECONDS


def _tick(inbound: Sync) -> None:
    """What the scheduler does on every hub; and the source is read again when a run of it was given up."""
    try:
        sweeper.tick()
    except DatabaseError:
        return
    last = Run.objects.filter(sync=inbound).order_by("-pk").first()
    if last is None or last.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        services.start_run(sync=inbound)


def _is_done(options: Options, inbound: Sync, outbound: Sync) -> bool:
    if Run.objects.filter(sync__in=(inbound, outbound), status__in=ACTIVE).exists():
        return False
    if Run.objects.filter(sync=inbound).latest("pk").status != RunStatus.SUCCEEDED:
        return False
    rows = Delivery.objects.filter(sync=outbound)
    waits = rows.filter(state__in=(DeliveryState.PENDING, DeliveryState.UNSURE), next_at__lt=NEVER)
    return rows.count() >= options.records and not waits.exists()
