"""When a failed delivery is tried again, and when that ends: the connection's policy with what the sync says for itself."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.retry_policy import RetryPolicy, policy_of
from hub.common.display import duration
from hub.common.errors import HubError, TransientError
from hub.sync.models import Delivery, Sync
from hub.sync.states import DeliveryState

# A system that asks for no time at all is not asked again in the same breath.
SHORTEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ladder:
    """`attempts` is the sync's own number where it has one, else that of its connection."""

    policy: RetryPolicy
    attempts: int

    @classmethod
    def of(cls, sync: Sync) -> Ladder:
        policy = policy_of(sync.stream.connection.retry)
        return cls(policy, sync.max_attempts or policy.attempts)

    def ends_at(self, delivery: Delivery) -> datetime | None:
        """When a delivery that fails will have failed for too long; None while it does not fail, or is over."""
        if delivery.failing_since is None or delivery.state != DeliveryState.PENDING:
            return None
        return delivery.failing_since + timedelta(seconds=self.policy.max_age_seconds)

    def delay_seconds(self, attempt: int, error: HubError, *, jitter: random.Random | None = None) -> float:
        """Seconds until attempt number `attempt` + 1; `attempt` counts from 1. What a system asks for wins, up to the cap."""
        rungs = self.policy.for_error(error)
        asked = getattr(error, "retry_after", None)
        if asked is not None:
            return float(min(max(asked, SHORTEST_PAUSE_SECONDS), rungs.cap_seconds))
        return (jitter or random).uniform(0, rungs.ceiling(attempt))

    def why_given_up(self, attempt: int, error: HubError, failing_seconds: float | None) -> str:
        """The sentence with which a delivery becomes a dead letter after this attempt; empty while it may be tried again.

        `failing_seconds`: since its first failure, None for the first one.
        """
        if (failing_seconds or 0.0) >= self.policy.max_age_seconds:
            return f"Given up, because it has failed for {duration(failing_seconds)}."
        if attempt >= self.attempts and burns_attempt(error):
            return f"Given up after {attempt} attempt{'' if attempt == 1 else 's'}."
        return ""


def burns_attempt(error: HubError) -> bool:
    """A target that names its own time has not failed; it only is busy."""
    return not (isinstance(error, TransientError) and error.retry_after is not None)
