"""Queues of messages: which workers answer, and how many messages wait.

Asking all workers takes seconds, so it is done in the background and looked up by pages. A look that is old means that nobody
looks any more: then no worker answers the queue of this very task.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from celery import current_app
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from monitoring.models import QueueLook

ASK_SECONDS = 1.0
# Looks are made every minute.
OLD_SECONDS = 240
KEPT_LENGTHS = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue as it was seen; `workers` None where nobody could ask."""

    name: str
    workers: int | None = None
    waiting: int | None = None
    lengths: list[int] = field(default_factory=list)
    looked_at: datetime | None = None
    empty_since: datetime | None = None

    @property
    def is_deserted(self) -> bool:
        return self.workers == 0 or self.is_old

    @property
    def is_old(self) -> bool:
        return self.looked_at is not None and (timezone.now() - self.looked_at).total_seconds() > OLD_SECONDS

    @property
    def minutes(self) -> float:
        """Since when no worker answers."""
        since = self.empty_since or self.looked_at
        return (timezone.now() - since).total_seconds() / 60 if since else 0.0

    @property
    def waiting_words(self) -> str:
        if self.waiting is None:
            return "nobody knows how much waits"
        return f"{self.waiting:,} message{'s' if self.waiting != 1 else ''} wait{'' if self.waiting != 1 else 's'}"


def names() -> list[str]:
    """The queues that the hub's tasks go to."""
    routed = {str(route["queue"]) for route in settings.CELERY_TASK_ROUTES.values()}
    return sorted(routed | {settings.CELERY_TASK_DEFAULT_QUEUE})


def seen() -> list[Queue]:
    """Every queue as it was seen last; one that nobody has looked at yet is named all the same."""
    known = {look.queue: look for look in QueueLook.objects.all()}
    return [_queue(name, known.get(name)) for name in names()]


def _queue(name: str, look: QueueLook | None) -> Queue:
    if look is None:
        return Queue(name)
    return Queue(name, look.workers, look.waiting, look.lengths, look.looked_at, look.empty_since)


def deserted() -> list[Queue]:
    return [queue for queue in seen() if queue.is_deserted]


def look() -> None:
    """Ask the workers and the broker, and keep what they say."""
    now = timezone.now()
    workers = _workers()
    known = {row.queue: row for row in QueueLook.objects.all()}
    rows = [_seen(name, known.get(name), workers, _waiting(name), now) for name in names()]
    QueueLook.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["queue"],
        update_fields=["workers", "waiting", "lengths", "looked_at", "empty_since"],
    )


def _seen(
    name: str, before: QueueLook | None, workers: Collection[str] | None, waiting: int | None, now: datetime
) -> QueueLook:
    number = None if workers is None else sum(1 for queue in workers if queue == name)
    since = (before.empty_since if before else None) or now if number == 0 else None
    lengths = [*(before.lengths if before else []), *([] if waiting is None else [waiting])][-KEPT_LENGTHS:]
    return QueueLook(queue=name, workers=number, waiting=waiting, lengths=lengths, looked_at=now, empty_since=since)


def _workers() -> list[str] | None:
    """The queues that workers listen to, one entry for each worker and queue; None when the broker does not answer."""
    try:
        answers = current_app.control.inspect(timeout=ASK_SECONDS).active_queues()
    except (OperationalError, OSError) as error:
        log.warning("The workers could not be asked: %s", error)
        return None
    return [queue["name"] for queues in (answers or {}).values() for queue in queues]


def _waiting(name: str) -> int | None:
    """Messages that no worker has taken; None where the broker does not answer."""
    try:
        with current_app.connection_for_read() as broker:
            try:
                with broker.channel() as channel:
                    return int(channel.queue_declare(queue=name, passive=True).message_count)
            except broker.channel_errors:  # a queue that is empty does not exist
                return 0
    except (OperationalError, OSError) as error:
        log.warning("The length of the queue %s is not known: %s", name, error)
        return None
