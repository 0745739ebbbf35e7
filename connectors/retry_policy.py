"""When a failed delivery is tried again: the ladder of a connection, whole or by the kind of failure.

Stored on the connection as far as it differs from the usual:
{"base_seconds": 1, "factor": 2, "cap_seconds": 3600, "attempts": 8, "max_age_seconds": 172800,
 "conflict": {"base_seconds": 1, "cap_seconds": 60}}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from hub.common.errors import HubError
from hub.common.registry import Problem

# What a kind of failure is called, and what it covers, for people.
KINDS = {
    "busy": ("Asks for fewer requests", "429, a used-up quota; where the system names no time of its own"),
    "conflict": ("Conflict or lock", "somebody else changes the same record"),
    "down": ("No answer, or an error of its own", "5xx, timeouts, a broken connection"),
}
_KIND_OF = {"THROTTLED": "busy", "QUOTA": "busy", "CONFLICT": "conflict", "LOCKED": "conflict"}
MOST_ATTEMPTS = 100
# (least, most) of every number.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "base_seconds": (0.1, 86_400),
    "factor": (1, 10),
    "cap_seconds": (1, 86_400),
    "attempts": (1, MOST_ATTEMPTS),
    "max_age_seconds": (60, 365 * 86_400),
}


@dataclass(frozen=True, slots=True)
class Rungs:
    """The wait before attempt n + 1 is at most base × factor^(n − 1) seconds, and never more than the cap."""

    base_seconds: float = 5.0
    factor: float = 2.0
    cap_seconds: float = 3600.0

    def ceiling(self, attempt: int) -> float:
        """The longest wait after this attempt, which counts from 1."""
        return float(min(self.cap_seconds, self.base_seconds * self.factor ** min(attempt - 1, MOST_ATTEMPTS)))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A ladder for everything, ladders for single kinds of failure, and where it all ends."""

    rungs: Rungs = Rungs()
    attempts: int = 8
    max_age_seconds: float = 2 * 86_400.0
    by_kind: Mapping[str, Rungs] = field(default_factory=dict)

    def for_kind(self, kind: str) -> Rungs:
        return self.by_kind.get(kind, self.rungs)

    def for_error(self, error: HubError) -> Rungs:
        return self.for_kind(_KIND_OF.get(error.code, "down"))


USUAL = RetryPolicy()
_RUNGS = tuple(each.name for each in fields(Rungs))
NUMBERS = (*_RUNGS, "attempts", "max_age_seconds")


def policy_of(stored: Mapping[str, Any]) -> RetryPolicy:
    """The policy of a connection; `stored` has passed `problems`."""
    rungs = replace(USUAL.rungs, **{name: stored[name] for name in _RUNGS if name in stored})
    ends = {name: stored[name] for name in ("attempts", "max_age_seconds") if name in stored}
    by_kind = {kind: replace(rungs, **stored[kind]) for kind in KINDS if stored.get(kind)}
    return replace(USUAL, rungs=rungs, by_kind=by_kind, **ends)


def usual_numbers() -> dict[str, float]:
    return {**asdict(USUAL.rungs), "attempts": USUAL.attempts, "max_age_seconds": USUAL.max_age_seconds}


def short(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What of a policy differs from the usual."""
    kinds = {kind: dict(stored[kind]) for kind in KINDS if stored.get(kind)}
    usual = usual_numbers()
    return {name: stored[name] for name in NUMBERS if name in stored and stored[name] != usual[name]} | kinds


def problems(stored: Any) -> list[Problem]:
    """What cannot be a policy, with the path of each mistake."""
    return list(_problems(stored))


def _problems(stored: Any) -> Iterator[Problem]:
    if not isinstance(stored, dict):
        yield Problem("retry", "Write an object such as {base_seconds: 5, attempts: 8}.")
        return
    yield from _number_problems("retry", stored, NUMBERS, known=(*NUMBERS, *KINDS))
    for kind in KINDS:
        part = stored.get(kind, {})
        if isinstance(part, dict):
            yield from _number_problems(f"retry.{kind}", part, _RUNGS, known=_RUNGS)
        else:
            yield Problem(f"retry.{kind}", "Write an object such as {base_seconds: 1, cap_seconds: 60}.")


def _number_problems(path: str, given: Any, names: tuple[str, ...], *, known: tuple[str, ...]) -> Iterator[Problem]:
    for name in given:
        if name not in known:
            yield Problem(f"{path}.{name}", f"There is no {name!r}. Known: {', '.join(known)}.")
    for name in names:
        if name in given and (sentence := number_problem(name, given[name])):
            yield Problem(f"{path}.{name}", sentence)


def number_problem(name: str, value: Any) -> str:
    """Why a value is none for this number; empty when it is one."""
    least, most = BOUNDS[name]
    kind: Any = int if name == "attempts" else int | float
    if isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most:
        return ""
    whole = "a whole number" if name == "attempts" else "a number"
    return f"Write {whole} between {least:,g} and {most:,g}."
