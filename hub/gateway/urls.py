"""Pages of the gateway. What other programs call is in calls.py."""

from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from hub.gateway import views

app_name = "gateway"

urlpatterns = [
    *list_urls("apis/", views.api_list, "api_list"),
    path("apis/new/<slug:layer>/", views.api_new, name="api_new"),
    path("apis/openapi/<slug:layer>.json", views.openapi_document, name="openapi"),
    path("apis/<slug:slug>/", views.api, name="api"),
    path("apis/<slug:slug>/change/", views.api_edit, name="api_edit"),
    path("apis/<slug:slug>/delete/", views.api_delete, name="api_delete"),
    *list_urls("consumers/", views.consumer_list, "consumer_list"),
    path("consumers/new/", views.consumer_new, name="consumer_new"),
    path("consumers/<slug:slug>/", views.consumer, name="consumer"),
    path("consumers/<slug:slug>/change/", views.consumer_edit, name="consumer_edit"),
    path("consumers/<slug:slug>/delete/", views.consumer_delete, name="consumer_delete"),
    path("consumers/<slug:slug>/tokens/", views.token_new, name="token_new"),
    path("consumers/<slug:slug>/tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
]

nav.register(Entry("Build", "APIs", "gateway:api_list", icon="code", permission="apis.view", order=56))
nav.register(Entry("Build", "Consumers", "gateway:consumer_list", icon="users", permission="apis.view", order=57))
