"""How much of a quota is used, where a system tells with its answers, so that some is left for others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.base import Quota
from connectors.retry_after import reset_seconds

DEFAULT_PAUSE_SECONDS = 60.0


class UsageWatch:
    """Reads `limits.usage`: how many requests are left, and for how long to stop when it is too few."""

    def __init__(self, section: Mapping[str, Any] | None) -> None:
        self._section = section or {}
        self.last: Quota | None = None
        self._pattern = re.compile(self._section["pattern"]) if "pattern" in self._section else None

    def pause_seconds(self, headers: Mapping[str, str]) -> float | None:
        """Seconds to leave the system alone after an answer, None to go on; names of headers in lower case."""
        left = self.requests_left(headers) if self._section else None
        if left is None or left > self._section.get("reserve", 0):
            return None
        told = reset_seconds({name: value for name, value in headers.items() if "remaining" not in name})
        return told or float(self._section.get("pause_seconds", DEFAULT_PAUSE_SECONDS))

    def note(self, headers: Mapping[str, str]) -> None:
        """Keep what an answer tells, for whoever asks how much is left."""
        left = self.requests_left(headers) if self._section else None
        if left is not None:
            self.last = Quota(left, self._limit(headers))

    def _limit(self, headers: Mapping[str, str]) -> int | None:
        """The most requests that are allowed, where the answer tells."""
        if self._pattern is None:
            return None
        found = self._pattern.search(headers.get(self._section["header"].lower(), ""))
        limit = found.groupdict().get("limit") if found else None
        return int(limit) if limit and limit.isdecimal() else None

    def requests_left(self, headers: Mapping[str, str]) -> int | None:
        """How many requests the answer says are left, None where it does not say."""
        value = headers.get(self._section["header"].lower(), "")
        if self._pattern is None:
            return int(value) if value.strip().isdecimal() else None
        found = self._pattern.search(value)
        if not found:
            return None
        named = {name: int(text) for name, text in found.groupdict().items() if text and text.isdecimal()}
        return named["remaining"] if "remaining" in named else named["limit"] - named["used"]
