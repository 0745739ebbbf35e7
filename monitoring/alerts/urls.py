from __future__ import annotations

from typing import Any

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Badge, Entry
from monitoring.alerts import queries
from monitoring.alerts.views import alerts, routes, rules

app_name = "alerts"

urlpatterns = [
    *list_urls("alerts/history/", alerts.change_list, "change_list"),
    *list_urls("alerts/notices/", alerts.notice_list, "notice_list"),
    path("alerts/notices/<int:pk>/again/", alerts.send_again, name="send_again"),
    *list_urls("alerts/mutes/", alerts.mute_list, "mute_list"),
    path("alerts/mutes/<int:pk>/end/", alerts.unmute, name="unmute"),
    *list_urls("alerts/rules/", rules.rule_list, "rule_list"),
    path("alerts/rules/new/", rules.rule_new, name="rule_new"),
    path("alerts/rules/<slug:slug>/", rules.rule, name="rule"),
    path("alerts/rules/<slug:slug>/edit/", rules.rule_edit, name="rule_edit"),
    path("alerts/rules/<slug:slug>/mute/", rules.rule_mute, name="rule_mute"),
    path("alerts/rules/<slug:slug>/delete/", rules.rule_delete, name="rule_delete"),
    *list_urls("alerts/routes/", routes.route_list, "route_list"),
    path("alerts/routes/new/", routes.route_new, name="route_new"),
    path("alerts/routes/<slug:slug>/", routes.route, name="route"),
    path("alerts/routes/<slug:slug>/edit/", routes.route_edit, name="route_edit"),
    path("alerts/routes/<slug:slug>/test/", routes.route_test, name="route_test"),
    path("alerts/routes/<slug:slug>/delete/", routes.route_delete, name="route_delete"),
    *list_urls("alerts/", alerts.alert_list, "alert_list"),
    path("alerts/<int:pk>/", alerts.alert, name="alert"),
    path("alerts/<int:pk>/acknowledge/", alerts.acknowledge, name="acknowledge"),
    path("alerts/<int:pk>/mute/", alerts.mute, name="mute"),
]


def _badge(user: Any) -> Badge | None:
    """Critical ones that nobody looks after."""
    number = queries.active_for(user).filter(state="critical", acknowledged_at__isnull=True).count()
    return Badge(number, hot=True) if number else None


nav.register(
    Entry("Watch", "Alerts", "alerts:alert_list", icon="bell", permission="monitor.view", order=12, badge=_badge)
)
