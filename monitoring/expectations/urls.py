from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.expectations import panels, views  # noqa: F401

app_name = "expectations"

urlpatterns = [
    *list_urls("expectations/", views.expectation_list, "expectation_list"),
    path("expectations/<int:pk>/", views.expectation, name="expectation"),
]

nav.register(
    Entry("Watch", "Expectations", "expectations:expectation_list", icon="alarm", permission="monitor.view", order=35)
)
