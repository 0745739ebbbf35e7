"""What a line of the fault catalogue is made of: options, who does the damage, and the stage on which it happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.sync.chaos.crew import Crew
from hub.sync.chaos.proxy import Proxy
from hub.sync.chaos.world import Document, Source
from hub.sync.models import Sync

LEASE_SECONDS = 4.0


@dataclass
class Options:
    """`kills` is how often the fault happens, `seconds` how long a soak lasts.

    `within` is how many seconds after a fault work has to go on; 0 is what the catalogue says, which holds on a machine that
    does nothing else.
    """

    records: int = 5_000
    kills: int = 20
    seed: int = 1
    safety: str = "B"
    seconds: float = 60.0
    within: float = 0.0


@dataclass
class Stage:
    """What a nemesis may touch. `through` holds the proxies by the name of the service that stands behind them."""

    source: Source
    target_port: int
    through: Mapping[str, Proxy]
    inbound: Sync
    outbound: Sync


class Nemesis:
    """Does the damage. `left` faults are still to come, `fired` have really happened.

    One that `drives` keeps the work going until it is through: as soon as all is quiet the source changes.
    """

    left: int
    fired: int
    drives: bool = False

    def enter(self, stage: Stage) -> None:
        """Before the work begins."""

    def act(self, crew: Crew) -> None:
        """Again and again while the work is under way, many times a second."""
        raise NotImplementedError

    def wants_work(self, crew: Crew) -> bool:
        """Whether the source is to be read again, for one that drives."""
        return crew.is_idle

    def leave(self) -> None:
        """Put right what is still broken; the work is done, or has failed."""

    def figures(self) -> dict[str, Any]:
        """What was measured, for the report."""
        return {}

    def problem(self) -> str:
        """What was promised and did not hold, as a sentence; empty when it held."""
        return ""


def as_given(documents: list[Document]) -> list[Document]:
    return documents


def nothing_missing() -> str:
    return ""


@dataclass(frozen=True)
class Fault:
    """One line of the catalogue.

    `doubles_allowed` names classes of safety at which a double may be found, not avoided. `through` names services
    (`broker`, `database`) that workers reach by a proxy, `target` holds arguments of the fault target, `shaped` changes the
    configuration, `missing` says why the fault cannot be carried out here. Leases are
    short where workers are lost, and as long as in production where nothing may wait for their end.
    """

    name: str
    title: str
    nemesis: Callable[[Options, random.Random], Nemesis]
    classes: str = "ABCD"
    doubles_allowed: str = ""
    through: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    shaped: Callable[[list[Document]], list[Document]] = as_given
    missing: Callable[[], str] = nothing_missing
    env: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 3
    lease_seconds: float = LEASE_SECONDS
