"""How long instances are kept."""

from __future__ import annotations

from datetime import timedelta

from hub.common.times import business_now
from hub.processes.models import ProcessInstance, State

# Longer than a year end with its audit.
KEPT_DAYS = 800
FORGOTTEN_AT_ONCE = 1_000


def forget_old() -> int:
    """Drop instances that ended long ago, with their steps and notes; returns how many."""
    ended = ProcessInstance.objects.filter(state__in=(State.DONE, State.CANCELLED))
    old = ended.filter(finished_at__lt=business_now() - timedelta(days=KEPT_DAYS)).order_by("pk")
    found = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    ProcessInstance.objects.filter(pk__in=found).delete()
    return len(found)
