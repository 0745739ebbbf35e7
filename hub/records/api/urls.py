from __future__ import annotations

from django.urls import path

from hub.records.api import views

urlpatterns = [
    path("records/<slug:entity>/", views.RecordList.as_view(), name="records"),
    path("records/<slug:entity>/<path:key>/", views.RecordDetail.as_view(), name="record"),
    path("reveals/", views.RevealView.as_view(), name="reveals"),
]
