"""Addresses of the exception queue; what is done about items stands in act_urls."""

from __future__ import annotations

from django.urls import include, path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Badge, Entry
from monitoring.exceptions import queries, rule_views, views

app_name = "exceptions"

urlpatterns = [
    *list_urls("exceptions/", views.exception_list, "list"),
    re_path(r"^exceptions\.(?P<fmt>xlsx)$", views.exception_list, name="list_xlsx"),
    *list_urls("exceptions/classifications/", rule_views.classification_list, "classifications"),
    path("exceptions/classifications/new/", rule_views.classification_new, name="classification_new"),
    path("exceptions/classifications/<slug:slug>/", rule_views.classification, name="classification"),
    path(
        "exceptions/classifications/<slug:slug>/delete/", rule_views.classification_delete, name="classification_delete"
    ),
    *list_urls("exceptions/routing/", rule_views.route_list, "routing"),
    path("exceptions/routing/new/", rule_views.route_new, name="route_new"),
    path("exceptions/routing/<slug:slug>/", rule_views.route, name="route"),
    path("exceptions/routing/<slug:slug>/delete/", rule_views.route_delete, name="route_delete"),
    path("exceptions/", include("monitoring.exceptions.act_urls")),
    path("exceptions/groups/<int:pk>/", views.exception_group, name="group"),
    path("exceptions/<int:pk>/", views.exception_item, name="item"),
]


def _open(user: object) -> Badge | None:
    number = queries.open_count(user)  # type: ignore[arg-type]
    return Badge(number, hot=True) if number else None


nav.register(
    Entry(
        "Work",
        "Exceptions",
        "exceptions:list",
        icon="alert-circle",
        permission="exceptions.view",
        order=10,
        badge=_open,
    )
)
