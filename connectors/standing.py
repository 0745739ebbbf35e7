"""Why a connection stands still, in words: its circuit, and how much work waits behind it.

The packages that do the work know how much waits; they register a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.models import Circuit, Connection


class Waiting(NamedTuple):
    """Syncs that have something to do at a connection, and deliveries that are kept for it."""

    syncs: int = 0
    deliveries: int = 0


class Standing(NamedTuple):
    """A connection whose circuit is not closed, for connectors/_standing.html."""

    connection: Connection
    circuit: Circuit
    waiting: Waiting


Counter = Callable[[Connection], Waiting]
_counters: dict[str, Counter] = {}


def register(name: str, counter: Counter) -> None:
    _counters[name] = counter


def circuit_of(connection: Connection) -> Circuit | None:
    """The circuit when it is not closed."""
    found: Circuit | None = getattr(connection, "circuit", None)
    return found if found is not None and found.state != Circuit.State.CLOSED else None


def standing(connection: Connection) -> Standing | None:
    """Why a connection stands still and what waits for it; None when its system is called."""
    circuit = circuit_of(connection)
    if circuit is None:
        return None
    counts = [counter(connection) for counter in _counters.values()]
    return Standing(connection, circuit, Waiting(sum(c.syncs for c in counts), sum(c.deliveries for c in counts)))
