from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from hub.records import views
from hub.records.queries import SEE

app_name = "records"

urlpatterns = [
    *list_urls("records/", views.entity_list, "entity_list"),
    path("records/<slug:slug>/", views.record_list, {"fmt": ""}, name="record_list"),
    re_path(r"^records/(?P<slug>[-\w]+)\.(?P<fmt>csv|json)$", views.record_list, name="record_list_export"),
    path("records/<slug:slug>/<int:pk>/", views.record_detail, name="record"),
    path("records/<slug:slug>/<int:pk>/reveal/", views.record_reveal, name="record_reveal"),
]

nav.register(Entry("Watch", "Records", "records:entity_list", icon="cube", permission=SEE, order=30))
