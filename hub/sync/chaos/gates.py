"""What stands before the fault target's rows: a limit of requests, and tokens that end."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# A limit is counted over a second, as most systems do.
BURST_SECONDS = 1.0
# What a 429 asks for, also where it says so in a way that nobody can read.
BUSY_SECONDS = 1


def busy_headers(fault: str) -> dict[str, str]:
    """How a 429 says how long to wait: in seconds, as a date, in words that mean nothing, or not at all."""
    soon = datetime.now(UTC) + timedelta(seconds=BUSY_SECONDS)
    said = {
        "busy_429": str(BUSY_SECONDS),
        "busy_date": email.utils.format_datetime(soon, usegmt=True),
        "busy_garbage": "soon",
    }
    return {"Retry-After": said[fault]} if fault in said else {}


@dataclass
class Bucket:
    """So many requests a second, counted by a token bucket of one second."""

    per_second: float
    filled: float = 0.0
    looked_at: float = field(default_factory=time.monotonic)
    served_at: list[float] = field(default_factory=list)
    over: int = 0
    pauses: list[tuple[float, float]] = field(default_factory=list)  # (moment, seconds) of pauses that were asked for
    paused_until: float = 0.0

    def refuses(self) -> float:
        """Seconds to wait, 0 when the request is within the limit."""
        now = time.monotonic()
        self.filled = min(self.per_second * BURST_SECONDS, self.filled + (now - self.looked_at) * self.per_second)
        self.looked_at = now
        if self.filled < 1:
            self.over += 1
            return 1.0
        self.filled -= 1
        self.served_at.append(now)
        return 0.0

    def pause(self) -> None:
        """A second is asked for; pauses that overlap count once."""
        now = time.monotonic()
        self.pauses.append((now, now + BUSY_SECONDS - max(now, self.paused_until)))
        self.paused_until = now + BUSY_SECONDS

    def figures(self) -> dict[str, float]:
        """The share of the limit that was used apart from pauses, until nine tenths were there: then only retries are left."""
        served = len(self.served_at)
        share = self.over / max(self.over + served, 1)
        most = self.served_at[: served * 9 // 10] or [0.0]
        paused = sum(seconds for at, seconds in self.pauses if at < most[-1])
        rate = len(most) / max(most[-1] - most[0] - paused, 1.0)
        return {"over_limit_share": round(share, 4), "share_of_limit": round(rate / self.per_second, 3)}


@dataclass
class Tokens:
    """A token endpoint at /token. `is_revoked`: nobody gets a token, and none is taken."""

    seconds: float
    is_revoked: bool = False
    ends_at: dict[str, float] = field(default_factory=dict)
    refused: int = 0

    def refusal(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]] | None:
        """(status, body) in place of an answer; None where the request may pass."""
        if path == "/token":
            return self._issue()
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if not self.is_revoked and self.ends_at.get(token, 0.0) > time.monotonic():
            return None
        self.refused += 1
        return 401, {"error": "invalid_token"}

    def _issue(self) -> tuple[int, dict[str, Any]]:
        if self.is_revoked:
            return 401, {"error": "invalid_client"}
        token = f"token-{len(self.ends_at)}"
        self.ends_at[token] = time.monotonic() + self.seconds
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.seconds}

    def figures(self) -> dict[str, int]:
        return {"tokens_issued": len(self.ends_at), "tokens_refused": self.refused}
