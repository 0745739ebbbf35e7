"""The open jobs of one stream: which job holds which version of a record, kept in the book that outlives a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.jobs import JobBook
from connectors.jobs import Submitted as Kept

DEFAULT_EVERY_SECONDS = 5.0
DEFAULT_WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds between two questions, and for how long one write waits before its records are left due."""

    every: float = DEFAULT_EVERY_SECONDS
    wait: float = DEFAULT_WAIT_SECONDS

    @classmethod
    def of(cls, limits: Mapping[str, Any]) -> Patience:
        every = float(limits.get("job_every_seconds", DEFAULT_EVERY_SECONDS))
        return cls(every, float(limits.get("job_wait_seconds", DEFAULT_WAIT_SECONDS)))


@dataclass(slots=True)
class Submitted:
    """An accepted job: `facts` are its `${job.…}` values with the handle, `attempts` tell versions of records apart."""

    facts: dict[str, Any] = field(default_factory=dict)
    attempts: dict[str, str] = field(default_factory=dict)

    @property
    def handle(self) -> str:
        return str(self.facts["handle"])


class OpenJobs:
    """The open jobs of one stream as jobs with their records; the book keeps them by record.

    `add` returns only when the job outlives this process.
    """

    def __init__(self, book: JobBook, stream: str, patience: Patience) -> None:
        self._book, self._stream, self.patience = book, stream, patience

    def holding(self, keys: Iterable[str]) -> list[Submitted]:
        """The open jobs of these records, each with those of them that it holds."""
        found: dict[str, Submitted] = {}
        for key, kept in self._book.find(self._stream, list(keys)).items():
            job = found.setdefault(kept.handle, Submitted(dict(kept.facts)))
            job.attempts[key] = kept.attempt
        return list(found.values())

    def add(self, job: Submitted) -> None:
        self._book.keep(self._stream, {key: Kept(attempt, job.facts) for key, attempt in job.attempts.items()})

    def settle(self, keys: Iterable[str]) -> None:
        """It is known what became of these records."""
        self._book.drop(self._stream, list(keys))
