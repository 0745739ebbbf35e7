from __future__ import annotations

from django.urls import path, re_path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from hub.events import views
from hub.events.event_types import views as event_types

app_name = "events"

urlpatterns = [
    *list_urls("subscriptions/", views.subscription_list, "subscription_list"),
    path("subscriptions/new/", views.subscription_new, name="subscription_new"),
    path("subscriptions/<slug:slug>/", views.subscription_detail, name="subscription_detail"),
    path("subscriptions/<slug:slug>/settings/", views.subscription_settings, name="subscription_settings"),
    path("subscriptions/<slug:slug>/rotate/", views.subscription_rotate, name="subscription_rotate"),
    path("subscriptions/<slug:slug>/drop-older/", views.subscription_drop, name="subscription_drop"),
    path("subscriptions/<slug:slug>/on/", views.subscription_on, name="subscription_on"),
    path("subscriptions/<slug:slug>/test/", views.subscription_test, name="subscription_test"),
    path("subscriptions/<slug:slug>/send-failed/", views.failed_again, name="failed_again"),
    path("subscriptions/<slug:slug>/events/", views.event_list, {"fmt": ""}, name="event_list"),
    re_path(r"^subscriptions/(?P<slug>[-\w]+)/events\.(?P<fmt>csv|json)$", views.event_list, name="event_list_export"),
    path("subscriptions/<slug:slug>/events/<int:pk>/", views.event_detail, name="event_detail"),
    path("subscriptions/<slug:slug>/events/<int:pk>/send-again/", views.event_again, name="event_again"),
]

urlpatterns += [
    *list_urls("event-types/", event_types.event_type_list, "event_type_list"),
    path("event-types/new/", event_types.event_type_new, name="event_type_new"),
    path("event-types/<slug:slug>/", event_types.event_type, name="event_type"),
    path("event-types/<slug:slug>/change/", event_types.event_type_edit, name="event_type_edit"),
    path("event-types/<slug:slug>/delete/", event_types.event_type_delete, name="event_type_delete"),
    *list_urls("events/", event_types.fact_list, "fact_list"),
    path("events/<int:pk>/", event_types.fact, name="fact"),
]

nav.register(
    Entry("Build", "Event types", "events:event_type_list", icon="activity", permission="subscriptions.view", order=55)
)
nav.register(
    Entry("Build", "Subscriptions", "events:subscription_list", icon="send", permission="subscriptions.view", order=56)
)
