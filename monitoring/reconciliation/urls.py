from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.reconciliation import editing, period_views, views

app_name = "reconciliation"

urlpatterns = [
    *list_urls("reconciliation/", views.scorecard, "scorecard"),
    path("reconciliation/new/", editing.new, name="new"),
    path("reconciliation/<slug:slug>/", views.reconciliation, name="reconciliation"),
    path("reconciliation/<slug:slug>/runs/", views.run_list, {"fmt": ""}, name="run_list"),
    re_path(r"^reconciliation/(?P<slug>[-\w]+)/runs\.(?P<fmt>csv|json)$", views.run_list, name="run_list_export"),
    path("reconciliation/<slug:slug>/compare/", views.compare, name="compare"),
    path("reconciliation/<slug:slug>/edit/", editing.edit, name="edit"),
    path("reconciliation/<slug:slug>/delete/", views.delete, name="delete"),
    path("reconciliation/<slug:slug>/runs/<int:pk>/cancel/", views.cancel, name="cancel"),
    re_path(
        r"^reconciliation/(?P<slug>[-\w]+)/(?P<period>[^/]+)\.(?P<fmt>csv|json)$",
        period_views.period,
        name="period_export",
    ),
    path("reconciliation/<slug:slug>/<str:period>/", period_views.period, {"fmt": ""}, name="period"),
    path("reconciliation/<slug:slug>/<str:period>/selection/", period_views.selection, name="selection"),
    path("reconciliation/<slug:slug>/<str:period>/act/", period_views.act, name="act"),
    path("reconciliation/<slug:slug>/<str:period>/confirm/", period_views.confirm_all, name="confirm_all"),
    path("reconciliation/<slug:slug>/<str:period>/matches/<int:pk>/", period_views.decide, name="decide"),
    path("reconciliation/<slug:slug>/<str:period>/lines/<int:pk>/", period_views.reopen_line, name="reopen_line"),
    path("reconciliation/<slug:slug>/<str:period>/sign/", period_views.sign, name="sign"),
    path("reconciliation/<slug:slug>/<str:period>/review/", period_views.review, name="review"),
    path("reconciliation/<slug:slug>/<str:period>/pack/", period_views.pack, name="pack"),
]

nav.register(
    Entry("Work", "Reconciliation", "reconciliation:scorecard", icon="scale", permission="exceptions.view", order=30)
)
