"""What becomes due about exceptions by itself. Two ticks at once do no harm: every step takes rows under lock."""

from __future__ import annotations

from collections.abc import Callable

from hub.common.errors import HubError
from hub.common.times import business_now, business_today, period_bounds
from monitoring.exceptions import acts, fix_payloads, work


def has_begun(legal_entity: str, period: str) -> bool:
    """Whether the calendar has reached a period; what knows the firm's own periods says it better, see `opens`."""
    try:
        return period_bounds(period)[0] <= business_today()
    except HubError:
        return False


_opened: list[Callable[[str, str], bool]] = [has_begun]


def opens(is_open: Callable[[str, str], bool]) -> None:
    """Install who knows whether a period (legal entity, YYYY-MM) is open, for what is snoozed until it opens."""
    _opened[:] = [is_open]


def is_open(legal_entity: str, period: str) -> bool:
    return _opened[0](legal_entity, period)


def tick() -> None:
    acts.wake_due(now=business_now(), opened=is_open)
    fix_payloads.expire()
    work.ring_open()
