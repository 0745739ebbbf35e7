"""What a connector is handed to keep a system's limits, and the words for standing still. Nothing here knows a database."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from hub.common.errors import HubError, TransientError, UnknownOutcome

# Busy, or about one record: the system itself is well.
_NOT_ITS_OWN = frozenset({"NOT_NOW", "CONFLICT", "LOCKED", "THROTTLED", "QUOTA", "UNDONE"})
_NO_ANSWER = frozenset({"UNSURE", "TIMEOUT", "SERVER_TRANSIENT", "NO_ANSWER"})


class NotNow(TransientError):
    """Nothing was sent: the connection stands still for now. What was to be done is kept as it is."""

    code = "NOT_NOW"


class Limiter(Protocol):
    """Every request stands between `begin` and `end`."""

    def begin(self) -> None:
        """Wait for the turn of the next request; raises NotNow when it should not wait here."""

    def end(self, *, failed: str = "", busy_seconds: float | None = None) -> None:
        """The request is over: answered, `failed` by the system's own fault, or refused as too many."""

    def refuse(self, words: str) -> None:
        """The system does not accept the sign-in, and a new token did not help: every further request would be refused."""

    def close(self) -> None:
        """No more requests come from here."""


class LocalLimiter:
    """Spaces the requests of this process alone: for an account that is not stored yet, and for its test."""

    def __init__(self, gap_seconds: float = 0.0) -> None:
        self._gap = gap_seconds
        self._lock, self._next = threading.Lock(), 0.0

    def begin(self) -> None:
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._gap
        if start > now:
            time.sleep(start - now)

    def end(self, *, failed: str = "", busy_seconds: float | None = None) -> None:
        """Nobody counts."""

    def refuse(self, words: str) -> None:
        """Whoever asked sees it."""

    def close(self) -> None:
        """Nothing is held."""


def gap_seconds(limits: Mapping[str, Any]) -> float:
    """Seconds between two requests that satisfy every stated rate; 0 where none is stated."""
    gaps = [1 / limits["per_second"] if limits.get("per_second") else 0.0]
    gaps.append(60 / limits["per_minute"] if limits.get("per_minute") else 0.0)
    return max(gaps)


def is_its_own(error: HubError) -> bool:
    """Whether an error says that the system itself fails: no answer, or an error of its own; never a busy one."""
    if isinstance(error, UnknownOutcome):
        return error.code in _NO_ANSWER
    return isinstance(error, TransientError) and error.retry_after is None and error.code not in _NOT_ITS_OWN
