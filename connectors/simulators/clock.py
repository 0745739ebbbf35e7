"""One clock for all simulated systems: it runs with the machine's until a test sets, advances or freezes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock


class Clock:
    """`now()` is an aware UTC instant that never goes back by itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._offset = timedelta(0)
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        with self._lock:
            return self._frozen or datetime.now(UTC) + self._offset

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def set(self, instant: datetime) -> None:
        """Jump to `instant`; a frozen clock stays frozen there."""
        with self._lock:
            self._offset = instant - datetime.now(UTC)
            self._frozen = instant if self._frozen else None

    def advance(self, seconds: float) -> None:
        self.set(self.now() + timedelta(seconds=seconds))

    def freeze(self) -> None:
        now = self.now()
        with self._lock:
            self._frozen = now

    def run(self) -> None:
        """Let a frozen clock go on from where it stands."""
        now = self.now()
        with self._lock:
            self._offset, self._frozen = now - datetime.now(UTC), None

    def reset(self) -> None:
        with self._lock:
            self._offset, self._frozen = timedelta(0), None
