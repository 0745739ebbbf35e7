"""Crash points: every place behind a commit, before one, and on the wire where a worker may end, by name.

The engine knows nothing of them. A chaos world lays a wrapper around the function that a point names, in its own process
only, so that production pays nothing and a point cannot be reached there.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

STREAM = "hub.common.wire:GuardedStream"


@dataclass(frozen=True)
class Point:
    """A moment of one leg (`in` or `out`): when the function `at` has returned, or, `is_cut`, in the midst of its bytes."""

    leg: str
    what: str
    at: str
    is_cut: bool = False

    @property
    def name(self) -> str:
        return f"{self.leg}: {self.what}"


def _both(what: str, at: str, *, is_cut: bool = False) -> list[Point]:
    return [Point(leg, what, at, is_cut) for leg in ("in", "out")]


POINTS = (
    *_both("run claimed", "hub.sync.runs:claim"),
    *_both("versions pinned", "hub.sync.runs:pin"),
    *_both("request cut off while it is sent", f"{STREAM}._flush", is_cut=True),
    *_both("request sent, answer unread", f"{STREAM}._flush"),
    *_both("answer read, nothing stored", f"{STREAM}.read"),
    Point("in", "page written, not committed", "hub.sync.page:PageTransaction.store"),
    Point("in", "page committed", "hub.sync.inbound:InboundRun._store"),
    Point("in", "released records settled", "hub.sync.held:settle_released"),
    Point("in", "cursor kept", "hub.sync.inbound:InboundRun._keep_cursor"),
    Point("in", "deliveries rung for", "hub.sync.engine:ring_deliveries"),
    Point("out", "open batches taken up", "hub.sync.doubt:take_up_open_batches"),
    Point("out", "target asked about doubts", "hub.sync.doubt:ask"),
    Point("out", "missing deliveries enqueued", "hub.sync.outbound:OutboundRun._take_up_missing"),
    Point("out", "intent committed", "hub.sync.outbound:OutboundRun.intend"),
    Point("out", "outcome written, not committed", "hub.sync.outbound:OutboundRun._link"),
    Point("out", "outcome committed", "hub.sync.outbound:OutboundRun.settle"),
    *_both("run released", "hub.sync.runs:release"),
    *_both("gate passed", "hub.sync.gate:passed"),
    *_both("run finished", "hub.sync.runs:finish"),
    *_both("handed on", "hub.sync.engine:_hand_on"),
)


def owner_of(point: Point) -> tuple[Any, str]:
    """(module or class, attribute) of the function that a point names; raises AttributeError when it is gone."""
    module, _, path = point.at.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    getattr(owner, name)
    return owner, name


class Victim(Protocol):
    """Who ends at a point, where `is_due` says so: not every function that is passed there belongs to the point's leg."""

    def is_due(self) -> bool: ...

    def die(self) -> None: ...


def install(point: Point, victim: Victim, pick: random.Random) -> Callable[[], None]:
    """Let the victim die whenever this process reaches the point; returns what takes the wrapper off again."""
    owner, name = owner_of(point)
    original = getattr(owner, name)
    setattr(owner, name, _cut(original, victim, pick) if point.is_cut else _behind(original, victim))
    return lambda: setattr(owner, name, original)


def _behind(original: Callable[..., Any], victim: Victim) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if victim.is_due():
            victim.die()
        return result

    return wrapped


def _cut(original: Callable[..., Any], victim: Victim, pick: random.Random) -> Callable[..., Any]:
    """A request of which only the beginning, up to a byte that is drawn, goes out."""

    def flush(stream: Any) -> None:
        if not victim.is_due():
            return original(stream)
        stream._socket.sendall(stream._unsent[: pick.randrange(len(stream._unsent))])
        return victim.die()

    return flush
