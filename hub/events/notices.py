"""What waits for somebody: subscriptions that were switched off because their receivers failed."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from hub.common import home
from hub.common.home import Need
from hub.events import queries
from hub.sync.views.common import me


@home.needs("subscriptions.edit")
def switched_off(request: HttpRequest) -> list[Need]:
    """One need for each, with the reason."""
    found = queries.subscriptions_for(me(request), "subscriptions.edit").filter(disabled_at__isnull=False)
    return [
        Need(
            title=f"{subscription.name} is not told of events any more",
            url=reverse("events:subscription_detail", args=[subscription.slug]),
            detail=subscription.disabled_reason,
            due_at=subscription.disabled_at,
            state="abandoned",
        )
        for subscription in found.order_by("disabled_at")
    ]
