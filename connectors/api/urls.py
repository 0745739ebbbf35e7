from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from connectors.api import views

router = SimpleRouter()
router.register("systems", views.SystemViewSet, "system")
router.register("connections", views.ConnectionViewSet, "connection")
router.register("streams", views.StreamViewSet, "stream")

urlpatterns = [
    path("", include(router.urls)),
    path("catalogue/", views.KindList.as_view(), name="catalogue"),
    path("catalogue/<str:kind>/", views.KindDetail.as_view(), name="catalogue-kind"),
]
