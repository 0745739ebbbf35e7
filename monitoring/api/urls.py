from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from monitoring.api import views

router = SimpleRouter()
router.register("terms", views.TermViewSet, "term")

urlpatterns = [
    path("", include(router.urls)),
    path("terms/<slug:slug>/measurements/", views.MeasurementList.as_view(), name="term-measurements"),
    path("semantic-drifts/", views.DriftList.as_view(), name="semantic-drifts"),
]
