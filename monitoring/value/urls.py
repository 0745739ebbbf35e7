from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.value import views

app_name = "value"

urlpatterns = [
    *list_urls("value/", views.measure_list, "list"),
    path("value/new/", views.measure_new, name="new"),
    path("value/shipped/", views.load_shipped, name="load_shipped"),
    path("value/baselines/", views.baselines, name="baselines"),
    *list_urls("value/hours/", views.hours_page, "hours"),
    path("value/<slug:slug>/", views.measure, name="measure"),
    path("value/<slug:slug>/edit/", views.measure_edit, name="edit"),
    path("value/<slug:slug>/compute/", views.measure_compute, name="compute"),
    path("value/<slug:slug>/delete/", views.measure_delete, name="delete"),
    path("value/<slug:slug>/rows/", views.measure_rows, {"fmt": ""}, name="rows"),
    re_path(r"^value/(?P<slug>[-\w]+)/rows\.(?P<fmt>csv|json)$", views.measure_rows, name="rows_export"),
]

nav.register(Entry("Watch", "Value", "value:list", icon="chart-bar", permission="monitor.view", order=90))
