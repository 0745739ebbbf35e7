from __future__ import annotations

from rest_framework.routers import SimpleRouter

from hub.processes.api.views import ProcessRunViewSet, ProcessViewSet

router = SimpleRouter()
router.register("processes", ProcessViewSet)
router.register("process-runs", ProcessRunViewSet, basename="process-run")

urlpatterns = router.urls
