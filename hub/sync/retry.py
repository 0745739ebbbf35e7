"""When a failed delivery is tried again: exponential, full jitter, capped; the target's Retry-After wins."""

from __future__ import annotations

import random

from hub.common.errors import HubError, TransientError

BASE_SECONDS = 5.0
CAP_SECONDS = 3600.0
LONGEST_RETRY_AFTER_SECONDS = 86_400.0


def delay_seconds(attempt: int, error: HubError, *, jitter: random.Random | None = None) -> float:
    """Seconds until attempt number `attempt` + 1; `attempt` counts from 1."""
    asked = getattr(error, "retry_after", None)
    if asked is not None:
        return float(min(max(asked, 0.0), LONGEST_RETRY_AFTER_SECONDS))
    ceiling = min(CAP_SECONDS, BASE_SECONDS * 2 ** min(attempt - 1, 30))
    return (jitter or random).uniform(0, ceiling)


def burns_attempt(error: HubError) -> bool:
    """A target that names its own time has not failed; it only is busy."""
    return not (isinstance(error, TransientError) and error.retry_after is not None)
