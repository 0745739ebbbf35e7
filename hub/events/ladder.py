"""When an event is sent again: the schedule that Standard Webhooks recommend, with full jitter. Pure functions."""

from __future__ import annotations

import random

# Seconds after each failed attempt; more than three days in all. After the last one a person has to say so.
LADDER = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# A receiver that does not answer is left alone this long, twice as long each time; then one event tries it.
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 2, 300


def delay_seconds(attempts: int, *, asked: float | None = None) -> float | None:
    """Seconds until the next attempt after so many; never less than what was asked for. None when none is left."""
    if attempts > len(LADDER):
        return None
    return max(random.uniform(0, LADDER[attempts - 1]), asked or 0.0)


def rest_seconds(failures: int, *, asked: float | None = None) -> float:
    """Seconds in which nothing is sent after so many failures, one after the other."""
    longest = min(FIRST_REST_SECONDS * 2.0 ** min(failures - 1, 20), LONGEST_REST_SECONDS)
    return max(random.uniform(longest / 2, longest), asked or 0.0)
