"""Addresses. Every package brings its own; names of packages stand here as strings, so no import follows."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from hub.common import health
from hub.common.permissions import SIGNED_IN, requires

api = [
    path("", include("connectors.api.urls")),
    path("", include("governance.api.urls")),
    path("", include("mappings.api.urls")),
    path("", include("hub.config.api.urls")),
    path("", include("hub.records.api.urls")),
    path("", include("hub.publishing.urls")),
    path("", include("hub.sync.api.urls")),
    path("", include("hub.webhooks.api.urls")),
    path("", include("hub.spreadsheets.api.urls")),
    path("", include("hub.events.api.urls")),
    path("", include("hub.processes.api.urls")),
    path("", include("hub.cutover.api.urls")),
    path("", include("monitoring.service_levels.api")),
    path("", include("monitoring.alerts.api")),
    path("", include("monitoring.expectations.api")),
    path("", include("monitoring.freshness.api")),
    path("", include("monitoring.thread.api")),
    path("", include("monitoring.close.api")),
    path("", include("monitoring.exceptions.api")),
    path("", include("monitoring.exceptions.act_api")),
    path("", include("monitoring.reconciliation.api")),
    path("", include("monitoring.value.api")),
    path("", include("monitoring.api.urls")),
]

urlpatterns = [
    # First, because nothing is asked for as often as the addresses that systems call.
    path("", include("hub.gateway.calls")),
    path("", include("hub.webhooks.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("hub.accounts.urls")),
    path("", include("hub.common.urls")),
    path("", include("connectors.urls")),
    path("", include("governance.urls")),
    path("", include("hub.records.urls")),
    path("", include("mappings.urls")),
    path("", include("hub.sync.urls")),
    path("", include("hub.spreadsheets.urls")),
    path("", include("hub.events.urls")),
    path("", include("hub.processes.urls")),
    path("", include("hub.gateway.urls")),
    path("", include("hub.cutover.urls")),
    path("", include("monitoring.service_levels.urls")),
    path("", include("monitoring.expectations.urls")),
    path("", include("monitoring.freshness.urls")),
    path("", include("monitoring.reconciliation.urls")),
    path("", include("monitoring.thread.urls")),
    path("", include("monitoring.close.urls")),
    path("", include("monitoring.exceptions.urls")),
    path("", include("monitoring.alerts.urls")),
    path("", include("monitoring.control.urls")),
    path("", include("monitoring.value.urls")),
    path("", include("monitoring.urls")),
    path("api/v1/", include((api, "api"))),
    path("api/schema/", requires(SIGNED_IN)(SpectacularAPIView.as_view()), name="schema"),
    path("api/docs/", requires(SIGNED_IN)(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
]

handler400 = "hub.common.pages.bad_request"
handler403 = "hub.common.pages.permission_denied"
handler404 = "hub.common.pages.page_not_found"
handler500 = "hub.common.pages.server_error"
