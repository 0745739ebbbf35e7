from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from mappings.api.value_maps import ValueMapViewSet
from mappings.api.views import MappingVersionDetail, MappingVersionList, MappingViewSet

router = SimpleRouter()
router.register("mappings", MappingViewSet)
router.register("value-maps", ValueMapViewSet)

urlpatterns = [
    path("", include(router.urls)),
    path("mappings/<slug:slug>/versions/", MappingVersionList.as_view(), name="mapping-versions"),
    path("mappings/<slug:slug>/versions/<int:number>/", MappingVersionDetail.as_view(), name="mapping-version"),
]
