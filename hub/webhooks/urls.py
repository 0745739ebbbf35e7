from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from hub.webhooks import views

app_name = "webhooks"

urlpatterns = [
    re_path(r"^in/(?P<path>[\w-]{16,64})/$", views.receive, name="receive"),
    # Senders cut the slash off, and a redirect would lose the body.
    re_path(r"^in/(?P<path>[\w-]{16,64})$", views.receive),
    *list_urls("webhooks/", views.endpoint_list, "endpoint_list"),
    path("webhooks/new/", views.endpoint_new, name="endpoint_new"),
    path("webhooks/<slug:slug>/", views.endpoint_detail, name="endpoint_detail"),
    path("webhooks/<slug:slug>/settings/", views.endpoint_settings, name="endpoint_settings"),
    path("webhooks/<slug:slug>/rotate/", views.endpoint_rotate, name="endpoint_rotate"),
    path("webhooks/<slug:slug>/drop-older/", views.endpoint_drop, name="endpoint_drop"),
    path("webhooks/<slug:slug>/test/", views.endpoint_test, name="endpoint_test"),
    path("webhooks/<slug:slug>/messages/<int:pk>/", views.message_detail, name="message_detail"),
    path("webhooks/<slug:slug>/messages/<int:pk>/retry/", views.message_retry, name="message_retry"),
]

nav.register(Entry("Build", "Webhooks", "webhooks:endpoint_list", icon="bell", permission="syncs.view", order=55))
