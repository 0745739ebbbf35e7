from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from mappings.api import views

router = SimpleRouter()
router.register("mappings", views.MappingViewSet, "mapping")
router.register("value-maps", views.ValueMapViewSet, "value-map")

urlpatterns = [path("", include(router.urls))]
