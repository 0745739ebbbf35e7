from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from hub.events.api.feed import EventFeed
from hub.events.api.views import SubscriptionViewSet

router = SimpleRouter()
router.register("subscriptions", SubscriptionViewSet)

urlpatterns = [path("events/", EventFeed.as_view(), name="event-feed"), *router.urls]
