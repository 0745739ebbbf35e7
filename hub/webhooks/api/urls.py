from __future__ import annotations

from rest_framework.routers import SimpleRouter

from hub.webhooks.api.views import WebhookViewSet

router = SimpleRouter()
router.register("webhooks", WebhookViewSet)

urlpatterns = router.urls
