"""What may stand in the way of a close: each part of the hub that knows of something registers it here.

    @source(order=60)
    def late_expectations(scope: Scope) -> Iterable[Row]:
        yield Row("expectations", "Late expectations", 3, Decimal("1200"), "EUR", "/expectations/?…", "Finance")

A row is one thing in one currency. It links to a list that has exactly `count` entries, whose amounts add up to `amount`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitoring.close.scope import Scope


@dataclass(frozen=True, slots=True)
class Row:
    """`turn` says whose turn it is; `amount` is None where nothing is known of money, and never 0 for that.

    `blocks` is False for what is on its way and needs nobody yet.
    """

    key: str
    what: str
    count: int
    amount: Decimal | None
    currency: str
    url: str
    turn: str
    state: str = "blocked"
    blocks: bool = True


# The rows of each of several scopes, in their order; all are of one person.
Source = Callable[[Sequence[Scope]], Sequence[Iterable[Row]]]
_sources: dict[str, tuple[int, Source]] = {}


def source(order: int = 50) -> Callable[[Callable[[Scope], Iterable[Row]]], Callable[[Scope], Iterable[Row]]]:
    """Register what is asked for one scope after the other, under its function's name; the same name again replaces it."""

    def register(found: Callable[[Scope], Iterable[Row]]) -> Callable[[Scope], Iterable[Row]]:
        join(found.__name__, order, lambda scopes: [list(found(scope)) for scope in scopes])
        return found

    return register


def join(name: str, order: int, found: Source) -> None:
    """Register what answers for several scopes at once."""
    _sources[name] = (order, found)


def sources() -> Iterator[tuple[str, Source]]:
    """(name, source) in order."""
    for name, (_, found) in sorted(_sources.items(), key=lambda each: each[1][0]):
        yield name, found
