"""What of the gateway goes with time."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from hub.gateway import once
from hub.gateway.models import Traffic
from hub.gateway.traffic import KEPT_DAYS


def forget_old() -> int:
    """Answers of yesterday's keys, and traffic of more than a year ago; how many rows went."""
    old = Traffic.objects.filter(hour__lt=timezone.now() - timedelta(days=KEPT_DAYS)).delete()[0]
    return once.forget_old() + old
