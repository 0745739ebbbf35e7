"""What happened, told upwards: a lower package publishes, a higher one subscribes in its `ready()`.

Subscribers run in the publisher's transaction and must be quick; whoever has more to do rings a task on commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

Subscriber = Callable[..., None]
_subscribers: dict[str, list[Subscriber]] = defaultdict(list)


def subscribe(fact: str, subscriber: Subscriber) -> None:
    if subscriber not in _subscribers[fact]:
        _subscribers[fact].append(subscriber)


def publish(fact: str, **details: Any) -> None:
    for subscriber in _subscribers[fact]:
        subscriber(**details)
