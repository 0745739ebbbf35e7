"""Whether the hub's own work moves: what is due and waits, and queues that no worker answers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.urls import reverse

from hub.common.display import duration
from hub.sync import liveness
from hub.sync.liveness import Age
from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import Look
from monitoring.control import queues


@condition(
    "backlog",
    "Work waits for workers",
    unit="minutes",
    help="How long the oldest delivery that is due, or the oldest queued run, has waited although it may go on.",
    warning="5",
    critical="30",
)
def backlog(look: Look) -> Iterator[Finding]:
    found: list[tuple[str, str, Age | None]] = [
        ("deliveries", "Deliveries", liveness.oldest_delivery()),
        ("runs", "Runs", liveness.oldest_run()),
    ]
    for key, name, age in found:
        if age:
            words = f"The oldest, of the sync {age.sync}, has waited {duration(age.seconds)}."
            yield Finding(
                f"work:{key}", name, Decimal(str(round(age.seconds / 60, 2))), words, url=reverse("monitor:room")
            )


@condition(
    "no_worker",
    "No worker answers a queue",
    unit="minutes",
    help="A queue of messages that no worker listens to, whether or not something waits in it.",
    warning="2",
    critical="10",
)
def unanswered(look: Look) -> Iterator[Finding]:
    for queue in queues.deserted():
        words = f"No worker answers the queue {queue.name}; {queue.waiting_words}."
        minutes = Decimal(str(round(queue.minutes, 2)))
        yield Finding(f"queue:{queue.name}", queue.name, minutes, words, url=reverse("monitor:room"))
