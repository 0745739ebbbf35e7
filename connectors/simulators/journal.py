"""What was asked of a simulator and what it answered: the witness in tests."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

_KEPT_HEADERS = ("idempotency-key", "if-match", "prefer", "user-agent", "x-request-id")
_KEPT_BODY = 4_000


class _Asked(Protocol):
    method: str
    target: str
    path: str
    headers: Any
    body: bytes


class Journal:
    """The newest requests, credentials left out. `n` counts from 1 and goes on after older entries have dropped out."""

    def __init__(self, size: int = 20_000) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=size)
        self._lock = Lock()
        self._count = 0

    def add(self, *, at: datetime, request: _Asked, status: int, seconds: float, faults: list[str]) -> None:
        with self._lock:
            self._count += 1
            self._entries.append({
                "n": self._count,
                "at": at.isoformat(),
                "method": request.method,
                "path": request.path,
                "target": request.target,
                "status": status,
                "seconds": round(seconds, 4),
                "faults": faults,
                "headers": {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers},
                "body": _readable(request),
            })  # fmt: skip

    def entries(self, *, method: str = "", path: str = "", status: str = "", since: int = 0) -> list[dict[str, Any]]:
        """Oldest first. `path` is a regular expression, `status` a status or its first digits, `since` an `n`."""
        pattern = re.compile(path)
        with self._lock:
            entries = list(self._entries)
        return [
            entry
            for entry in entries
            if entry["n"] > since
            and (not method or entry["method"] == method)
            and pattern.search(entry["target"])
            and str(entry["status"]).startswith(status)
        ]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


def _readable(request: _Asked) -> str:
    """The start of what was written; a call for a token carries a secret and is left out."""
    if request.method == "GET" or "oauth2" in request.path:
        return ""
    return request.body[:_KEPT_BODY].decode("utf-8", "replace")
