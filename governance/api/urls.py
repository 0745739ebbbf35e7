from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from governance.api import changes, views

router = SimpleRouter()
router.register("entities", views.EntityViewSet, "entity")
router.register("contracts", views.ContractViewSet, "contract")
router.register("changes", changes.ChangeViewSet, "change")

urlpatterns = [
    path("", include(router.urls)),
    path("contracts/<slug:slug>/versions/", views.VersionList.as_view(), name="contract-versions"),
    path("contracts/<slug:slug>/versions/<int:number>/", views.VersionDetail.as_view(), name="contract-version"),
    path("contracts/<slug:slug>/diff/", views.VersionDiff.as_view(), name="contract-diff"),
    path("contracts/<slug:slug>/fields/", views.FieldList.as_view(), name="contract-fields"),
    path("contracts/<slug:slug>/fields/<str:name>/", views.FieldDetail.as_view(), name="contract-field"),
]
