"""Cases and findings: what is tried, what must be true, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from connectors.catalog import Declaration

Verdict = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one case showed of one stream. `sentence` is what a person would read, or what is wrong."""

    case: str
    stream: str
    verdict: Verdict
    sentence: str
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        return self.verdict != "failed"


Run = Callable[[Declaration], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a system misbehaves. `does` says what the system does, `must` what has to be true then."""

    name: str
    does: str
    must: str
    # read when the case is run: a protocol may join later
    protocols: Collection[str]
    run: Run


CASES: dict[str, Case] = {}


def register_case(case: Case) -> Case:
    """Make a case known; raises ValueError for a name that is taken."""
    if CASES.setdefault(case.name, case) is not case:
        raise ValueError(f"There is a case {case.name!r} already.")
    return case


def run_cases(declaration: Declaration, names: Collection[str] | None = None) -> list[Finding]:
    """Every case (or those of `names`) that the declaration's protocol has, in the order of `CASES`."""
    chosen = [case for case in CASES.values() if names is None or case.name in names]
    return [
        finding for case in chosen if declaration.protocol in case.protocols for finding in _timed(case, declaration)
    ]


def _timed(case: Case, declaration: Declaration) -> Iterator[Finding]:
    """The findings of a case; an error that is none of ours is a failure, not the end of the run."""
    started = time.monotonic()
    try:
        found = list(case.run(declaration))
    except Exception as error:
        found = [Finding(case.name, "", "failed", f"The case ended in {type(error).__name__}: {error}")]
    seconds = (time.monotonic() - started) / max(1, len(found))
    yield from (replace(finding, seconds=finding.seconds or seconds) for finding in found)
