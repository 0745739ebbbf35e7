from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.thread import finding, panels, views
from monitoring.thread.wiring import SEE

app_name = "thread"

urlpatterns = [
    *list_urls("thread/", views.thread_list, "thread_list"),
    path("thread/explain/<slug:entity>/<path:key>/", views.explain, name="explain"),
    path("thread/evidence/<slug:entity>/<path:key>.<slug:fmt>", views.evidence, name="evidence"),
    path("thread/<slug:entity>/<path:key>/legs/<slug:slug>/", views.leg_list, name="leg"),
    path("thread/<slug:entity>/<path:key>/legs/<slug:slug>.<slug:fmt>", views.leg_list, name="leg_export"),
    path("thread/<slug:entity>/<path:key>/bundle.json", views.bundle, name="bundle"),
    path("thread/<slug:entity>/<path:key>/", views.thread, name="thread"),
]

__all__ = ["finding", "panels"]  # imported for what they register

nav.register(Entry("Watch", "Engagements", "thread:thread_list", icon="route", permission=SEE, order=25))
