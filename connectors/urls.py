from django.urls import path

from connectors import (
    gallery_views,
    retry_views,
    search,
    stream_views,
    system_views,
    vendor_sign_in_views,
    views,
    wizard,
)
from hub.common import home, nav
from hub.common.home import Step
from hub.common.lists import list_urls
from hub.common.nav import Entry

app_name = "connectors"

urlpatterns = [
    *list_urls("connections/", views.connection_list, "connection_list"),
    path("connections/new/", wizard.connection_new, name="connection_new"),
    path("connections/new/slug/", wizard.connection_slug, name="connection_slug"),
    path("connections/new/retries/", retry_views.retry_preview, name="retry_preview"),
    path("connections/signed-in/", vendor_sign_in_views.signed_in, name="signed_in"),
    path("connections/gallery/", gallery_views.gallery, name="gallery"),
    path("connections/gallery/<slug:name>/", gallery_views.gallery_detail, name="gallery_detail"),
    path("connections/declarations/", system_views.declarations, name="declarations"),
    *list_urls("connections/systems/", system_views.system_list, "system_list"),
    path("connections/systems/new/", system_views.system_new, name="system_new"),
    path("connections/systems/<slug:slug>/", system_views.system_detail, name="system_detail"),
    path("connections/systems/<slug:slug>/edit/", system_views.system_edit, name="system_edit"),
    path("connections/systems/<slug:slug>/delete/", system_views.system_delete, name="system_delete"),
    path("connections/streams/<slug:slug>/", stream_views.stream_detail, name="stream_detail"),
    path("connections/streams/<slug:slug>/edit/", stream_views.stream_edit, name="stream_edit"),
    path("connections/streams/<slug:slug>/schema/", stream_views.stream_schema, name="stream_schema"),
    path("connections/streams/<slug:slug>/samples/", stream_views.stream_samples, name="stream_samples"),
    path("connections/streams/<slug:slug>/fields/", stream_views.stream_discover, name="stream_discover"),
    path("connections/streams/<slug:slug>/delete/", stream_views.stream_delete, name="stream_delete"),
    path("connections/<slug:slug>/", views.connection_detail, name="connection_detail"),
    path("connections/<slug:slug>/test/", views.connection_test, name="connection_test"),
    path("connections/<slug:slug>/sign-in/", vendor_sign_in_views.sign_in, name="connection_sign_in"),
    path("connections/<slug:slug>/pause/", views.connection_pause, name="connection_pause"),
    path("connections/<slug:slug>/delete/", views.connection_delete, name="connection_delete"),
    path("connections/<slug:slug>/settings/", wizard.connection_edit, name="connection_edit"),
    path("connections/<slug:slug>/history/", views.connection_history, name="connection_history"),
    path("connections/<slug:slug>/objects/", stream_views.connection_objects, name="connection_objects"),
    path("connections/<slug:slug>/objects/new/", stream_views.stream_new, name="stream_new"),
    path("connections/<slug:slug>/objects/samples/", stream_views.object_samples, name="object_samples"),
]

nav.register(
    Entry(
        "Build",
        "Connections",
        "connectors:connection_list",
        icon="plug-connected",
        permission="connections.view",
        order=10,
        badge=search.failing_badge,
    )
)
home.step(
    Step(
        order=10,
        title="Connect your systems",
        detail="An account at each system: choose it, sign in, and test before anything is saved.",
        url_name="connectors:connection_new",
        action="New connection",
        permission="connections.edit",
        is_done=lambda request: search.is_any_connection(),
    )
)
