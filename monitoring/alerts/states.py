"""From levels that evaluations find to what people are told. Pure: no database, no clock.

A level counts once so many evaluations in a row agree on it. A subject that changes again and again is flapping: it is held at
its worse state until it has kept still for a while. People are told when the state differs from what they were last told,
unless somebody muted it or another alert explains it; what held them back may end, and then they are told what holds by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

OK, WARNING, CRITICAL = LEVELS = ("ok", "warning", "critical")
RANK = {level: rank for rank, level in enumerate(LEVELS)}
# What gets worse so often within the window is flapping, which ends when it has not got worse for CALM.
FLAPS = 3
WINDOW = timedelta(hours=1)
CALM = timedelta(minutes=30)
MOST_EVALUATIONS = 20


def worse(one: str, other: str) -> str:
    return max(one, other, key=RANK.__getitem__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a subject stands; see monitoring.models.Alert. `flips` are the last times at which it got worse."""

    state: str = OK
    told: str = OK
    confirmed: str = OK
    recent: tuple[str, ...] = ()
    flips: tuple[datetime, ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of it has to be remembered."""
        return {self.state, self.told, self.confirmed, *self.recent} == {OK} and not self.flips


@dataclass(frozen=True, slots=True)
class Step:
    """The next standing. `told_before` is what people knew until now, where they are to be told."""

    after: Standing
    has_changed: bool
    told_before: str | None

    @property
    def is_told(self) -> bool:
        return self.told_before is not None


def step(before: Standing, found: str, *, now: datetime, evaluations: int = 1, is_hushed: bool = False) -> Step:
    """One evaluation has found a level."""
    recent = (*before.recent, found)[-max(1, min(evaluations, MOST_EVALUATIONS)) :]
    confirmed = _confirmed(before.confirmed, recent, evaluations)
    flips = tuple(at for at in before.flips if now - at < WINDOW)
    if RANK[confirmed] > RANK[before.confirmed]:
        flips = (*flips, now)[-2 * FLAPS :]
    state = confirmed
    if _is_held(before.state, confirmed, flips, now):
        state = before.state
    told = before.told if is_hushed else state
    after = replace(before, state=state, told=told, confirmed=confirmed, recent=recent, flips=flips)
    return Step(after, has_changed=state != before.state, told_before=before.told if told != before.told else None)


def _confirmed(before: str, recent: Sequence[str], evaluations: int) -> str:
    """The level that the last evaluations agree on, as far as they agree: two of critical and warning are a warning."""
    if len(recent) < evaluations:
        return before
    least, most = min(recent, key=RANK.__getitem__), max(recent, key=RANK.__getitem__)
    if RANK[least] > RANK[before]:
        return least
    return most if RANK[most] < RANK[before] else before


def _is_held(state: str, confirmed: str, flips: Sequence[datetime], now: datetime) -> bool:
    """Whether a better level does not count yet, because the subject is flapping."""
    return RANK[confirmed] < RANK[state] and len(flips) >= FLAPS and now - flips[-1] < CALM
