"""Access tokens of the systems that hand them out."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.simulators.clock import Clock


class TokenBook:
    """Deterministic tokens with a life; revoking forgets them all."""

    def __init__(self, prefix: str, clock: Clock) -> None:
        self._prefix, self._clock = prefix, clock
        self._ends_at: dict[str, datetime] = {}
        self._count = 0

    def issue(self, seconds: int) -> str:
        self._count += 1
        token = f"{self._prefix}{self._count:08d}"
        self._ends_at[token] = self._clock.now() + timedelta(seconds=seconds)
        return token

    def valid(self, authorization: str) -> bool:
        kind, _, token = authorization.partition(" ")
        ends_at = self._ends_at.get(token)
        return kind.lower() == "bearer" and ends_at is not None and self._clock.now() < ends_at

    def revoke(self) -> None:
        self._ends_at.clear()
