from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.freshness import views

app_name = "freshness"

urlpatterns = [
    *list_urls("freshness/", views.freshness_list, "freshness_list"),
    path("freshness/<slug:slug>/records/", views.stale_records, {"fmt": ""}, name="stale_records"),
    re_path(
        r"^freshness/(?P<slug>[-a-zA-Z0-9_]+)/records\.(?P<fmt>csv|json)$",
        views.stale_records,
        name="stale_records_export",
    ),
    path("freshness/<slug:slug>/refresh/", views.refresh, name="refresh"),
    path("freshness/<slug:slug>/acknowledge/", views.acknowledge, name="acknowledge"),
]

nav.register(
    Entry("Watch", "Stale records", "freshness:freshness_list", icon="clock", permission="monitor.view", order=38)
)
