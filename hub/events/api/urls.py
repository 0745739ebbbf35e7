from __future__ import annotations

from rest_framework.routers import SimpleRouter

from hub.events.api.views import SubscriptionViewSet

router = SimpleRouter()
router.register("subscriptions", SubscriptionViewSet)

urlpatterns = router.urls
