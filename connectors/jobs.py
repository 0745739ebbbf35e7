"""What is remembered of writes that a system has accepted and carries out later. Nothing here knows a database."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted job: `facts` are its `${job.…}` values (`handle` among them, JSON), `attempt` tells versions apart."""

    attempt: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def handle(self) -> str:
        return str(self.facts.get("handle", ""))


class JobBook(Protocol):
    """The open jobs of one connection by stream and record key.

    `keep` returns only when what it was given outlives this process: a worker that is killed while it waits is followed
    by one that asks for the job in place of submitting it again.
    """

    def find(self, stream: str, keys: Sequence[str]) -> dict[str, Submitted]:
        """The open job of each key that has one."""

    def keep(self, stream: str, jobs: Mapping[str, Submitted]) -> None:
        """Remember; a key that has one already gets the new one."""

    def drop(self, stream: str, keys: Iterable[str]) -> None:
        """Forget: it is known what became of these."""


class MemoryBook:
    """For a connection that is not stored: remembers for as long as it is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], Submitted] = {}

    def find(self, stream: str, keys: Sequence[str]) -> dict[str, Submitted]:
        with self._lock:
            return {key: self._jobs[stream, key] for key in keys if (stream, key) in self._jobs}

    def keep(self, stream: str, jobs: Mapping[str, Submitted]) -> None:
        with self._lock:
            self._jobs.update({(stream, key): job for key, job in jobs.items()})

    def drop(self, stream: str, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._jobs.pop((stream, key), None)
