from __future__ import annotations

from rest_framework.routers import SimpleRouter

from hub.spreadsheets.api.views import UploadViewSet

router = SimpleRouter()
router.register("uploads", UploadViewSet)

urlpatterns = router.urls
