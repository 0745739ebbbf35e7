"""Faults that are a story of their own, beside those of `faults` that are done to workers at a set load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.sync.chaos.fault import Options

Figures = dict[str, Any]


@dataclass
class Told:
    """What a story came to: how often the fault really happened, figures, and what is wrong with them, in words."""

    fired: Counter[str] = field(default_factory=Counter)
    figures: Figures = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: Any, wanted: Any = 0) -> None:
        """Keep a figure; one that is not as wanted fails the run."""
        self.figures[what] = found
        if found != wanted:
            self.wrong.append(f"{what} is {found} and should be {wanted}.")

    def count(self, fired: Mapping[str, int]) -> None:
        self.fired.update(fired)


@dataclass(frozen=True)
class Scenario:
    """One line of the catalogue. `must_fire` names the faults that have to happen each; without one, any will do."""

    name: str
    title: str
    carry_out: Callable[[Options, Told], None]
    must_fire: tuple[str, ...] = ()


def run(scenario: Scenario, options: Options) -> Figures:
    """Carry a story out on a fresh hub; a fault that did not happen proves nothing."""
    started, told = time.monotonic(), Told()
    scenario.carry_out(options, told)
    missing = [name for name in scenario.must_fire if not told.fired[name]]
    if missing or not told.fired.total():
        told.wrong.insert(0, f"These faults did not happen: {', '.join(missing) or 'none at all did'}.")
    return {
        "fault": scenario.name,
        "seed": options.seed,
        "records": options.records,
        "fired": told.fired.total(),
        "faults": dict(told.fired),
        **told.figures,
        "seconds": round(time.monotonic() - started, 1),
        "passed": not told.wrong,
        "reason": " ".join(told.wrong),
    }


def catalogue(*groups: Sequence[Scenario]) -> dict[str, Scenario]:
    return {scenario.name: scenario for group in groups for scenario in group}
