"""A retry policy in words: when the attempts happen, and when it ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from connectors.retry_policy import KINDS, RetryPolicy, Rungs
from hub.common.display import duration

# A long ladder is told by its beginning and its end.
TOLD = 7


@dataclass(frozen=True, slots=True)
class Rung:
    """Attempt `number` comes at most `wait` after the one before, and at the latest `latest` after the first."""

    number: int
    wait: str
    latest: str


@dataclass(frozen=True, slots=True)
class Preview:
    """`others` are the ladders of single kinds of failure: (what it is called, sentence)."""

    sentence: str
    end: str
    rungs: Sequence[Rung]
    others: Sequence[tuple[str, str]]


def preview(policy: RetryPolicy, attempts: int = 0) -> Preview:
    """`attempts` in place of the policy's own number, where a sync says so."""
    number = attempts or policy.attempts
    others = [(KINDS[kind][0], _sentence(rungs, number)) for kind, rungs in policy.by_kind.items()]
    return Preview(_sentence(policy.rungs, number), _end(policy, number), _rungs(policy.rungs, number), others)


def _sentence(rungs: Rungs, attempts: int) -> str:
    if attempts == 1:
        return "Never tried again."
    waits = [spelled(rungs.ceiling(attempt)) for attempt in range(1, attempts)]
    told = ", ".join(waits if len(waits) <= TOLD else [*waits[: TOLD - 1], "…", waits[-1]])
    return f"Again after up to {told}."


def _end(policy: RetryPolicy, attempts: int) -> str:
    age = spelled(policy.max_age_seconds)
    if attempts == 1:
        return "Given up after the first attempt."
    return f"Given up after {attempts} attempts, or when it has failed for {age}, whichever comes first."


def _rungs(rungs: Rungs, attempts: int) -> list[Rung]:
    waits = [rungs.ceiling(attempt) for attempt in range(1, attempts)]
    found = [
        Rung(number, spelled(wait), spelled(latest))
        for number, (wait, latest) in enumerate(zip(waits, accumulate(waits), strict=True), start=2)
    ]
    return found if len(found) <= TOLD else [*found[: TOLD - 1], found[-1]]


def spelled(seconds: float) -> str:
    """`5 s`, `1 m 20 s`, `2 d`: a duration without the zeros that a measured one shows."""
    return f"{seconds:g} s" if seconds < 60 else re.sub(r" 00 [smh]$", "", duration(seconds))
