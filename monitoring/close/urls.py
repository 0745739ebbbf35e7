from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.close import close_views, home, views  # noqa: F401  (home registers its panels)

app_name = "close"

CLOSE = r"^close/(?P<legal_entity>[A-Za-z0-9][A-Za-z0-9._-]*)/(?P<period>[0-9]{4}-[0-9]{2})"

urlpatterns = [
    *list_urls("periods/", views.period_list, "period_list"),
    path("periods/new/", views.period_new, name="period_new"),
    path("periods/year/", views.period_year, name="period_year"),
    path("periods/import/", views.period_import, name="period_import"),
    path("periods/<slug:slug>/", views.period, name="period"),
    path("periods/<slug:slug>/edit/", views.period_edit, name="period_edit"),
    path("periods/<slug:slug>/freeze/", views.period_freeze, name="period_freeze"),
    path("periods/<slug:slug>/delete/", views.period_delete, name="period_delete"),
    *list_urls("close/", close_views.close_list, "close_list"),
    path("close/unplaced/<slug:listing>/", close_views.unplaced_entries, {"fmt": ""}, name="unplaced_list"),
    re_path(
        r"^close/unplaced/(?P<listing>[-\w]+)\.(?P<fmt>csv|json)$", close_views.unplaced_entries, name="unplaced_export"
    ),
    re_path(rf"{CLOSE}/$", close_views.close, {"fmt": ""}, name="close"),
    re_path(rf"{CLOSE}\.(?P<fmt>csv|json|xlsx)$", close_views.close, name="close_export"),
    re_path(rf"{CLOSE}/pack/$", close_views.close_pack, name="pack"),
    re_path(rf"{CLOSE}/sign/$", close_views.close_sign, name="sign"),
    re_path(rf"{CLOSE}/withdraw/$", close_views.close_withdraw, name="withdraw"),
    re_path(rf"{CLOSE}/list/(?P<listing>[-\w]+)/$", close_views.close_entries, {"fmt": ""}, name="list"),
    re_path(rf"{CLOSE}/list/(?P<listing>[-\w]+)\.(?P<fmt>csv|json)$", close_views.close_entries, name="list_export"),
]

nav.register(Entry("Watch", "Close", "close:close_list", icon="flag", permission="exceptions.view", order=30))
nav.register(Entry("Govern", "Periods", "close:period_list", icon="calendar", permission="exceptions.view", order=45))
