from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.service_levels import exclusion_views, views

app_name = "service_levels"

urlpatterns = [
    *list_urls("service-levels/", views.service_level_list, "service_level_list"),
    path("service-levels/new/", views.service_level_new, name="service_level_new"),
    path("service-levels/preview/", views.service_level_preview, name="service_level_preview"),
    path("service-levels/<slug:slug>/", views.service_level, name="service_level"),
    path("service-levels/<slug:slug>/edit/", views.service_level_edit, name="service_level_edit"),
    path("service-levels/<slug:slug>/delete/", views.service_level_delete, name="service_level_delete"),
    path("service-levels/<slug:slug>/exclusions/", exclusion_views.exclusion_ask, name="exclusion_ask"),
    path("service-levels/<slug:slug>/exclusions/<int:pk>/", exclusion_views.exclusion_decide, name="exclusion_decide"),
    path("service-levels/<slug:slug>/backtest/", views.service_level_backtest, name="service_level_backtest"),
]

nav.register(
    Entry(
        "Watch",
        "Service levels",
        "service_levels:service_level_list",
        icon="chart-bar",
        permission="monitor.view",
        order=40,
    )
)
