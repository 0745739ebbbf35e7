from __future__ import annotations

from rest_framework.routers import SimpleRouter

from hub.cutover.api.views import CutoverViewSet

router = SimpleRouter()
router.register("cutovers", CutoverViewSet)

urlpatterns = router.urls
