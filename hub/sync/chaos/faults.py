"""The fault catalogue: what is broken, how often it really happened, and whether what was promised still holds."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.common.errors import ConfigError
from hub.sync import harness
from hub.sync.chaos import faults_services, faults_target, faults_work, soak, world
from hub.sync.chaos.checker import Verdict, judge
from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import LEASE_SECONDS, Fault, Nemesis, Options, Stage
from hub.sync.chaos.nemesis import Freezer, Killer
from hub.sync.chaos.proxy import Proxy, proxy
from hub.sync.chaos.work import work
from hub.sync.models import Delivery, Run, Sync
from hub.sync.states import DeliveryState, RunStatus


@dataclass
class Nobody(Nemesis):
    """Nothing but the target's own faults."""

    left: int = 0
    fired: int = 0

    def act(self, crew: Crew) -> None:
        pass


WORKERS_AND_TARGET = (
    Fault(
        "F1",
        "Workers are killed (SIGKILL) in the middle of their work",
        lambda options, pick: Killer(pick, options.kills),
    ),
    Fault(
        "F2",
        "Workers are frozen past their lease, then wake up",
        lambda options, pick: Freezer(pick, options.kills, LEASE_SECONDS),
        doubles_allowed="CD",
    ),
    Fault("F8", "The target fails, dawdles and loses answers", lambda options, pick: Nobody()),
)
MODULES = (WORKERS_AND_TARGET, faults_services.FAULTS, faults_target.FAULTS, faults_work.FAULTS, soak.FAULTS)
FAULTS = {fault.name: fault for faults in MODULES for fault in faults}


@dataclass
class Report:
    """One run. `fired` counts faults that really happened, those of the target apart; `figures` are the nemesis's own."""

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
    figures: dict[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        return {**data.pop("verdict"), **data.pop("figures"), **data}


def run(name: str, options: Options) -> Report:
    """Carry one fault out on a fresh hub. Raises ConfigError for a name that is not in the catalogue."""
    fault = FAULTS.get(name)
    if fault is None:
        raise ConfigError(f"There is no fault {name!r}.", fix=f"Choose one of: {', '.join(FAULTS)}.")
    if options.safety not in fault.classes:
        raise ConfigError(f"{name} says nothing about class {options.safety}.", fix=f"Choose among {fault.classes}.")
    head = (name, options.safety, options.records, options.seed)
    if missing := fault.missing():
        return Report(*head, 0, {}, Verdict(), 0.0, False, f"not run: {missing}")
    started = time.monotonic()
    nemesis = fault.nemesis(options, random.Random(options.seed))
    with tempfile.TemporaryDirectory() as folder, _staged(fault, options, Path(folder)) as stage:
        crew = Crew(
            Path(folder) / "worker.log", LEASE_SECONDS, fault.concurrency, {**fault.env, **_behind(stage.through)}
        )
        stuck = work(stage, nemesis, crew)
        fired = world.control(stage.target_port, "fired")
        verdict = judge(stage.source.rows(), world.control(stage.target_port, "rows"), sync_id=stage.outbound.pk)
        figures = {**_troubles(stage), **nemesis.figures()}
        reason = stuck or _reason(fault, options, nemesis, fired, verdict)
    seconds = round(time.monotonic() - started, 1)
    return Report(*head, nemesis.fired, fired, verdict, seconds, not reason, reason, figures)


@contextmanager
def _staged(fault: Fault, options: Options, folder: Path) -> Iterator[Stage]:
    """Source, target and proxies run, the hub is configured."""
    source = world.Source(folder, options.records, options.seed)
    source.write()
    arguments = ["--class", options.safety, "--seed", str(options.seed), *fault.target]
    with ExitStack() as stack:
        source_port = stack.enter_context(harness.server("hub.sync.bench.source", str(folder)))
        target_port = stack.enter_context(harness.server("hub.sync.chaos.target", *arguments))
        through = {name: stack.enter_context(proxy(_address(name))) for name in fault.through}
        harness.apply(fault.shaped(world.documents(source_port, target_port, options.safety, records=options.records)))
        syncs = (Sync.objects.get(slug="chaos-in"), Sync.objects.get(slug="chaos-out"))
        yield Stage(source, target_port, through, *syncs)


def _address(service: str) -> str:
    """The unix socket of an embedded service."""
    if service == "broker":
        return urlsplit(os.environ["REDIS_URL"]).path
    return f"{os.environ['DATABASE_URL'].partition('host=')[2]}/.s.PGSQL.5432"


def _behind(through: Mapping[str, Proxy]) -> dict[str, str]:
    """The environment of a worker that reaches services by their proxies."""
    urls = {"broker": "REDIS_URL", "database": "DATABASE_URL"}
    return {urls[name]: _url(name, found.port) for name, found in through.items()}


def _url(service: str, port: int) -> str:
    if service == "broker":
        return f"redis://127.0.0.1:{port}/0"
    parts = urlsplit(os.environ["DATABASE_URL"])
    return f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"


def _troubles(stage: Stage) -> dict[str, int]:
    """What a person would have to look at."""
    failed = Run.objects.filter(sync__in=(stage.inbound, stage.outbound), status=RunStatus.FAILED).count()
    dead = Delivery.objects.filter(sync=stage.outbound, state=DeliveryState.DEAD).count()
    return {"failed_runs": failed, "dead": dead}


def _reason(fault: Fault, options: Options, nemesis: Nemesis, fired: dict[str, int], verdict: Verdict) -> str:
    """Why the run has not passed; empty when it has. A fault that never happened proves nothing."""
    if nemesis.left:
        return f"{nemesis.left} of the faults did not happen before the work was done."
    if not nemesis.fired and not sum(fired.values()):
        return "No fault happened."
    if options.safety in fault.doubles_allowed:
        verdict = Verdict(lost=verdict.lost, wrong=verdict.wrong, broken=verdict.broken)
    if problem := nemesis.problem():
        return problem
    if not verdict.holds:
        return "What was promised does not hold; see the figures."
    if options.safety != "D" and (verdict.unsure or verdict.in_queue):
        return "Doubts were left to a person although this target can be asked."
    return ""
