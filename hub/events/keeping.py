"""How long events are kept."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from hub.events.models import Event, Notification
from hub.events.types import TYPES

# Longer than the ladder, so that whoever was away for weeks can still have events sent again.
KEPT_DAYS = 30
# Events of the firm are what reports and new receivers begin with.
BUSINESS_DAYS = 400
FORGOTTEN_AT_ONCE = 5_000


def forget_old() -> int:
    """Drop events that are old and wait for nobody, with their attempts; returns how many went."""
    waiting = Notification.objects.filter(event=OuterRef("pk"), state=Notification.State.PENDING)
    now = timezone.now()
    old = Event.objects.filter(at__lt=now - timedelta(days=KEPT_DAYS)).exclude(Exists(waiting))
    # Whatever is not the hub's own is the firm's, also where its event type is gone or has another name by now.
    old = old.exclude(~Q(type__in=TYPES), at__gte=now - timedelta(days=BUSINESS_DAYS))
    found = list(old.order_by("at").values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    Event.objects.filter(pk__in=found).delete()
    return len(found)
