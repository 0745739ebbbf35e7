"""Addresses of mappings and value maps."""

from __future__ import annotations

from django.urls import include, path, re_path

from hub.common import home, nav
from hub.common.home import Step
from hub.common.lists import list_urls
from hub.common.nav import Entry
from mappings import search
from mappings.views import editor, entries, mappings, rows, suggestions, value_maps, versions

app_name = "mappings"

_mapping = [
    path("", editor.editor, name="editor"),
    path("rows/", editor.rows, name="rows"),
    path("samples/", editor.read_samples, name="samples"),
    path("row/inspect/", rows.inspect, name="inspect"),
    path("row/sources/", rows.sources, name="sources"),
    path("row/source/", rows.set_source, name="set_source"),
    path("row/save/", rows.save, name="save"),
    path("row/shape/", rows.shape, name="shape"),
    path("row/remove/", rows.remove, name="remove"),
    path("row/fix/", rows.fix, name="fix"),
    path("row/preview/", rows.preview, name="preview"),
    path("suggestions/", suggestions.suggestions, name="suggestions"),
    path("activate/", versions.activate, name="activate"),
    path("undo/", versions.undo, name="undo"),
    path("discard/", versions.discard, name="discard"),
    path("versions/", versions.versions, name="versions"),
    path("versions/<int:number>/restore/", versions.restore, name="restore"),
    path("settings/", mappings.mapping_settings, name="settings"),
    path("delete/", mappings.mapping_delete, name="delete"),
    path("document/", versions.document, {"fmt": ""}, name="document"),
]
_value_map = [
    path("", value_maps.value_map, name="value_map"),
    path("edit/", value_maps.value_map_edit, name="value_map_edit"),
    path("delete/", value_maps.value_map_delete, name="value_map_delete"),
    path("history/", value_maps.value_map_history, name="value_map_history"),
    path("import/", entries.table_import, name="value_map_import"),
    path("entries/", entries.entry_add, name="entry_add"),
    path("entries/<int:pk>/", entries.entry_row, name="entry"),
    path("entries/<int:pk>/edit/", entries.entry_edit, name="entry_edit"),
    path("entries/<int:pk>/remove/", entries.entry_remove, name="entry_remove"),
]

urlpatterns = [
    *list_urls("mappings/", mappings.mapping_list, "mapping_list"),
    path("mappings/new/", mappings.mapping_new, name="mapping_new"),
    *list_urls("mappings/value-maps/", value_maps.value_map_list, "value_map_list"),
    path("mappings/value-maps/new/", value_maps.value_map_new, name="value_map_new"),
    re_path(
        r"^mappings/value-maps/(?P<slug>[-\w]+)\.(?P<fmt>csv|json)$",
        value_maps.value_map_export,
        name="value_map_export",
    ),
    path("mappings/value-maps/<slug:slug>/", include(_value_map)),
    path("mappings/<slug:slug>.yaml", versions.document, {"fmt": "yaml"}, name="document_file"),
    path("mappings/<slug:slug>/", include(_mapping)),
]

nav.register(
    Entry("Build", "Mappings", "mappings:mapping_list", icon="arrows-right-left", permission="mappings.view", order=40)
)
nav.register(
    Entry("Build", "Value maps", "mappings:value_map_list", icon="lookup", permission="valuemaps.view", order=45)
)
home.step(
    Step(
        order=30,
        title="Map the fields",
        detail="What each field is filled from; suggestions do most of it, and a sample record shows the result.",
        url_name="mappings:mapping_new",
        action="New mapping",
        permission="mappings.edit",
        is_done=lambda request: search.is_any_live(),
    )
)
